"""The transcript of one room for one of its two people: the timeline, and what apps above rooms add to it.

Rooms knows no feedback. An app that has something to add registers a contributor when Django starts:

    contribute(scope="feedback:read_revealed", contributor=reviews)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from anteroom.errors import NotAllowed
from rooms.errors import NotNow
from rooms.live.lifecycle import Phase
from rooms.log import entries
from rooms.models import Room, Seat
from rooms.permissions import may_read_transcript
from rooms.roles import PEOPLE, Role
from rooms.timeline import Item, PhaseReached, opening_language, transcript

Value = bool | int | str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a review: `value` as it was given, `words` as a person reads it."""

    name: str
    label: str
    value: Value
    words: str


class Addition(NamedTuple):
    """What a contributor returns: one side's answers. Never an identity: masks and roles only."""

    seat: Role
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Review(Item):
    """One side's feedback, in the place where it was revealed."""

    seat: Role
    answers: tuple[Answer, ...]
    kind = "review"


@dataclass(frozen=True, slots=True)
class Transcript:
    """Everything in order, for the person on `seat`."""

    room: Room
    seat: Seat
    seats: tuple[Seat, ...]
    items: tuple[Item, ...]


Contributor = Callable[[Seat], Iterable[Addition]]
"""What the reader on this seat may read now; it guards its own secrets."""

_contributors: dict[Contributor, str] = {}


def contribute(*, scope: str, contributor: Contributor) -> None:
    """Add to every transcript whose reader has this scope. Registering twice counts once."""
    _contributors[contributor] = scope


def transcript_for(seat: Seat, *, may: Callable[[str], bool]) -> Transcript:
    """The transcript of this seat's room, as its person may read it.

    may: whether the reader has a scope. Raises NotAllowed for an observer, NotNow before the interview ended.
    """
    room = seat.room
    if not may_read_transcript(seat):
        if seat.role not in PEOPLE:
            raise NotAllowed("The transcript is for the two people of the interview.")
        raise NotNow("The transcript is here once the interview has ended.")
    log = entries(room.pk)
    items = transcript(log, language=opening_language(log, room.language))
    added = [
        addition
        for contributor, scope in _contributors.items()
        if may(scope)
        for addition in contributor(seat)
    ]
    return Transcript(room, seat, tuple(room.seats.order_by("role")), tuple(_place(items, added)))


def _place(items: list[Item], added: list[Addition]) -> list[Item]:
    """Reviews stand right behind the reveal; the log alone says when that was."""
    ends = (Phase.REVEALED.value, Phase.LAPSED.value)
    behind = next(
        (
            place
            for place in range(len(items), 0, -1)
            if isinstance(item := items[place - 1], PhaseReached) and item.phase in ends
        ),
        len(items),
    )
    at = items[behind - 1] if items else None
    reviews = [
        Review(at.seq if at else 0, at.at_ms if at else 0, addition.seat, addition.answers)
        for addition in added
    ]
    return [*items[:behind], *reviews, *items[behind:]]
