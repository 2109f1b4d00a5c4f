"""Moving a room from any process: a view, a task, another app."""

from __future__ import annotations

import logging
import uuid

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import IntegrityError, transaction

from rooms import log
from rooms.errors import NotNow
from rooms.live.entry import write_event
from rooms.live.lifecycle import MOVES, Phase
from rooms.models import Room
from rooms.roles import Role
from rooms.signals import room_moved
from rooms.streams import Stream
from rooms.wakeups import group_of, has_grown

logger = logging.getLogger(__name__)

ATTEMPTS = 20
"""A room that is alive takes a place in its log now and then between our look and our write."""


def move_room(*, room_id: uuid.UUID, to: Phase) -> bool:
    """Bring a room to another phase, as the room itself; False when it is there already.

    Writes the log and the room's row in one transaction; after its commit `room_moved` is sent and processes
    in which the room is alive are woken. Raises NotNow when no room goes from its phase to that one, and
    Room.DoesNotExist.
    """
    for attempt in range(ATTEMPTS):
        try:
            return _move(room_id, to)
        except IntegrityError:
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError


def _move(room_id: uuid.UUID, to: Phase) -> bool:
    with transaction.atomic():
        # NO KEY: entries refer to the room and their writers must not wait.
        room = Room.objects.select_for_update(no_key=True).get(id=room_id)
        now = Phase(room.phase)
        if now is to:
            return False
        if (now, to) not in MOVES:
            raise NotNow
        entry = log.append(
            room=room, role=Role.ROOM, stream=Stream.LIFECYCLE, payload=write_event("Move", phase=to.value)
        )
        room.refresh_from_db()
        transaction.on_commit(lambda: _announce(room, to, entry.seq))
    return True


def _announce(room: Room, to: Phase, seq: int) -> None:
    room_moved.send(sender=Room, room=room, phase=to)
    layer = get_channel_layer()
    if layer is None:
        return
    try:
        async_to_sync(layer.group_send)(group_of(room.id), has_grown(room.id, seq))
    except Exception:
        logger.warning("no wake-up went out; processes find the entry by looking", exc_info=True)
