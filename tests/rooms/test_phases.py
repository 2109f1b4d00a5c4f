"""Rooms that move without anybody's socket: from a view, a task, another app."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from rooms import log
from rooms.errors import NotNow
from rooms.live.entry import write_event
from rooms.live.lifecycle import Phase
from rooms.models import LogEntry, Room
from rooms.phases import move_room
from rooms.roles import Role
from rooms.signals import room_moved
from rooms.streams import Stream
from rooms.tasks import NOBODY_CAME_AFTER, scan
from tests.rooms.people import make_pair

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)


def room_in(phase: Phase, **fields: Any) -> Room:
    """A room in this phase with the log that says so."""
    now = timezone.now()
    room = Room.objects.get(id=make_pair(**{"opened_at": now - HOUR, **fields}).room_id)
    steps = {
        Phase.SCHEDULED: [], Phase.LOBBY: [Phase.LOBBY], Phase.LIVE: [Phase.LOBBY, Phase.LIVE],
        Phase.WRAP_UP: [Phase.LOBBY, Phase.LIVE, Phase.WRAP_UP],
        Phase.FEEDBACK: [Phase.LOBBY, Phase.LIVE, Phase.WRAP_UP, Phase.FEEDBACK],
    }[phase]  # fmt: skip
    for seq, step in enumerate(steps, 1):
        LogEntry.objects.create(
            room=room, seq=seq, at_ms=seq * 1_000, role=Role.ROOM, stream=Stream.LIFECYCLE,
            payload=write_event("Move", phase=step.value),
        )  # fmt: skip
    Room.objects.filter(id=room.id).update(phase=phase.value)
    room.refresh_from_db()
    return room


def test_a_move_writes_log_and_row_together_and_tells_after_the_commit() -> None:
    room = room_in(Phase.FEEDBACK)
    told: list[tuple[uuid.UUID, Phase, bool]] = []

    def listen(sender: object, room: Room, phase: Phase, **_: object) -> None:
        told.append((room.id, phase, connection.in_atomic_block))

    room_moved.connect(listen)
    try:
        assert move_room(room_id=room.id, to=Phase.REVEALED) is True
        assert move_room(room_id=room.id, to=Phase.REVEALED) is False
    finally:
        room_moved.disconnect(listen)
    assert told == [(room.id, Phase.REVEALED, False)]
    room.refresh_from_db()
    last = log.entries(room.id)[-1]
    assert (room.phase, last.event["phase"], last.role, last.seq) == ("revealed", "revealed", Role.ROOM, 5)
    assert last.at_ms >= HOUR // timedelta(milliseconds=1)


def test_a_move_that_is_rolled_back_never_happened() -> None:
    room = room_in(Phase.FEEDBACK)
    with pytest.raises(RuntimeError), transaction.atomic():
        move_room(room_id=room.id, to=Phase.REVEALED)
        raise RuntimeError
    room.refresh_from_db()
    assert (room.phase, len(log.entries(room.id))) == ("feedback", 4)


def test_no_room_takes_a_way_that_is_not_in_the_table() -> None:
    room = room_in(Phase.LOBBY)
    with pytest.raises(NotNow):
        move_room(room_id=room.id, to=Phase.REVEALED)
    with pytest.raises(Room.DoesNotExist):
        move_room(room_id=uuid.uuid4(), to=Phase.REVEALED)


def test_a_room_nobody_entered_can_be_called_off() -> None:
    room = room_in(Phase.SCHEDULED, opened_at=None)
    assert move_room(room_id=room.id, to=Phase.CANCELLED)
    (entry,) = log.entries(room.id)
    assert (entry.seq, entry.at_ms) == (1, 0)


def test_many_at_once_move_a_room_once() -> None:
    room = room_in(Phase.FEEDBACK)
    moved: list[bool] = []
    barrier = threading.Barrier(6)

    def move() -> None:
        barrier.wait()
        try:
            moved.append(move_room(room_id=room.id, to=Phase.LAPSED))
        finally:
            connection.close()

    threads = [threading.Thread(target=move) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(moved) == [False] * 5 + [True]
    assert [entry.seq for entry in log.entries(room.id)] == [1, 2, 3, 4, 5]


def test_a_place_in_the_log_is_given_once() -> None:
    room = room_in(Phase.LOBBY)
    LogEntry.objects.create(
        room=room, seq=2, at_ms=2_000, role=1, stream=Stream.PRESENCE, payload=b'{"kind":"Came"}'
    )
    seen: list[int] = []
    real = log.LogEntry.objects.filter

    def look_away(*args: Any, **kwargs: Any) -> Any:
        """Another process takes the place between our look and our write, once."""
        found = real(*args, **kwargs)
        if not seen:
            seen.append(1)
            return found.filter(seq__lt=2)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log.LogEntry.objects, "filter", look_away)
        assert move_room(room_id=room.id, to=Phase.CANCELLED)
    assert [entry.seq for entry in log.entries(room.id)] == [1, 2, 3]


def test_the_scan_moves_what_time_has_passed_by() -> None:
    now = timezone.now()
    rooms = {
        "nobody came": room_in(Phase.SCHEDULED, opened_at=None, starts_at=now - NOBODY_CAME_AFTER - HOUR),
        "still to come": room_in(Phase.SCHEDULED, opened_at=None, starts_at=now - HOUR),
        "waited in vain": room_in(
            Phase.LOBBY, starts_at=now - NOBODY_CAME_AFTER - HOUR, opened_at=now - NOBODY_CAME_AFTER - HOUR
        ),
        "in the lobby": room_in(Phase.LOBBY, starts_at=now - HOUR),
        "time is up": room_in(Phase.LIVE, live_at=now - HOUR - timedelta(minutes=1)),
        "under way": room_in(Phase.LIVE, live_at=now - HOUR / 2),
        "long goodbye": room_in(Phase.WRAP_UP),
        "just saying goodbye": room_in(Phase.WRAP_UP, opened_at=now - timedelta(minutes=1)),
        "over": room_in(Phase.FEEDBACK),
    }
    scan()
    scan()
    phases = {}
    for name, room in rooms.items():
        room.refresh_from_db()
        phases[name] = room.phase
    assert phases == {
        "nobody came": "no_show",
        "still to come": "scheduled",
        "waited in vain": "no_show",
        "in the lobby": "lobby",
        "time is up": "wrap_up",
        "under way": "live",
        "long goodbye": "feedback",
        "just saying goodbye": "wrap_up",
        "over": "feedback",
    }
    assert rooms["long goodbye"].ended_at is not None
