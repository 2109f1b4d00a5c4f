"""What a room refuses, each with its code, sentence, HTTP status and close code."""

from __future__ import annotations

from anteroom.errors import Refusal


class NoSuchRoom(Refusal):
    """Unknown room or somebody else's: the two must look alike."""

    code = "no_such_room"
    sentence = "There is no such room, or it is not yours."
    status = 404
    close_code = 4404


class RoomEnded(Refusal):
    code = "room_ended"
    sentence = "The room has ended. Your work is saved."
    status = 409
    close_code = 4410


class BadFrame(Refusal):
    """A frame that is not what wire.py says, whatever the library raised."""

    code = "bad_frame"
    sentence = "The page sent something the room could not read. Reload to go on; saved work is safe."
    status = 400
    close_code = 4400


class FrameTooLarge(Refusal):
    code = "frame_too_large"
    sentence = "That is too much at once. Paste or draw it in smaller parts."
    status = 413
    close_code = 1009


class CodeTooLong(Refusal):
    code = "code_too_long"
    sentence = "The code is longer than a room holds. Reload to go on without the last of it."
    status = 413
    close_code = 4413


class BadLine(Refusal):
    """Answered with Refused, the socket stays open."""

    code = "bad_line"
    sentence = "That line could not be sent. It needs some text."
    status = 422
    close_code = 4422


class BadDrawing(Refusal):
    """Answered with Refused, the socket stays open."""

    code = "bad_drawing"
    sentence = "The board could not take that."
    status = 422
    close_code = 4422


class NotNow(Refusal):
    """Allowed in another phase or for another seat; answered with Refused, the socket stays open."""

    code = "not_now"
    sentence = "That is not possible at this moment of the interview."
    status = 409
    close_code = 4409


class TooSlow(Refusal):
    code = "too_slow"
    sentence = "Your connection fell behind. Reconnecting and catching up."
    status = 503
    close_code = 4508


class TryAgain(Refusal):
    """The log cannot be written; nothing was shown to anyone and the page still holds it."""

    code = "try_again"
    sentence = "The room cannot save right now. Keep this page open; it will try again."
    status = 503
    close_code = 1013


class Busy(Refusal):
    """At the door; the page tries again by itself."""

    code = "busy"
    sentence = "Many are coming in at this moment. Trying again shortly."
    status = 503
    close_code = 1013


class TooManySockets(Refusal):
    code = "too_many_sockets"
    sentence = "You have your rooms open in too many tabs. Close some, then reload this one."
    status = 429
    close_code = 4429


class Restarting(Refusal):
    code = "restarting"
    sentence = "The server restarts. Reconnecting in a moment."
    status = 503
    close_code = 1012


class InvitationSpent(Refusal):
    """Used, expired or unknown: the three must look alike."""

    code = "invitation_spent"
    sentence = "This link was used already or has expired. Ask the person who sent it for a new one."
    status = 410
    close_code = 4410


class SeatTaken(Refusal):
    code = "seat_taken"
    sentence = "You already sit in this room, so the link is for somebody else."
    status = 409
    close_code = 4409
