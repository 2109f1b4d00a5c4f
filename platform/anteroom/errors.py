"""Expected trouble: one class that carries a code, a sentence, an HTTP status and a close code.

Anything else that is raised is a bug: it is logged with a reference and the person sees that reference.
Every code stands once in its app's errors.py and once in frontend/src/say.ts; a test compares the two.
"""

from __future__ import annotations


class Refusal(Exception):
    """Something the person may not or cannot do now, said in words that help.

    A refusal never tells whether a hidden thing exists.
    """

    code = "refused"
    sentence = "That is not possible right now."
    status = 400
    close_code = 4400
    field: str | None = None

    def __init__(self, sentence: str | None = None, *, field: str | None = None) -> None:
        self.sentence = sentence or self.sentence
        self.field = field
        super().__init__(self.sentence)


class SignedOut(Refusal):
    code = "signed_out"
    sentence = "You are signed out. Sign in to go on; what you wrote is kept."
    status = 401
    close_code = 4401


class NotAllowed(Refusal):
    code = "not_allowed"
    sentence = "You may not do that here."
    status = 403
    close_code = 4403


class NotFound(Refusal):
    code = "not_found"
    sentence = "There is nothing here, or it is not yours to see."
    status = 404
    close_code = 4404


class Unusable(Refusal):
    code = "unusable"
    sentence = "Something in the form needs a second look."
    status = 422
    close_code = 4422


# --- what a program can get wrong; pages never meet these ------------------------------------------------


class Unreadable(Refusal):
    code = "unreadable"
    sentence = "The body of the request is not what its Content-Type says."


class WrongMethod(Refusal):
    code = "wrong_method"
    sentence = "This address does not take that method."
    status = 405


class NotAcceptable(Refusal):
    code = "not_acceptable"
    sentence = "This address answers with JSON alone."
    status = 406


class TooLarge(Refusal):
    code = "too_large"
    sentence = "That is too much for one request."
    status = 413


class WrongMediaType(Refusal):
    code = "wrong_media_type"
    sentence = "Send JSON, with the Content-Type application/json."
    status = 415


class TooMany(Refusal):
    code = "too_many"
    sentence = "That was a lot in a short time. Wait a moment, then go on."
    status = 429


class Bug(Refusal):
    """Something unexpected; `api.py` makes one, with the reference under which the log has the rest."""

    code = "bug"
    sentence = "Something went wrong on our side."
    status = 500
