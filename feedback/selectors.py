"""The one door by which feedback is read: what may this side see now.

Before this side has submitted, nothing here asks the database about the other side, so there is nothing to
leak: not in content, not in length, not in the number of queries. Sealed answers are read by no function of
this file; they come out through services alone, at the reveal.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.utils import timezone

from feedback.errors import NotOpen
from feedback.forms import (
    FORMS,
    QUALITY,
    InterviewerForm,
    Scale,
    SelfAssessmentForm,
    Text,
    public_questions,
    questions,
)
from feedback.models import (
    CandidateReview,
    Draft,
    Exchange,
    InterviewerReview,
    SelfAssessment,
    Submission,
    UnmaskChoice,
    other_side,
)
from rooms.models import Seat
from rooms.roles import PEOPLE, Role


class State(StrEnum):
    """Where one side stands. `waiting` is told only to one who has submitted."""

    ASSESSING = "assessing"
    ANSWERING = "answering"
    WAITING = "waiting"
    REVEALED = "revealed"
    LAPSED = "lapsed"


class UnmaskState(StrEnum):
    """Where one side stands with unmasking. Until `mutual` it depends on this side alone."""

    CLOSED = "closed"
    OPEN = "open"
    CHOSEN = "chosen"
    MUTUAL = "mutual"


@dataclass(frozen=True, slots=True)
class Line:
    """One rated answer of a review, in words."""

    label: str
    value: int | None
    words: str


@dataclass(frozen=True, slots=True)
class Review:
    """A released review as its two people may read it."""

    author: Role
    released_at: datetime
    answers: Mapping[str, Any]
    """By the names of the form's questions; without the private ones."""

    @property
    def verdict(self) -> bool:
        """The yes or no that the form begins with."""
        return bool(self.answers[questions(FORMS[self.author])[0].name])

    @property
    def lines(self) -> tuple[Line, ...]:
        return tuple(
            _line(question, self.answers[question.name])
            for question in questions(FORMS[self.author])
            if isinstance(question, Scale)
        )

    @property
    def text_label(self) -> str:
        return next(each.short for each in questions(FORMS[self.author]) if isinstance(each, Text))

    @property
    def text(self) -> str:
        return str(self.answers["text"])


@dataclass(frozen=True, slots=True)
class OwnAssessment:
    """The candidate's private part, for the candidate alone."""

    how_well: int
    seen_before: bool

    @property
    def how_well_words(self) -> str:
        return QUALITY[self.how_well - 1]


@dataclass(frozen=True, slots=True)
class Compared:
    """The candidate's guess beside the interviewer's technical rating, for the candidate alone."""

    guessed: Line
    actual: Line

    @property
    def sentence(self) -> str:
        assert self.guessed.value is not None and self.actual.value is not None
        gap = self.actual.value - self.guessed.value
        if gap > 0:
            return (
                "You did better than you thought. Most people cannot tell, and many are hard on themselves."
            )
        if gap < 0:
            return (
                "It felt better than it looked from across the table. Most people cannot tell; now you know."
            )
        return "You both saw it the same way. That is rarer than one would think."


@dataclass(frozen=True, slots=True)
class Shown:
    """What one person shows of who they are; empty means not shown."""

    name: str
    email: str
    profile_url: str
    message: str


@dataclass(frozen=True, slots=True)
class Unmask:
    """Unmasking as one side may see it."""

    state: UnmaskState
    until: datetime | None = None
    mine: Shown | None = None
    theirs: Shown | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """All that one side may see of an exchange now."""

    room_id: UUID
    title: str
    role: Role
    mask: str
    other_mask: str
    state: State
    deadline_at: datetime
    draft: Mapping[str, Any]
    assessment: OwnAssessment | None
    about_me: Review | None
    by_me: Review | None
    unmask: Unmask

    @property
    def compared(self) -> Compared | None:
        """None for the interviewer in every state, since only a candidate has an assessment."""
        if self.assessment is None or self.about_me is None:
            return None
        guess, scale = questions(SelfAssessmentForm)[0], questions(InterviewerForm)[1]
        assert isinstance(guess, Scale) and isinstance(scale, Scale)
        return Compared(
            guessed=_line(guess, self.assessment.how_well),
            actual=_line(scale, self.about_me.answers[scale.name]),
        )


def standing(*, seat: Seat, now: datetime | None = None) -> Standing:
    """What the person on this seat may see now. Raises NotOpen before the interview has ended."""
    now = now or timezone.now()
    exchange = Exchange.objects.select_related("room").filter(room_id=seat.room_id).first()
    if exchange is None or seat.role not in PEOPLE:
        raise NotOpen
    role = Role(seat.role)
    assessment = _own_assessment(exchange) if role is Role.CANDIDATE else None
    state = _state(exchange, role, assessment)
    about_me = by_me = None
    if exchange.is_closed:
        about_me, by_me = _review(exchange, other_side(role)), _review(exchange, role)
    masks = {each.role: each.mask for each in Seat.objects.filter(room_id=seat.room_id, role__in=PEOPLE)}
    return Standing(
        room_id=seat.room_id,
        title=exchange.room.title,
        role=role,
        mask=masks[role],
        other_mask=masks[other_side(role)],
        state=state,
        deadline_at=exchange.deadline_at,
        draft=_draft(exchange, role) if state is State.ANSWERING else {},
        assessment=assessment,
        about_me=about_me,
        by_me=by_me,
        unmask=_unmask(exchange, role, now),
    )


def revealed_reviews(*, room_id: UUID, seat: Seat) -> tuple[Review, ...]:
    """The reviews of a room that this seat may read: none before the release, in the order of the seats.

    For the transcript and whatever else repeats a review elsewhere.
    """
    if seat.room_id != room_id or seat.role not in PEOPLE:
        return ()
    exchange = Exchange.objects.filter(room_id=room_id).first()
    if exchange is None or not exchange.is_closed:
        return ()
    return tuple(review for role in PEOPLE if (review := _review(exchange, role)))


def rooms_owing(person_id: UUID, room_ids: Collection[UUID]) -> set[UUID]:
    """Rooms among these that wait for this person's own feedback; the other side's plays no part."""
    seats = Seat.objects.filter(person_id=person_id, room_id__in=room_ids, role__in=PEOPLE)
    mine = Submission.objects.filter(exchange__room_id=OuterRef("room_id"), role=OuterRef("role"))
    return set(seats.exclude(Exists(mine)).values_list("room_id", flat=True))


def wish_to_meet(exchange: Exchange) -> bool:
    """Whether the interviewer would advance the candidate and the candidate would work with the interviewer.

    Asks released reviews only, so it is False before the reveal whatever was submitted.
    """
    return (
        InterviewerReview.objects.filter(exchange=exchange, advance=True).exists()
        and CandidateReview.objects.filter(exchange=exchange, work_with=True).exists()
    )


# --- inside -------------------------------------------------------------------------------------------


def _state(exchange: Exchange, role: Role, assessment: OwnAssessment | None) -> State:
    if exchange.revealed_at is not None:
        return State.REVEALED
    if exchange.lapsed_at is not None:
        return State.LAPSED
    if Submission.objects.filter(exchange=exchange, role=role).exists():
        return State.WAITING
    if role is Role.CANDIDATE and assessment is None:
        return State.ASSESSING
    return State.ANSWERING


def _own_assessment(exchange: Exchange) -> OwnAssessment | None:
    row = SelfAssessment.objects.filter(exchange=exchange).first()
    return OwnAssessment(row.how_well, row.seen_before) if row else None


def _draft(exchange: Exchange, role: Role) -> dict[str, Any]:
    row = Draft.objects.filter(exchange=exchange, role=role).first()
    return dict(row.answers) if row else {}


def _review(exchange: Exchange, author: Role) -> Review | None:
    released_at = exchange.revealed_at or exchange.lapsed_at
    model = InterviewerReview if author is Role.INTERVIEWER else CandidateReview
    row = model.objects.filter(exchange=exchange).first()
    if row is None or released_at is None:
        return None
    answers = {each.name: getattr(row, each.name) for each in public_questions(FORMS[author])}
    return Review(author, released_at, answers)


def _line(question: Scale, value: int | None) -> Line:
    words = question.none if value is None else question.anchors[value - 1]
    return Line(question.short, value, words)


def _unmask(exchange: Exchange, role: Role, now: datetime) -> Unmask:
    until = exchange.unmask_until
    if until is None or not wish_to_meet(exchange):
        return Unmask(UnmaskState.CLOSED)
    if exchange.unmasked_at is not None:
        return Unmask(UnmaskState.MUTUAL, until, _shown(exchange, role), _shown(exchange, other_side(role)))
    if now >= until:
        return Unmask(UnmaskState.CLOSED, until)
    mine = _shown(exchange, role)
    return Unmask(UnmaskState.CHOSEN if mine else UnmaskState.OPEN, until, mine)


def _shown(exchange: Exchange, role: Role) -> Shown | None:
    row = UnmaskChoice.objects.filter(exchange=exchange, role=role).first()
    return Shown(row.name, row.email, row.profile_url, row.message) if row else None
