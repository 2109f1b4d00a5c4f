/** What a refusal means and what to do next. Every code of the errors.py files stands here; a test compares. */

/** What happened, and what the person can do now ("" when the first says it all). */
export type Words = readonly [sentence: string, next: string];

export const WORDS = {
  // platform/anteroom/errors.py
  refused: ["That is not possible right now.", "Reload the page and try again."],
  signed_out: ["You are signed out.", "Sign in to go on; what was saved is kept."],
  not_allowed: ["You may not do that here.", ""],
  not_found: ["There is nothing here, or it is not yours to see.", "Go back to your interviews."],
  unusable: ["Something in the form needs a second look.", "See the marked fields."],
  unreadable: ["The request could not be read.", ""],
  wrong_method: ["This address does not take that method.", ""],
  not_acceptable: ["This address answers with JSON alone.", ""],
  too_large: ["That is too much for one request.", "Make it shorter and try again."],
  wrong_media_type: ["This address takes JSON alone.", ""],
  too_many: ["That was a lot in a short time.", "Wait a moment, then go on."],
  bug: [
    "Something went wrong on our side.",
    "Try again; if it stays, tell who runs this site the reference.",
  ],

  // platform/accounts/errors.py
  link_spent: [
    "This sign-in link was used already or has expired.",
    "Ask for a new one, or sign in with a password.",
  ],
  bad_token: [
    "This token is unknown, has expired or was revoked.",
    "Make a new one on the page of your tokens.",
  ],
  scope_missing: ["This token may not read that.", "Make one that has the scope."],
  no_such_token: ["There is no such token, or it was revoked already.", ""],
  too_many_tokens: ["You have as many tokens as one person can have.", "Revoke one that you no longer need."],

  // rooms/errors.py
  no_such_room: ["There is no such room, or it is not yours.", "Go back to your interviews."],
  room_ended: ["The room has ended.", "Your work is saved. Go on to feedback."],
  bad_frame: ["The page sent something the room could not read.", "Reload to go on; saved work is safe."],
  frame_too_large: ["That is too much at once.", "Paste or draw it in smaller parts."],
  code_too_long: ["The code is longer than a room holds.", "Reload to go on without the last of it."],
  bad_line: ["That line cannot be sent as it is.", "Shorten it, or take out unusual characters."],
  bad_drawing: ["That drawing cannot be kept.", "The board takes shapes, lines, arrows, strokes and text."],
  not_now: ["That is not possible at this moment of the interview.", ""],
  too_slow: ["Your connection fell behind.", "Reconnecting and catching up."],
  try_again: ["The room cannot save right now.", "Keep this page open; it will try again."],
  busy: ["Many are coming in at this moment.", "Trying again shortly."],
  too_many_sockets: ["You have your rooms open in too many tabs.", "Close some, then reload this one."],
  restarting: ["The server restarts.", "Reconnecting in a moment."],
  invitation_spent: [
    "This link was used already or has expired.",
    "Ask the person who sent it for a new one.",
  ],
  seat_taken: ["You already sit in this room.", "The link is for somebody else."],

  // rooms/voice/errors.py
  bad_offer: [
    "Your browser sends sound in a way this room does not understand.",
    "Reload, or try another browser.",
  ],
  too_many_offers: [
    "Your voice is trying to connect too often.",
    "Wait a few seconds, then turn it on again.",
  ],
  voice_elsewhere: ["Your voice is on in another tab.", "Turn it on again to move it here."],
  voice_full: ["As many people as a room can hold are on the line already.", ""],
  voice_unavailable: [
    "The server cannot carry voice right now.",
    "Everything else works; try again in a moment.",
  ],

  // feedback/errors.py
  feedback_not_open: ["Feedback opens when the interview has ended.", ""],
  already_submitted: ["Your feedback is sealed already and cannot be changed.", ""],
  too_late: ["The time for feedback is over, so nothing more can be added.", ""],
  assess_first: ["Say first, in private, how well you think you did.", ""],
  unmask_closed: ["Unmasking is not open for this interview.", ""],
  already_unmasked: ["You have both unmasked already; this cannot be taken back.", ""],
} satisfies Record<string, Words>;

export type Code = keyof typeof WORDS;

/** The words for a code. The server's own sentence wins where it says something else, such as a limit. */
export function say(code: string, sentence = ""): Words {
  const words = Object.hasOwn(WORDS, code) ? WORDS[code as Code] : WORDS.refused;
  return sentence === "" || sentence.startsWith(words[0]) ? words : [sentence, ""];
}

/** The same in one line. */
export function sayLine(code: string, sentence = ""): string {
  return say(code, sentence).join(" ").trim();
}
