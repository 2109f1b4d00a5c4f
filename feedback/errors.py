"""What feedback refuses, each with its code, sentence and HTTP status.

No refusal depends on what the other side did, except through what this side may see anyway.
"""

from __future__ import annotations

from anteroom.errors import Refusal


class NotOpen(Refusal):
    code = "feedback_not_open"
    sentence = "Feedback opens when the interview has ended."
    status = 409
    close_code = 4409


class AlreadySubmitted(Refusal):
    code = "already_submitted"
    sentence = "Your feedback is sealed already and cannot be changed."
    status = 409
    close_code = 4409


class TooLate(Refusal):
    code = "too_late"
    sentence = "The time for feedback is over, so nothing more can be added."
    status = 409
    close_code = 4409


class AssessFirst(Refusal):
    code = "assess_first"
    sentence = "Say first, in private, how well you think you did."
    status = 409
    close_code = 4409


class UnmaskClosed(Refusal):
    """Not revealed, not wished by both reviews, or over."""

    code = "unmask_closed"
    sentence = "Unmasking is not open for this interview."
    status = 409
    close_code = 4409


class AlreadyUnmasked(Refusal):
    code = "already_unmasked"
    sentence = "You have both unmasked already; this cannot be taken back."
    status = 409
    close_code = 4409
