"""`manage.py replay` types a recording into a room of the running site."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from django.contrib.sessions.models import Session

from anteroom.serving import CannotServe, Site
from rooms import log
from rooms.live.lifecycle import Phase
from rooms.live.room import Facts, LiveRoom
from rooms.models import Seat
from rooms.phases import move_room
from rooms.roles import Role
from rooms.traces import read_trace
from tests.rooms.people import make_pair

pytestmark = pytest.mark.slow  # starts servers of its own

TRACE = Path(__file__).resolve().parents[1] / "traces" / "friendsforever-start.json.gz"


def test_a_recording_ends_in_the_room_and_leaves_no_session(rooms_site: Site) -> None:
    pair = make_pair()
    before = Session.objects.count()
    said = rooms_site.command("replay", str(TRACE), "--room", str(pair.room_id), "--speed", "0")
    trace = read_trace(TRACE)
    assert f"{len(trace.end):,} characters" in said
    room = LiveRoom.replay(log.entries(pair.room_id), Facts("", "python", 0, 0, {}))
    assert (room.document.text, room.phase) == (trace.end, Phase.LIVE)
    assert Session.objects.count() == before


def test_what_stands_in_the_way_is_said(rooms_site: Site) -> None:
    pair, ended, half = make_pair(), make_pair(), make_pair()
    move_room(room_id=ended.room_id, to=Phase.CANCELLED)
    Seat.objects.filter(room_id=half.room_id, role=Role.CANDIDATE).update(person=None)
    for trace, room, sentence in (
        (TRACE, uuid.uuid4(), "There is no room"),
        (TRACE, ended.room_id, "The room has ended."),
        (TRACE, half.room_id, "A seat of the room is free"),
        (Path(__file__), pair.room_id, "is not an editing trace"),
        (Path("nowhere.json"), pair.room_id, "nowhere.json"),
    ):
        with pytest.raises(CannotServe, match=sentence):
            rooms_site.command("replay", str(trace), "--room", str(room))
