/** The phases of a room as a person meets them: the clock, starting, ending, saying goodbye, going on. */
import { say } from "../say";
import type { Moved, Welcome } from "../wire";
import { minutesAndSeconds, type RoomClock } from "./clock";
import { element } from "./page";
import type { Presence } from "./presence";
import { toast } from "./toast";

/** As in rooms/live/lifecycle.py. */
const NUDGE_MS = 5 * 60_000;
const TICK_MS = 250;
/** Long enough to read two short sentences, short enough not to wait. */
const FAREWELL_MS = 2_200;

const PHASE_WORDS: Record<string, string> = {
  scheduled: "Scheduled",
  lobby: "Not started",
  live: "Live",
  wrap_up: "Wrap-up",
};
const WRITABLE = new Set(["lobby", "live", "wrap_up"]);

export interface LifecycleOptions {
  clock: RoomClock;
  presence: Presence;
  urls: { feedback: string; home: string };
  move(phase: string): void;
  onWritable(writable: boolean): void;
  /** The page is about to go on by itself. */
  onLeave(): void;
}

export class Lifecycle {
  #options: LifecycleOptions;
  #phase = "";
  #live_at_ms: number | null = null;
  #ends_at_ms: number | null = null;
  #nudged = false;
  #leaving = false;

  constructor(options: LifecycleOptions) {
    this.#options = options;
    element("start").addEventListener("click", () => options.move("live"));
    element("to-feedback").addEventListener("click", () => options.move("feedback"));
    const dialog = element<HTMLDialogElement>("end-dialog");
    element("end").addEventListener("click", () => dialog.showModal());
    dialog.addEventListener("close", () => {
      if (dialog.returnValue === "yes") options.move("wrap_up");
      dialog.returnValue = "";
    });
    setInterval(() => this.#tick(), TICK_MS);
  }

  welcome(message: Welcome): void {
    this.#enter(message);
  }

  moved(message: Moved): void {
    const who = message.seat === "room" ? null : this.#options.presence.maskOf(message.seat);
    if (message.phase === "live") toast(`${who ?? "The room"} started the interview.`);
    if (message.phase === "wrap_up") toast(who ? `${who} ended the interview.` : "The time is up.");
    this.#enter(message);
  }

  /** Who is here has changed. */
  refresh(): void {
    const start = element<HTMLButtonElement>("start");
    const other = this.#options.presence.other;
    start.hidden = this.#phase !== "lobby";
    start.disabled = !this.#options.presence.bothHere;
    start.title = start.disabled ? `It can start once ${other?.mask ?? "the other side"} is here.` : "";
    element("end").hidden = this.#phase !== "live";
  }

  /** The socket is gone for good. */
  closed(code: string, sentence: string): void {
    if (this.#leaving) return;
    if (code === "room_ended") {
      this.#goOn();
      return;
    }
    const [title, words] = say(code, sentence);
    this.#farewell(title, words || "Reload the page to go on.", {
      href: code === "no_such_room" ? this.#options.urls.home : window.location.href,
      words: code === "no_such_room" ? "My interviews" : "Reload",
    });
  }

  #enter(now: { phase: string; live_at_ms: number | null; ends_at_ms: number | null }): void {
    this.#phase = now.phase;
    this.#live_at_ms = now.live_at_ms;
    this.#ends_at_ms = now.ends_at_ms;
    element("room").dataset.phase = now.phase;
    element("banner").hidden = now.phase !== "wrap_up";
    const badge = element("phase");
    badge.textContent = PHASE_WORDS[now.phase] ?? "Over";
    badge.className =
      now.phase === "live" ? "badge badge-live" : now.phase === "wrap_up" ? "badge badge-warn" : "badge";
    this.#options.onWritable(WRITABLE.has(now.phase));
    this.refresh();
    this.#tick();
    if (now.phase === "feedback" || now.phase === "revealed" || now.phase === "lapsed") this.#goOn();
    if (now.phase === "cancelled" || now.phase === "no_show") this.#calledOff(now.phase);
  }

  #tick(): void {
    const now_ms = this.#options.clock.now_ms();
    if (this.#phase === "live" && this.#live_at_ms !== null && this.#ends_at_ms !== null) {
      this.#showTime(
        now_ms - this.#live_at_ms,
        this.#ends_at_ms - now_ms,
        this.#ends_at_ms - this.#live_at_ms,
      );
    } else if (this.#phase === "wrap_up" && this.#ends_at_ms !== null) {
      this.#showGoodbye(this.#ends_at_ms - now_ms);
    } else {
      write(element("clock"), "");
    }
  }

  #showTime(gone_ms: number, left_ms: number, length_ms: number): void {
    const late = left_ms <= NUDGE_MS;
    write(element("clock"), `${minutesAndSeconds(gone_ms)} of ${Math.round(length_ms / 60_000)} min`);
    element("clock").classList.toggle("clock-late", late);
    if (!late || left_ms <= 0 || this.#nudged) return;
    this.#nudged = true;
    toast(left_ms > NUDGE_MS - 5_000 ? "Five minutes left." : `${minutesAndSeconds(left_ms)} minutes left.`);
  }

  /** left_ms: until the room closes by itself. */
  #showGoodbye(left_ms: number): void {
    element("clock").classList.remove("clock-late");
    const left = minutesAndSeconds(Math.max(0, left_ms));
    write(element("clock"), left);
    write(
      element("banner-words"),
      `Time to say goodbye. The room closes in ${left}; going to feedback closes it for both of you.`,
    );
  }

  #goOn(): void {
    const href = this.#options.urls.feedback;
    this.#farewell("The room is closed", "Everything is saved. Feedback is next, while it is fresh.", {
      href,
      words: "Go to feedback",
    });
    setTimeout(() => window.location.assign(href), FAREWELL_MS);
  }

  #calledOff(phase: string): void {
    const words =
      phase === "cancelled" ? "The interview was cancelled." : "The other side did not come in time.";
    this.#farewell(words, "You are free; nothing is expected of you.", {
      href: this.#options.urls.home,
      words: "My interviews",
    });
  }

  #farewell(title: string, words: string, next: { href: string; words: string }): void {
    if (this.#leaving) return;
    this.#leaving = true;
    this.#options.onLeave();
    this.#options.onWritable(false);
    element("closed-title").textContent = title;
    element("closed-words").textContent = words;
    const link = element<HTMLAnchorElement>("closed-next");
    link.href = next.href;
    link.textContent = next.words;
    const dialog = element<HTMLDialogElement>("closed-dialog");
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    for (const open of document.querySelectorAll<HTMLDialogElement>("dialog[open]")) open.close();
    dialog.showModal();
  }
}

function write(place: HTMLElement, words: string): void {
  if (place.textContent !== words) place.textContent = words;
}
