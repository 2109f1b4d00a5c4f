"""A room as its person sees it in a list: who they are there, how it stands, and the one next thing to do."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.urls import reverse
from django.utils import timezone

from accounts.models import Person
from rooms.live.lifecycle import Phase
from rooms.models import Room, Seat
from rooms.next_steps import rooms_owing
from rooms.permissions import may_cancel
from rooms.roles import PEOPLE, Role
from rooms.selectors import rooms_of

SOON = timedelta(minutes=15)
"""From so long before its start a room counts as something to do now."""
MOST_ROOMS = 200


@dataclass(frozen=True, slots=True)
class Card:
    """One room in somebody's list. Holds nothing about the other side but their mask."""

    room_id: uuid.UUID
    title: str
    role: str
    mask: str
    other_mask: str
    other_joined: bool
    starts_at: datetime
    length_minutes: int
    language: str
    badge: str
    tone: str
    action: str
    action_url: str
    more: tuple[tuple[str, str], ...] = ()
    can_cancel: bool = False


@dataclass(slots=True)
class Shelves:
    """A person's rooms, sorted by what there is to do."""

    now: list[Card] = field(default_factory=list)
    upcoming: list[Card] = field(default_factory=list)
    waiting: list[Card] = field(default_factory=list)
    done: list[Card] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.now or self.upcoming or self.waiting or self.done)


def shelves_of(person: Person) -> Shelves:
    """All rooms of this person on their shelves, each with one next action."""
    rooms = list(rooms_of(person)[:MOST_ROOMS])
    owing = rooms_owing(person.pk, [room.pk for room in rooms if room.phase == Phase.FEEDBACK])
    shelves = Shelves()
    now = timezone.now()
    for room in rooms:
        seats = {Role(seat.role): seat for seat in room.seats.all()}
        mine = next(seat for seat in seats.values() if seat.person_id == person.pk)
        other = next(seats[role] for role in PEOPLE if seats[role] is not mine)
        _put(shelves, room, mine, other, owes=room.pk in owing, now=now)
    shelves.upcoming.sort(key=lambda card: card.starts_at)
    return shelves


def _put(shelves: Shelves, room: Room, mine: Seat, other: Seat, *, owes: bool, now: datetime) -> None:
    phase = Phase(room.phase)
    lobby, feedback, transcript = (
        reverse(name, args=[room.pk]) for name in ("rooms:lobby", "feedback:feedback", "rooms:transcript")
    )
    invite = (("Invitation link", reverse("rooms:ready", args=[room.pk])),)
    more: tuple[tuple[str, str], ...] = ()
    if phase.is_open:
        if phase in (Phase.LIVE, Phase.WRAP_UP):
            shelf, badge, tone = shelves.now, "Live", "live"
            action, url = "Back to the room", reverse("rooms:room", args=[room.pk])
        else:
            soon = phase is Phase.LOBBY or room.starts_at <= now + SOON
            shelf, badge, tone = (
                (shelves.now, "Ready", "live") if soon else (shelves.upcoming, "Planned", "calm")
            )
            action, url = "Enter the lobby", lobby
        if other.person_id is None and room.created_by_id == mine.person_id:
            more = invite
    elif phase is Phase.FEEDBACK and owes:
        shelf, badge, tone = shelves.waiting, "Feedback due", "warn"
        action, url, more = "Give feedback", feedback, (("Transcript", transcript),)
    elif phase is Phase.FEEDBACK:
        shelf, badge, tone = shelves.done, "Sealed", "calm"
        action, url, more = "Transcript", transcript, (("Your feedback", feedback),)
    elif phase in (Phase.REVEALED, Phase.LAPSED):
        badge, tone = ("Revealed", "good") if phase is Phase.REVEALED else ("Closed", "calm")
        shelf, action, url = shelves.done, "Read feedback", feedback
        more = (("Transcript", transcript),)
    else:
        shelf, badge, tone = shelves.done, "Cancelled" if phase is Phase.CANCELLED else "Nobody came", "calm"
        action, url = "Open a new room", reverse("rooms:new")
    shelf.append(
        Card(
            room_id=room.pk,
            title=room.title,
            role=Role(mine.role).word,
            mask=mine.mask,
            other_mask=other.mask,
            other_joined=other.person_id is not None,
            starts_at=room.starts_at,
            length_minutes=room.length_minutes,
            language=room.get_language_display(),
            badge=badge,
            tone=tone,
            action=action,
            action_url=url,
            more=more,
            can_cancel=may_cancel(mine),
        )
    )
