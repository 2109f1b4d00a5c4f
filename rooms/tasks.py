"""What happens to rooms that no process keeps alive: time passes there too."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from celery import shared_task
from django.utils import timezone

from rooms.errors import NotNow
from rooms.live.lifecycle import WRAP_UP_MS, Phase
from rooms.models import LogEntry, Room
from rooms.phases import move_room

logger = logging.getLogger(__name__)

GRACE = timedelta(seconds=30)
"""A process in which the room is alive moves it itself, to the second; the scan comes after it."""
NOBODY_CAME_AFTER = timedelta(hours=24)
"""After the planned start. Links live for days, and people are late; nobody is kept waiting by this."""


@shared_task(name="rooms.tasks.scan", ignore_result=True)
def scan() -> None:
    """Move on every room whose time has passed while nobody was in it."""
    now = timezone.now()
    for room in Room.objects.open():
        to = _due(room, now)
        try:
            if to and move_room(room_id=room.id, to=to):
                logger.info("a room moved to %s: its time had passed", to.value)
        except NotNow:
            continue  # somebody moved it meanwhile


def _due(room: Room, now: datetime) -> Phase | None:
    last = _last_entry(room)
    match Phase(room.phase):
        case Phase.SCHEDULED if now > room.starts_at + NOBODY_CAME_AFTER:
            return Phase.NO_SHOW
        case Phase.LOBBY if now > max(room.starts_at, last or room.starts_at) + NOBODY_CAME_AFTER:
            return Phase.NO_SHOW
        case Phase.LIVE if room.ends_at and now > room.ends_at + GRACE:
            return Phase.WRAP_UP
        case Phase.WRAP_UP if last and now > last + timedelta(milliseconds=WRAP_UP_MS) + GRACE:
            return Phase.FEEDBACK
    return None


def _last_entry(room: Room) -> datetime | None:
    """When something last happened in the room; in a room still written to, its process keeps the time."""
    at_ms = LogEntry.objects.filter(room=room).order_by("-seq").values_list("at_ms", flat=True).first()
    if room.opened_at is None or at_ms is None:
        return None
    return room.opened_at + timedelta(milliseconds=at_ms)
