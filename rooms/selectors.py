"""Reads that guard something: whose room it is."""

from __future__ import annotations

import uuid

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from django.utils import timezone

from accounts.links import hash_of
from rooms.errors import InvitationSpent, NoSuchRoom, SeatTaken
from rooms.invitations import link_of, secret_behind
from rooms.models import Invitation, Room, Seat
from rooms.permissions import may_enter, may_invite

Anyone = AbstractBaseUser | AnonymousUser


def seat_in(*, room_id: uuid.UUID | str, person: Anyone) -> Seat:
    """The seat this person has in this room, its room with it.

    Raises NoSuchRoom when there is no such room and when it is other people's: the two look alike.
    """
    if not person.is_authenticated:
        raise NoSuchRoom
    try:
        wanted = uuid.UUID(str(room_id))
    except ValueError:
        raise NoSuchRoom from None
    seat = Seat.objects.select_related("room").filter(room_id=wanted, person_id=person.pk).first()
    if seat is None:
        raise NoSuchRoom
    return seat


def rooms_of(person: Anyone) -> QuerySet[Room]:
    """The rooms in which this person has a seat, the latest first, their seats fetched along."""
    if not person.is_authenticated:
        return Room.objects.none()
    return Room.objects.seen_by(person).prefetch_related("seats").order_by("-starts_at", "-created_at")


def waiting_invitation(seat: Seat) -> tuple[str, Invitation] | None:
    """The link for the other seat and its row, for who opened the room, while it can be used; else None."""
    if not may_invite(seat):
        return None
    invitation = Invitation.objects.filter(
        seat__room_id=seat.room_id, seat__person=None, used_at=None, expires_at__gt=timezone.now()
    ).first()
    secret = secret_behind(invitation) if invitation else None
    return (link_of(secret), invitation) if invitation and secret else None


def offered_seat(*, secret: str, person: Anyone) -> Seat:
    """The seat that an invitation offers this person, its room with it; uses nothing up.

    Whoever used the link gets their own seat again.
    Raises InvitationSpent (used, expired, unknown, room over: all alike), SeatTaken (this person sits in the
    room already, so the link is for somebody else and stays fresh).
    """
    found = Invitation.objects.select_related("seat__room").filter(secret_hash=hash_of(secret)).first()
    if found is None:
        raise InvitationSpent
    seat = found.seat
    if found.used_at and person.is_authenticated and seat.person_id == person.pk:
        return seat
    if found.used_at or seat.person_id or found.expires_at <= timezone.now() or not may_enter(seat):
        raise InvitationSpent
    if person.is_authenticated and Seat.objects.filter(room=seat.room, person_id=person.pk).exists():
        raise SeatTaken
    return seat
