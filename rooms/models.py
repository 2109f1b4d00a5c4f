"""Rooms, their seats, the links to the seats, and the log of what happened."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from rooms.live.languages import LANGUAGES
from rooms.live.lifecycle import Phase
from rooms.roles import Role

DEFAULT_LENGTH_MINUTES = 60


class RoomQuerySet(models.QuerySet["Room"]):
    def seen_by(self, person: object) -> Self:
        """Rooms in which this person has a seat."""
        return self.filter(seats__person=person).distinct()

    def open(self) -> Self:
        """Rooms that people can still enter."""
        return self.filter(phase__in=[phase.value for phase in Phase if phase.is_open])


class Room(models.Model):
    """One interview. Its clock starts when the first person enters; the log counts from there."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    title = models.CharField(max_length=120)
    language = models.CharField(max_length=16, choices=[(each.key, each.name) for each in LANGUAGES])
    phase = models.CharField(
        max_length=16, choices=[(each.value, each.label) for each in Phase], default=Phase.SCHEDULED.value
    )
    starts_at = models.DateTimeField(default=timezone.now)
    length_minutes = models.PositiveSmallIntegerField(default=DEFAULT_LENGTH_MINUTES)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    opened_at = models.DateTimeField(null=True, blank=True, help_text="Zero of the room's clock.")
    live_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True, help_text="When feedback opened.")

    objects = RoomQuerySet.as_manager()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(phase__in=[each.value for each in Phase]), name="room_phase_is_known"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def ends_at(self) -> datetime | None:
        """When the time is up; None before the interview began."""
        return self.live_at + timedelta(minutes=self.length_minutes) if self.live_at else None


class Seat(models.Model):
    """One side of a room and the mask worn there: fresh in every room."""

    room = models.ForeignKey(Room, on_delete=models.CASCADE, related_name="seats")
    role = models.PositiveSmallIntegerField(choices=[(role.value, role.word) for role in Role if role])
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="seats"
    )
    mask = models.CharField(max_length=40)
    taken_at = models.DateTimeField(null=True, blank=True)
    recording_consent = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["room", "role"], condition=~Q(role=Role.OBSERVER), name="one_seat_of_a_role_in_a_room"
            ),
            models.UniqueConstraint(fields=["room", "person"], name="one_seat_of_a_person_in_a_room"),
            models.UniqueConstraint(fields=["room", "mask"], name="masks_differ_in_a_room"),
        ]

    def __str__(self) -> str:
        return f"{self.mask} ({Role(self.role).word})"


class Invitation(models.Model):
    """A link bound to one seat, used once, expiring.

    Its secret is kept nowhere: it is made of `salt` and the installation's key (rooms/invitations.py). So who
    opened the room can be shown the link again, while a copy of the database shows it to nobody.
    """

    seat = models.OneToOneField(Seat, on_delete=models.CASCADE, related_name="invitation")
    salt = models.BinaryField(max_length=16, editable=False)
    secret_hash = models.BinaryField(max_length=32, unique=True, editable=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"invitation for the {Role(self.seat.role).word}"


class LogEntry(models.Model):
    """One thing that happened: append-only, ordered by seq within the room, without gaps from 1.

    `payload` is the body of the wire message of that `kind` (for code: the Yjs update itself).
    rooms/log.py is the only writer.
    """

    pk = models.CompositePrimaryKey("room_id", "seq")
    # Postgres would look up and lock the room's row for every keystroke, which took as long as writing it.
    room = models.ForeignKey(
        Room, on_delete=models.CASCADE, related_name="log", db_index=False, db_constraint=False
    )
    seq = models.PositiveIntegerField()
    at_ms = models.PositiveBigIntegerField(help_text="Milliseconds of the room's clock.")
    role = models.PositiveSmallIntegerField(help_text="Whose doing: rooms/roles.py.")
    stream = models.PositiveSmallIntegerField(help_text="rooms/streams.py.")
    payload = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.seq} at {self.at_ms} ms"


class Snapshot(models.Model):
    """A room as its log tells it up to `seq`: what opening it starts from. rooms/live/snapshot.py."""

    room = models.OneToOneField(Room, primary_key=True, on_delete=models.CASCADE, related_name="snapshot")
    seq = models.PositiveIntegerField()
    body = models.BinaryField()

    def __str__(self) -> str:
        return f"up to {self.seq}"
