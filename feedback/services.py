"""The verbs of an exchange: open it, draft, assess, submit, close, unmask.

Locks, always in this order: one's own seat, then the exchange, then the room. Drafts and the self-assessment
take only one's own seat, and the exchange is locked without its key, so nothing a side does before it submits
ever waits for the other side: not even the time an answer takes tells whether the other has submitted.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from feedback import seal, selectors
from feedback.errors import AlreadySubmitted, AlreadyUnmasked, AssessFirst, NotOpen, TooLate, UnmaskClosed
from feedback.forms import (
    CandidateForm,
    Form,
    InterviewerForm,
    SelfAssessmentForm,
    pack,
    public_answers,
    unpack,
)
from feedback.models import (
    ANSWER_TIME,
    REMINDERS,
    UNMASK_TIME,
    CandidateReview,
    Draft,
    Exchange,
    InterviewerReview,
    ModeratorNote,
    Notice,
    SelfAssessment,
    Submission,
    UnmaskChoice,
    other_side,
)
from rooms.live.lifecycle import Phase
from rooms.models import Room, Seat
from rooms.phases import move_room
from rooms.roles import PEOPLE, Role

MOVE_ATTEMPTS = 20


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """What one person shows when both unmask; an empty field is not shown."""

    name: str = ""
    email: str = ""
    profile_url: str = ""
    message: str = ""


def open_exchange(*, room_id: UUID, now: datetime | None = None) -> Exchange:
    """The exchange of a room whose interview has ended, made with deadline and reminders if there is none.

    Raises NotOpen while the interview goes on, or if it never took place.
    """
    now = now or timezone.now()
    found = Exchange.objects.filter(room_id=room_id).first()
    if found:
        return found
    with transaction.atomic():
        if not Room.objects.filter(pk=room_id, phase=Phase.FEEDBACK.value).exists():
            raise NotOpen
        exchange, is_new = Exchange.objects.get_or_create(
            room_id=room_id, defaults={"opened_at": now, "deadline_at": now + ANSWER_TIME}
        )
        if is_new:
            Notice.objects.bulk_create(
                Notice(exchange=exchange, role=role, kind=kind, due_at=now + after)
                for role in PEOPLE
                for kind, after in REMINDERS.items()
            )
    return exchange


def open_missing(*, now: datetime | None = None) -> int:
    """Open the exchanges that a lost signal left unopened; returns how many."""
    lacking = Room.objects.filter(phase=Phase.FEEDBACK.value, exchange=None).values_list("pk", flat=True)
    for room_id in lacking:
        open_exchange(room_id=room_id, now=now)
    return len(lacking)


def save_draft(*, seat: Seat, answers: dict[str, Any], now: datetime | None = None) -> datetime:
    """Keep what this side has typed so far; returns when it was saved.

    answers: some of the form's fields, already checked. Raises NotOpen, AlreadySubmitted, TooLate.
    """
    now = now or timezone.now()
    with transaction.atomic():
        _hold_seat(seat)
        exchange = _answerable(_exchange(seat), seat, now)
        Draft.objects.update_or_create(
            exchange=exchange, role=seat.role, defaults={"answers": answers, "saved_at": now}
        )
    return now


def assess_self(*, seat: Seat, form: SelfAssessmentForm, now: datetime | None = None) -> None:
    """Keep the candidate's private part; it may change until the rest is submitted.

    Raises NotOpen (also for any other seat), AlreadySubmitted, TooLate.
    """
    now = now or timezone.now()
    if seat.role != Role.CANDIDATE:
        raise NotOpen
    with transaction.atomic():
        _hold_seat(seat)
        exchange = _answerable(_exchange(seat), seat, now)
        SelfAssessment.objects.update_or_create(
            exchange=exchange, defaults={**dataclasses.asdict(form), "assessed_at": now}
        )


def submit(*, seat: Seat, form: Form, now: datetime | None = None) -> None:
    """Seal this side's answers for good; if the other side's are there, reveal both in the same transaction.

    Raises NotOpen, AlreadySubmitted, TooLate, AssessFirst (a candidate before the private part).
    """
    now = now or timezone.now()
    with transaction.atomic():
        _hold_seat(seat)
        exchange = _answerable(_lock(_exchange(seat)), seat, now)
        if seat.role == Role.CANDIDATE and not SelfAssessment.objects.filter(exchange=exchange).exists():
            raise AssessFirst
        Submission.objects.create(exchange=exchange, role=seat.role, answers=pack(form), submitted_at=now)
        Draft.objects.filter(exchange=exchange, role=seat.role).delete()
        Notice.objects.filter(exchange=exchange, role=seat.role, sent_at=None).delete()
        _close_if_open(exchange, now)


def close_if_due(*, room_id: UUID, now: datetime | None = None) -> bool:
    """Close the room's exchange if its deadline has passed; whether it was closed by this call."""
    now = now or timezone.now()
    due = Exchange.objects.overdue(now).filter(room_id=room_id).first()
    if due is None:
        return False
    with transaction.atomic():
        return _close_if_open(_lock(due), now)


def release_due(*, now: datetime | None = None) -> int:
    """Close every exchange whose deadline has passed, each in its own transaction; returns how many."""
    now = now or timezone.now()
    rooms = list(Exchange.objects.overdue(now).values_list("room_id", flat=True))
    return sum(close_if_due(room_id=room_id, now=now) for room_id in rooms)


def choose_unmask(*, seat: Seat, identity: Identity, now: datetime | None = None) -> bool:
    """Say yes to unmasking and to showing exactly this; whether both have now said yes.

    A yes may be changed or withdrawn until then. Raises UnmaskClosed, AlreadyUnmasked.
    """
    now = now or timezone.now()
    with transaction.atomic():
        exchange = _unmaskable(_lock(_exchange(seat)), now)
        UnmaskChoice.objects.update_or_create(
            exchange=exchange, role=seat.role, defaults={**dataclasses.asdict(identity), "chosen_at": now}
        )
        sides = set(UnmaskChoice.objects.filter(exchange=exchange).values_list("role", flat=True))
        if sides != set(PEOPLE):
            return False
        exchange.unmasked_at = now
        exchange.save(update_fields=["unmasked_at"])
    return True


def withdraw_unmask(*, seat: Seat, now: datetime | None = None) -> None:
    """Take a yes back without a trace. Raises UnmaskClosed, AlreadyUnmasked."""
    now = now or timezone.now()
    with transaction.atomic():
        exchange = _unmaskable(_lock(_exchange(seat)), now)
        UnmaskChoice.objects.filter(exchange=exchange, role=seat.role).delete()


def forget(*, now: datetime | None = None) -> None:
    """Delete what has served: a draft that crossed a closing, a yes that met no other in time."""
    now = now or timezone.now()
    Draft.objects.exclude(exchange__in=Exchange.objects.unclosed()).delete()
    UnmaskChoice.objects.filter(
        exchange__unmasked_at=None, exchange__revealed_at__lte=now - UNMASK_TIME
    ).delete()


# --- inside -------------------------------------------------------------------------------------------


def _exchange(seat: Seat) -> Exchange:
    exchange = Exchange.objects.filter(room_id=seat.room_id).first()
    if exchange is None or seat.role not in PEOPLE:
        raise NotOpen
    return exchange


def _hold_seat(seat: Seat) -> None:
    """Make this side's own requests wait for each other: two tabs, an autosave and a submission."""
    Seat.objects.select_for_update(no_key=True).get(pk=seat.pk)


def _lock(exchange: Exchange) -> Exchange:
    """The exchange as it is now, ours until the transaction ends.

    Without its key: rows that point to it (the other side's draft) can be written meanwhile.
    """
    return Exchange.objects.select_for_update(no_key=True).get(pk=exchange.pk)


def _answerable(exchange: Exchange, seat: Seat, now: datetime) -> Exchange:
    if Submission.objects.filter(exchange=exchange, role=seat.role).exists():
        raise AlreadySubmitted
    if exchange.is_closed or now >= exchange.deadline_at:
        raise TooLate
    return exchange


def _unmaskable(exchange: Exchange, now: datetime) -> Exchange:
    if exchange.unmasked_at is not None:
        raise AlreadyUnmasked
    if exchange.unmask_until is None or now >= exchange.unmask_until or not selectors.wish_to_meet(exchange):
        raise UnmaskClosed
    return exchange


def _close_if_open(exchange: Exchange, now: datetime) -> bool:
    """Release what was submitted if the seal may be broken: the one way to a review, for both paths.

    exchange: locked. Both submitted: revealed. Otherwise the deadline has come: lapsed, and what one side
    submitted goes to its addressee. Returns whether this call closed it.
    """
    submissions = list(Submission.objects.filter(exchange=exchange))
    sides = {Role(each.role) for each in submissions}
    if exchange.is_closed or not seal.is_open(sides, exchange.deadline_at, now):
        return False
    for submission in submissions:
        _write_review(exchange, unpack(Role(submission.role), bytes(submission.answers)))
    is_mutual = sides == set(PEOPLE)
    if is_mutual:
        exchange.revealed_at = now
    else:
        exchange.lapsed_at = now
    exchange.save(update_fields=["revealed_at", "lapsed_at"])
    Draft.objects.filter(exchange=exchange).delete()
    Notice.objects.filter(exchange=exchange, sent_at=None).delete()
    Notice.objects.bulk_create(
        Notice(exchange=exchange, role=other_side(side), kind=Notice.Kind.READY, due_at=now) for side in sides
    )
    _move_room(exchange.room_id, Phase.REVEALED if is_mutual else Phase.LAPSED)
    return True


def _move_room(room_id: UUID, to: Phase) -> None:
    """Move the room in this transaction; again if a process logs at this moment that somebody left."""
    for attempt in range(MOVE_ATTEMPTS):
        try:
            move_room(room_id=room_id, to=to)
            return
        except IntegrityError:  # move_room has undone its own part
            if attempt == MOVE_ATTEMPTS - 1:
                raise


def _write_review(exchange: Exchange, form: Form) -> None:
    answers = public_answers(form)
    match form:
        case InterviewerForm():
            InterviewerReview.objects.create(exchange=exchange, **answers)
            if form.note:
                ModeratorNote.objects.create(exchange=exchange, text=form.note)
        case CandidateForm():
            CandidateReview.objects.create(exchange=exchange, **answers)
