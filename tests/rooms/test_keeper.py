"""Rooms coming to life and leaving memory, time passing in them, and what the apps above are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
from channels.db import database_sync_to_async

from rooms import keeper as keeping
from rooms import log
from rooms.errors import Restarting
from rooms.keeper import Keeper
from rooms.live.lifecycle import Phase
from rooms.models import Room
from rooms.outbox import OUTBOX_BYTES, Socket
from rooms.passes import Pass, admit
from rooms.phases import move_room
from rooms.roles import Role
from rooms.signals import room_moved
from rooms.wire import (
    Awareness,
    Beat,
    Committed,
    Move,
    Moved,
    Said,
    Say,
    SyncStep1,
    Welcome,
    decode_from_server,
)
from tests.rooms.inbox import Inbox
from tests.rooms.people import Pair, make_pair

pytestmark = pytest.mark.django_db(transaction=True)

DEADLINE_S = 10.0


@pytest.fixture
async def keeper() -> AsyncIterator[Keeper]:
    keeper = Keeper(idle_room_s=0, beat_s=0.2)
    yield keeper
    await keeper.close()


async def permit_of(pair: Pair, role: Role) -> Pass:
    cookie = pair.candidate if role is Role.CANDIDATE else pair.interviewer
    name, _, value = cookie.partition("=")
    return await database_sync_to_async(admit)({name: value}, str(pair.room_id))


async def read_until(inbox: Inbox, kind: type) -> list[object]:
    """Everything that is sent, up to the first of this kind."""
    seen: list[object] = []
    async with asyncio.timeout(DEADLINE_S):
        while not any(isinstance(message, kind) for message in seen):
            frames = await inbox.take()
            assert frames, f"closed: {inbox.socket.closing}"
            seen += [decode_from_server(frame) for frame in frames]
    return seen


async def until(is_so: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not is_so():  # noqa: ASYNC110 - a state that sends no event
            await asyncio.sleep(0.01)


async def test_a_room_comes_to_life_and_leaves_memory(keeper: Keeper) -> None:
    pair = await database_sync_to_async(make_pair)()
    inbox = await Inbox.enter(keeper, await permit_of(pair, Role.CANDIDATE))
    seen = await read_until(inbox, SyncStep1)
    assert isinstance(seen[0], Welcome), "first of all"
    room = await Room.objects.aget(id=pair.room_id)
    assert room.phase == "lobby" and room.opened_at is not None
    assert list(keeper.rooms) == [pair.room_id]
    keeper.leave(inbox.held, inbox.socket)
    await until(lambda: not keeper.rooms)
    entries = await database_sync_to_async(log.entries)(pair.room_id)
    assert [entry.event["kind"] for entry in entries] == ["Move", "Came"]


async def test_two_who_enter_at_once_find_one_room(keeper: Keeper) -> None:
    pair = await database_sync_to_async(make_pair)()
    permits = [await permit_of(pair, role) for role in (Role.CANDIDATE, Role.INTERVIEWER)] * 3
    entered = await asyncio.gather(*(Inbox.enter(keeper, permit) for permit in permits))
    assert len({id(inbox.held) for inbox in entered}) == 1
    for inbox in entered:
        await read_until(inbox, Welcome)
    entries = await database_sync_to_async(log.entries)(pair.room_id)
    assert [entry.event["kind"] for entry in entries] == ["Move", "Came", "Came"]


async def test_a_flush_ends_with_how_far_the_log_is(keeper: Keeper) -> None:
    pair = await database_sync_to_async(make_pair)()
    inbox = await Inbox.enter(keeper, await permit_of(pair, Role.CANDIDATE))
    seen = await read_until(inbox, SyncStep1)
    for number in range(3):
        keeper.receive(inbox.held, inbox.socket, Say(f"k{number}", "hello"))
    seen += await read_until(inbox, Committed)
    (committed,) = [message for message in seen if isinstance(message, Committed)]
    assert committed == Committed(2, 5, 3), "three messages that arrived together are one commit"
    assert keeper.writer.commits == 2


async def test_pages_hear_a_beat(keeper: Keeper) -> None:
    pair = await database_sync_to_async(make_pair)()
    inbox = await Inbox.enter(keeper, await permit_of(pair, Role.CANDIDATE))
    seen = await read_until(inbox, Beat)
    (beat,) = [message for message in seen if isinstance(message, Beat)]
    assert beat.seq == 2


async def test_time_passes_in_a_room(keeper: Keeper) -> None:
    """The interview's hour and the goodbye after it are over when somebody looks in again."""
    pair = await database_sync_to_async(make_pair)()
    told: list[Phase] = []

    def listen(sender: object, room: Room, phase: Phase, **_: object) -> None:
        told.append(phase)

    room_moved.connect(listen)
    try:
        inbox = await Inbox.enter(keeper, await permit_of(pair, Role.CANDIDATE))
        other = await Inbox.enter(keeper, await permit_of(pair, Role.INTERVIEWER))
        await read_until(other, Welcome)
        keeper.receive(inbox.held, inbox.socket, Move("live"))
        await read_until(inbox, Moved)
        inbox.held.opened_at -= timedelta(hours=1)
        while inbox.held.live.phase is not Phase.WRAP_UP:
            await read_until(inbox, Moved)
        inbox.held.opened_at -= timedelta(minutes=3)
        await until(lambda: inbox.socket.closing is not None)
        assert inbox.socket.closing is not None and inbox.socket.closing.close_code == 4410
        await until(lambda: Phase.FEEDBACK in told)
        assert told == [Phase.LOBBY, Phase.LIVE, Phase.WRAP_UP, Phase.FEEDBACK]
    finally:
        room_moved.disconnect(listen)
    room = await Room.objects.aget(id=pair.room_id)
    assert room.phase == "feedback" and room.ended_at is not None
    entries = await database_sync_to_async(log.entries)(pair.room_id)
    moves = [entry.at_ms for entry in entries if b'"Move"' in entry.payload]
    assert moves[-1] - moves[1] >= 63 * 60_000


async def test_a_move_by_another_process_wakes_the_room(keeper: Keeper) -> None:
    pair = await database_sync_to_async(make_pair)()
    keeper._beat_s = 3600  # so that looking at the database now and then cannot be what finds it
    inbox = await Inbox.enter(keeper, await permit_of(pair, Role.CANDIDATE))
    await read_until(inbox, SyncStep1)
    assert await database_sync_to_async(move_room)(room_id=pair.room_id, to=Phase.CANCELLED)
    seen = await read_until(inbox, Moved)
    assert [message.phase for message in seen if isinstance(message, Moved)] == ["cancelled"]


async def test_a_bug_ends_the_room_here_and_the_page_sees_a_reference(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = await database_sync_to_async(make_pair)()
    inbox = await Inbox.enter(keeper, await permit_of(pair, Role.CANDIDATE))
    other = await Inbox.enter(keeper, await permit_of(pair, Role.INTERVIEWER))
    await read_until(other, Welcome)

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(inbox.held.live.chat, "accept", broken)
    keeper.receive(inbox.held, inbox.socket, Say("k", "hello"))
    assert inbox.socket.closing is not None and "reference" in inbox.socket.closing.sentence
    assert other.socket.closing is not None and other.socket.closing.close_code == 1013
    assert not keeper.rooms
    again = await Inbox.enter(keeper, await permit_of(pair, Role.INTERVIEWER))
    assert again.held is not inbox.held


def test_an_outbox_is_bounded() -> None:
    socket = Socket("x", Role.CANDIDATE)
    for _ in range(OUTBOX_BYTES // 60_000 + 2):
        socket.put(b"x" * 60_000)
    assert socket.closing is not None and socket.closing.close_code == 4508
    assert socket.take() == []


def test_intervals_keep_what_is_promised() -> None:
    assert keeping.REVOKE_S + keeping.TICK_S <= 2, "a revoked socket is closed within two seconds"


async def test_a_drain_saves_what_came_and_sends_everybody_away(keeper: Keeper) -> None:
    pair = await database_sync_to_async(make_pair)()
    inbox = await Inbox.enter(keeper, await permit_of(pair, Role.CANDIDATE))
    other = await Inbox.enter(keeper, await permit_of(pair, Role.INTERVIEWER))
    await read_until(other, SyncStep1)
    keeper.receive(inbox.held, inbox.socket, Say("k", "the last word"))
    draining = asyncio.create_task(keeper.drain())
    seen = await read_until(other, Said)
    assert [message.text for message in seen if isinstance(message, Said)] == ["the last word"]
    await until(lambda: inbox.socket.closing and other.socket.closing)
    for each in (inbox, other):
        assert each.socket.closing is not None and each.socket.closing.close_code == 1012
        assert not draining.done(), "it waits for those who have not left"
        keeper.leave(each.held, each.socket)
    async with asyncio.timeout(DEADLINE_S):
        await draining
    with pytest.raises(Restarting):
        await Inbox.enter(keeper, await permit_of(pair, Role.CANDIDATE))
    lines = await database_sync_to_async(log.entries)(pair.room_id)
    assert any(b"the last word" in entry.payload for entry in lines)


async def test_neighbours_see_each_others_people_and_cursors() -> None:
    """Two processes, one room: the layer carries who is here and where they point."""
    pair = await database_sync_to_async(make_pair)()
    keepers = Keeper(), Keeper()
    try:
        mine = await Inbox.enter(keepers[0], await permit_of(pair, Role.CANDIDATE))
        theirs = await Inbox.enter(keepers[1], await permit_of(pair, Role.INTERVIEWER))
        await until(lambda: all(seat["here"] for seat in seats_of(mine)))
        await until(lambda: all(seat["here"] for seat in seats_of(theirs)))
        state = b'{"cursor":null}'
        keepers[0].receive(mine.held, mine.socket, Awareness(b"\x01\x07\x01" + bytes((len(state),)) + state))
        seen = await read_until(theirs, Awareness)
        (frame,) = [message for message in seen if isinstance(message, Awareness)]
        assert b"Quiet Heron" in frame.update
        keepers[0].leave(mine.held, mine.socket)
        await read_until(theirs, Awareness)
        assert theirs.held.live.presence.everybody(0) is None
    finally:
        for keeper in keepers:
            await keeper.close()


def seats_of(inbox: Inbox) -> list[dict[str, object]]:
    return inbox.held.live.presence.seats(inbox.held.now_ms, {})
