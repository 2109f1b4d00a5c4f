"""Twins: the same interview twice, differing in one secret. What the other side receives must be equal.

Compared are status, headers, body and the number of queries behind each answer.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core import mail

from feedback import notices, services
from feedback.forms import CandidateForm, InterviewerForm, pack
from feedback.models import SelfAssessment, Submission
from rooms.roles import Role
from tests.feedback.conftest import ADVANCE, GUESS, NOTE, PRAISE, THANKS, WORK_WITH, C, I, Interview
from tests.feedback.everything import Received, attempts, reads

OTHER = {C: I, I: C}
ME = services.Identity(name="Ada Canarywort", email="ada@example.org", message="Write to me.")


def received(interview: Interview, role: Role) -> list[Received]:
    browser = interview.client(role)
    attempts(browser, interview)  # once before, so that one's own draft is the same in both twins
    return reads(browser, interview) + attempts(browser, interview)


def assert_twins(one: list[Received], other: list[Received]) -> None:
    for left, right in zip(one, other, strict=True):
        assert left == right, left.what


@pytest.mark.parametrize("role", [C, I])
@pytest.mark.parametrize("assessed", [False, True])
def test_who_has_not_submitted_cannot_tell_whether_the_other_has(
    interview: Interview, role: Role, assessed: bool
) -> None:
    if assessed:
        services.assess_self(seat=interview.seats[C], form=GUESS)
    services.save_draft(seat=interview.seats[role], answers={"text": "so far"})
    before = received(interview, role)
    interview.submit(OTHER[role])
    assert Submission.objects.count() == 1
    assert_twins(before, received(interview, role))


@pytest.mark.parametrize("role", [C, I])
def test_who_has_submitted_sees_no_draft_of_the_other(interview: Interview, role: Role) -> None:
    interview.submit(role)
    before = received(interview, role)
    if role is I:
        services.assess_self(seat=interview.seats[C], form=GUESS)
    services.save_draft(seat=interview.seats[OTHER[role]], answers={"text": "on its way"})
    assert_twins(before, received(interview, role))


STATES: dict[str, Callable[[Interview], None]] = {
    "only assessed": lambda interview: services.assess_self(seat=interview.seats[C], form=GUESS),
    "candidate submitted": lambda interview: interview.submit(C),
    "interviewer submitted": lambda interview: (
        services.assess_self(seat=interview.seats[C], form=GUESS),
        interview.submit(I),
    )[0],
    "revealed": lambda interview: interview.submit(C, I),
    "lapsed": lambda interview: (interview.submit(C), lapse(interview))[0],
    "unmasked": lambda interview: (
        interview.submit(C, I),
        services.choose_unmask(seat=interview.seats[C], identity=ME),
        services.choose_unmask(seat=interview.seats[I], identity=ME),
    )[0],
}


def lapse(interview: Interview) -> None:
    services.close_if_due(room_id=interview.room.pk, now=interview.exchange.deadline_at)


@pytest.mark.parametrize("state", STATES)
def test_the_self_assessment_shows_in_no_state(interview: Interview, state: str) -> None:
    """Another guess, or none at all, and the interviewer receives the same bytes."""
    STATES[state](interview)
    before = received(interview, I)
    SelfAssessment.objects.update(how_well=4, seen_before=True)
    assert_twins(before, received(interview, I))
    SelfAssessment.objects.all().delete()
    assert_twins(before, received(interview, I))
    words = b"".join(each.body for each in reads(interview.client(I), interview))
    assert b"You thought" not in words and b"how_well" not in words


@pytest.mark.parametrize("role", [C, I])
def test_what_is_sealed_shows_to_nobody(interview: Interview, role: Role) -> None:
    """Not to the other side, and not to its own author either: nothing reads the sealed column."""
    interview.submit(role)
    for each in (C, I):
        words = b"".join(one.body for one in received(interview, each)).decode()
        for secret in (PRAISE, THANKS, NOTE):
            assert secret not in words


def test_the_content_of_a_sealed_submission_changes_nothing(interview: Interview) -> None:
    """A "no" of 1,600 characters in place of a short "yes": not even a length differs."""
    interview.submit(I)
    sealed = Submission.objects.get()
    before = received(interview, C)
    sealed.answers = pack(InterviewerForm(False, 1, 1, 1, "No. " * 400, ""))
    sealed.save()
    assert_twins(before, received(interview, C))


def test_the_note_to_moderators_shows_to_nobody_ever(interview: Interview) -> None:
    STATES["unmasked"](interview)
    for role in (C, I):
        assert NOTE.encode() not in b"".join(each.body for each in received(interview, role))


@pytest.mark.parametrize("role", [C, I])
def test_a_one_sided_yes_looks_like_silence(interview: Interview, role: Role) -> None:
    interview.submit(C, I)
    # What is tried here must not say yes itself, so only reading is compared.
    browser = interview.client(role)
    before = reads(browser, interview)
    services.choose_unmask(seat=interview.seats[OTHER[role]], identity=ME)
    assert_twins(before, reads(browser, interview))
    services.withdraw_unmask(seat=interview.seats[OTHER[role]])
    assert_twins(before, reads(browser, interview))


def test_a_review_that_does_not_wish_to_meet_hides_the_other_s_yes(interview: Interview) -> None:
    """No unmasking after a "no": nothing is offered, and asking for it is refused alike on both sides."""
    services.assess_self(seat=interview.seats[C], form=GUESS)
    services.submit(seat=interview.seats[C], form=CandidateForm(False, 1, 1, None, 1, ""))
    services.submit(seat=interview.seats[I], form=ADVANCE)
    bodies = [b"".join(each.body for each in received(interview, role)) for role in (C, I)]
    assert all(b"unmask_closed" in each and b"Meet without masks" not in each for each in bodies)


def test_reminders_do_not_tell_either(interviews: Callable[[], Interview]) -> None:
    """The interviewer gets the same mails at the same times whether or not the candidate has submitted."""

    def mails_to_interviewer(interview: Interview) -> list[tuple[str, str]]:
        mail.outbox.clear()
        for each in interview.exchange.notices.filter(role=I).order_by("due_at"):
            notices.send_due(now=each.due_at)
        address = interview.people[I].email
        assert all(len(each.to) == 1 and not each.cc and not each.bcc for each in mail.outbox)
        return [
            (each.subject, str(each.body).replace(str(interview.room.pk), "ROOM"))
            for each in mail.outbox
            if each.to == [address]
        ]

    one = mails_to_interviewer(interviews())
    answered = interviews()
    answered.submit(C)
    other = mails_to_interviewer(answered)
    assert [subject for subject, _ in one] == [subject for subject, _ in other]
    assert len(one) == 3


def test_the_candidate_compares_and_the_interviewer_does_not(interview: Interview) -> None:
    """The other way round: what must be seen is seen."""
    services.assess_self(seat=interview.seats[C], form=GUESS)
    services.submit(seat=interview.seats[C], form=WORK_WITH)
    services.submit(seat=interview.seats[I], form=ADVANCE)
    candidate = b"".join(each.body for each in reads(interview.client(C), interview)).decode()
    assert "How you saw it" in candidate and "You did better than you thought" in candidate
    interviewer = b"".join(each.body for each in reads(interview.client(I), interview)).decode()
    assert "How you saw it" not in interviewer
