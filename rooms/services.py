"""What people do with rooms as a whole: open one, invite into it, take a seat, call it off."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from accounts.links import hash_of
from accounts.models import Person
from accounts.services import make_guest
from anteroom.errors import NotAllowed
from rooms.errors import NotNow
from rooms.invitations import fresh_salt, link_of, secret_of
from rooms.live.lifecycle import Phase
from rooms.masks import fresh_masks
from rooms.models import DEFAULT_LENGTH_MINUTES, Invitation, Room, Seat
from rooms.permissions import may_cancel, may_invite
from rooms.phases import move_room
from rooms.roles import PEOPLE, Role
from rooms.selectors import offered_seat, seat_in

INVITATION_VALID = timedelta(days=7)
KEEP_AFTER_START = timedelta(days=1)
"""An invitation to a room that is planned further ahead lives until a day after its start."""


@transaction.atomic
def open_room(
    *,
    person: Person,
    title: str,
    role: Role,
    language: str,
    starts_at: datetime | None = None,
    length_minutes: int = DEFAULT_LENGTH_MINUTES,
) -> Room:
    """A room with two seats under fresh masks; `person` sits on the one of `role`.

    starts_at: None means now. The free seat waits for whoever brings its invitation.
    """
    if role not in PEOPLE:
        raise ValueError(f"nobody can open a room as {role.word}")
    now = timezone.now()
    room = Room.objects.create(
        title=title,
        language=language,
        starts_at=starts_at or now,
        length_minutes=length_minutes,
        created_by=person,
    )
    for each, mask in zip(PEOPLE, fresh_masks(len(PEOPLE)), strict=True):
        mine = each is role
        Seat.objects.create(
            room=room, role=each, mask=mask, person=person if mine else None, taken_at=now if mine else None
        )
    return room


@transaction.atomic
def invite(*, room: Room, person: Person) -> str:
    """A fresh full URL for the free seat; the one given out before stops working.

    Raises NoSuchRoom for a stranger, NotAllowed when the other side opened the room, NotNow when the seat is
    taken or the room is over.
    """
    mine = seat_in(room_id=room.pk, person=person)
    if room.created_by_id != mine.person_id:
        raise NotAllowed("Only who opened the room can make links for it.")
    if not may_invite(mine):
        raise NotNow("The room is over, so nobody can be invited any more.")
    free = Seat.objects.select_for_update().filter(room=room, role__in=PEOPLE, person=None).first()
    if free is None:
        raise NotNow("Both seats are taken already.")
    salt = fresh_salt()
    secret = secret_of(salt)
    Invitation.objects.update_or_create(
        seat=free,
        defaults={
            "salt": salt,
            "secret_hash": hash_of(secret),
            "expires_at": max(timezone.now() + INVITATION_VALID, room.starts_at + KEEP_AFTER_START),
            "used_at": None,
        },
    )
    return link_of(secret)


@transaction.atomic
def take_seat(*, secret: str, person: Person) -> Seat:
    """Sit down on the seat this invitation is for, and use it up.

    Of any number of simultaneous calls exactly one succeeds: the seat's row is locked before anything is
    decided. Raises as offered_seat does; a refusal leaves the link as it was.
    """
    wanted = Invitation.objects.filter(secret_hash=hash_of(secret)).values_list("seat_id", flat=True).first()
    if wanted is not None:
        Seat.objects.select_for_update().get(pk=wanted)
    seat = offered_seat(secret=secret, person=person)
    if seat.person_id:
        return seat
    seat.person, seat.taken_at = person, timezone.now()
    seat.save(update_fields=["person", "taken_at"])
    Invitation.objects.filter(seat=seat).update(used_at=seat.taken_at)
    return seat


@transaction.atomic
def take_seat_as_guest(*, secret: str) -> Seat:
    """Sit down without an account. A refusal leaves no guest behind. Raises as take_seat does."""
    return take_seat(secret=secret, person=make_guest())


def cancel_room(*, room_id: uuid.UUID, person: Person) -> None:
    """Call the interview off before it begins; its link stops working with it.

    Raises NoSuchRoom for a stranger, NotNow once it has begun or is over.
    """
    seat = seat_in(room_id=room_id, person=person)
    if not may_cancel(seat):
        raise NotNow("Only an interview that has not begun can be cancelled.")
    move_room(room_id=room_id, to=Phase.CANCELLED)
