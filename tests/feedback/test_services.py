"""The verbs of an exchange, one after the other, on a clock of the test."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from feedback import services
from feedback.errors import AlreadySubmitted, AssessFirst, NotOpen, TooLate
from feedback.forms import pack
from feedback.models import (
    ANSWER_TIME,
    CandidateReview,
    Draft,
    Exchange,
    InterviewerReview,
    ModeratorNote,
    SelfAssessment,
    Submission,
)
from feedback.selectors import State, revealed_reviews, standing
from rooms.live.lifecycle import Phase
from rooms.models import LogEntry, Room
from rooms.phases import move_room
from rooms.services import open_room
from tests.feedback.conftest import ADVANCE, GUESS, NOTE, PRAISE, THANKS, WORK_WITH, C, I, Interview


def phase_of(interview: Interview) -> str:
    return Room.objects.get(pk=interview.room.pk).phase


def test_the_end_of_a_room_opens_its_exchange_by_itself(
    interview: Interview, django_capture_on_commit_callbacks: Any
) -> None:
    room = open_room(person=interview.people[C], title="Other", role=C, language="python")
    with django_capture_on_commit_callbacks(execute=True):
        for phase in (Phase.LOBBY, Phase.LIVE, Phase.WRAP_UP, Phase.FEEDBACK):
            move_room(room_id=room.pk, to=phase)
    exchange = Exchange.objects.get(room=room)
    assert exchange.deadline_at - exchange.opened_at == ANSWER_TIME
    assert exchange.notices.count() == 6


def test_opening_again_changes_nothing(interview: Interview) -> None:
    first = interview.exchange
    again = services.open_exchange(room_id=interview.room.pk, now=timezone.now() + timedelta(days=3))
    assert (again.pk, again.deadline_at) == (first.pk, first.deadline_at)
    assert Exchange.objects.count() == 1


def test_a_room_that_goes_on_has_no_feedback(interview: Interview) -> None:
    room = open_room(person=interview.people[C], title="Other", role=C, language="python")
    with pytest.raises(NotOpen):
        services.open_exchange(room_id=room.pk)
    with pytest.raises(NotOpen):
        standing(seat=room.seats.get(role=C))


def test_both_submitted_reveals_both(interview: Interview) -> None:
    interview.submit(C)
    assert phase_of(interview) == Phase.FEEDBACK
    assert not interview.exchange.is_closed
    interview.submit(I)
    assert phase_of(interview) == Phase.REVEALED
    assert interview.exchange.revealed_at and not interview.exchange.lapsed_at
    assert InterviewerReview.objects.get().text == PRAISE
    assert CandidateReview.objects.get().hints is None
    assert ModeratorNote.objects.get().text == NOTE
    for role in (C, I):
        now = standing(seat=interview.seats[role])
        assert now.state is State.REVEALED
        assert now.about_me and now.by_me
        assert (now.about_me.text, now.by_me.text) == ((PRAISE, THANKS) if role is C else (THANKS, PRAISE))
        assert NOTE not in repr(now)
        assert revealed_reviews(room_id=interview.room.pk, seat=interview.seats[role]) == (
            (now.by_me, now.about_me) if role is C else (now.about_me, now.by_me)
        )


def test_the_room_s_log_says_once_that_it_was_revealed(interview: Interview) -> None:
    interview.submit(C, I)
    moves = [bytes(entry.payload) for entry in LogEntry.objects.filter(room=interview.room)]
    assert sum(b"revealed" in each for each in moves) == 1


def test_a_submission_is_final(interview: Interview) -> None:
    interview.submit(C)
    seat = interview.seats[C]
    with pytest.raises(AlreadySubmitted):
        services.submit(seat=seat, form=WORK_WITH)
    with pytest.raises(AlreadySubmitted):
        services.save_draft(seat=seat, answers={"text": "more"})
    with pytest.raises(AlreadySubmitted):
        services.assess_self(seat=seat, form=GUESS)
    assert not Draft.objects.exists()


def test_the_private_part_comes_first(interview: Interview) -> None:
    with pytest.raises(AssessFirst):
        services.submit(seat=interview.seats[C], form=WORK_WITH)
    assert not Submission.objects.exists()
    assert standing(seat=interview.seats[C]).state is State.ASSESSING
    services.assess_self(seat=interview.seats[C], form=GUESS)
    assert standing(seat=interview.seats[C]).state is State.ANSWERING


def test_only_the_candidate_assesses(interview: Interview) -> None:
    with pytest.raises(NotOpen):
        services.assess_self(seat=interview.seats[I], form=GUESS)
    assert not SelfAssessment.objects.exists()


def test_a_draft_is_kept_and_goes_with_the_submission(interview: Interview) -> None:
    seat = interview.seats[I]
    services.save_draft(seat=seat, answers={"technical": 2})
    services.save_draft(seat=seat, answers={"technical": 3, "text": "So "})
    assert standing(seat=seat).draft == {"technical": 3, "text": "So "}
    assert standing(seat=interview.seats[C]).draft == {}
    interview.submit(I)
    assert not Draft.objects.exists()


def test_one_sided_release_at_the_deadline(interview: Interview) -> None:
    services.save_draft(seat=interview.seats[C], answers={"text": "unsent"})
    interview.submit(I)
    deadline = interview.exchange.deadline_at
    assert services.release_due(now=deadline - timedelta(microseconds=1)) == 0
    assert standing(seat=interview.seats[C]).about_me is None
    assert services.release_due(now=deadline) == 1
    assert services.release_due(now=deadline) == 0
    assert interview.exchange.lapsed_at == deadline and not interview.exchange.revealed_at
    assert phase_of(interview) == Phase.LAPSED
    candidate, interviewer = (standing(seat=interview.seats[role]) for role in (C, I))
    assert candidate.state is interviewer.state is State.LAPSED
    assert candidate.about_me and candidate.about_me.text == PRAISE and candidate.by_me is None
    assert interviewer.by_me and interviewer.about_me is None
    assert not Draft.objects.exists()


def test_nobody_answers_after_the_deadline(interview: Interview) -> None:
    late = interview.exchange.deadline_at
    services.assess_self(seat=interview.seats[C], form=GUESS)
    for role, form in ((C, WORK_WITH), (I, ADVANCE)):
        seat = interview.seats[role]
        with pytest.raises(TooLate):  # the scan has not come by yet
            services.submit(seat=seat, form=form, now=late)
        services.close_if_due(room_id=interview.room.pk, now=late)
        with pytest.raises(TooLate):  # and a clock that is behind changes nothing
            services.submit(seat=seat, form=form)
        with pytest.raises(TooLate):
            services.save_draft(seat=seat, answers={})
    assert not Submission.objects.exists()
    assert phase_of(interview) == Phase.LAPSED
    assert standing(seat=interview.seats[I]).about_me is None


def test_a_reveal_that_fails_leaves_the_answers_sealed(
    interview: Interview, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All or nothing: the second submission is refused as a whole and can be sent again."""
    interview.submit(C)

    def broken(**_: object) -> bool:
        raise RuntimeError("the log cannot be written")

    with monkeypatch.context() as patch:
        patch.setattr(services, "move_room", broken)
        with pytest.raises(RuntimeError):
            interview.submit(I)
    assert not interview.exchange.is_closed
    assert not InterviewerReview.objects.exists() and not CandidateReview.objects.exists()
    assert standing(seat=interview.seats[I]).state is State.ANSWERING
    interview.submit(I)
    assert interview.exchange.revealed_at


@pytest.mark.parametrize("field", ["technical", "problem_solving", "communication"])
@pytest.mark.parametrize("value", [0, 5])
def test_the_database_knows_the_scale(interview: Interview, field: str, value: int) -> None:
    answers = {"advance": True, "technical": 3, "problem_solving": 3, "communication": 3, "text": PRAISE}
    with pytest.raises(IntegrityError), transaction.atomic():
        InterviewerReview.objects.create(exchange=interview.exchange, **(answers | {field: value}))


def test_the_database_takes_one_submission_per_side(interview: Interview) -> None:
    interview.submit(I)
    with pytest.raises(IntegrityError), transaction.atomic():
        Submission.objects.create(exchange=interview.exchange, role=I, answers=pack(ADVANCE))
