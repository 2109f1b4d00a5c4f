"""What the door refuses, each with its code, sentence, HTTP status and close code."""

from __future__ import annotations

from anteroom.errors import Refusal


class LinkSpent(Refusal):
    """Used, expired or unknown: the three must look alike."""

    code = "link_spent"
    sentence = (
        "This sign-in link was used already or has expired. Ask for a new one, or sign in with a password."
    )
    status = 410
    close_code = 4410


class BadToken(Refusal):
    """Unknown, expired, revoked, or its owner may not sign in: the four must look alike."""

    code = "bad_token"
    sentence = "This token is unknown, has expired or was revoked. Make a new one on the page of your tokens."
    status = 401
    close_code = 4401


class ScopeMissing(Refusal):
    code = "scope_missing"
    sentence = "This token may not read that. Make one that has the scope."
    status = 403
    close_code = 4403


class NoSuchToken(Refusal):
    code = "no_such_token"
    sentence = "There is no such token, or it was revoked already."
    status = 404
    close_code = 4404


class TooManyTokens(Refusal):
    code = "too_many_tokens"
    sentence = "You have as many tokens as one person can have. Revoke one that you no longer need."
    status = 409
    close_code = 4409
