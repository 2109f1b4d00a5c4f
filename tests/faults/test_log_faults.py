"""The Nth write to the log fails, for every N, in three ways; and the writer's connection is killed.

Each time: nobody saw or was promised what is not in the log, every message is there exactly once in the end,
and all pages hold the same.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from channels.db import database_sync_to_async
from django.db import connection
from pycrdt import Doc, Text

from rooms import log
from rooms.held import HeldRoom
from rooms.keeper import Keeper
from rooms.live.room import Facts, LiveRoom
from rooms.models import Room
from rooms.outbox import Socket
from rooms.passes import admit
from rooms.roles import Role
from rooms.store import PostgresStore, Store, Unavailable, Writing
from rooms.streams import Stream
from rooms.wire import (
    ClientMessage,
    Committed,
    Edit,
    Moved,
    Said,
    Say,
    SyncStep1,
    SyncStep2,
    Welcome,
    decode_from_server,
)
from rooms.wire import Move as MoveMessage
from tests.rooms.inbox import Inbox
from tests.rooms.people import Pair, make_pair

pytestmark = pytest.mark.django_db(transaction=True)

DEADLINE_S = 10.0


class Page:
    """A browser's side of a socket, without a socket."""

    def __init__(self, keeper: Keeper, pair: Pair, role: Role) -> None:
        self.keeper, self.pair, self.role = keeper, pair, role
        self.doc: Doc[Text] = Doc(client_id=role.value)
        self.text = self.doc.get("code", type=Text)
        self.made: list[bytes] = []
        self._subscription = self.doc.observe(lambda event: self.made.append(event.update))
        self.unsaved: deque[ClientMessage] = deque()
        self.lines: dict[int, str] = {}
        self.phase = ""
        self.seen_seq = 0
        self.close_code: int | None = None
        self.changed = asyncio.Event()
        self.socket: Socket | None = None
        self.held: HeldRoom | None = None
        self._reading: asyncio.Task[None] | None = None

    async def come(self) -> None:
        cookie = self.pair.candidate if self.role is Role.CANDIDATE else self.pair.interviewer
        name, _, value = cookie.partition("=")
        permit = await database_sync_to_async(admit)({name: value}, str(self.pair.room_id))
        inbox = await Inbox.enter(self.keeper, permit)
        self.held, self.socket = inbox.held, inbox.socket
        self.close_code, self.saved = None, 0
        self._reading = asyncio.create_task(self._read(inbox))
        self.keeper.receive(self.held, self.socket, SyncStep1(self.doc.get_state()))
        for message in list(self.unsaved):
            self.keeper.receive(self.held, self.socket, message)

    async def go(self) -> None:
        assert self.held and self.socket and self._reading
        self.keeper.leave(self.held, self.socket)
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    def send(self, message: ClientMessage) -> None:
        self.unsaved.append(message)
        if self.close_code is None:
            assert self.held and self.socket
            self.keeper.receive(self.held, self.socket, message)

    def type(self, words: str) -> None:
        self.made.clear()
        self.text.insert(len(self.text), words)
        self.send(Edit(self.made[0]))

    async def _read(self, inbox: Inbox) -> None:
        while frames := await inbox.take():
            for frame in frames:
                self._take(decode_from_server(frame))
            self.changed.set()
        assert inbox.socket.closing is not None
        self.close_code = inbox.socket.closing.close_code
        self.changed.set()

    def _take(self, message: object) -> None:
        match message:
            case Committed(after_seq, seq, saved):
                assert after_seq == self.seen_seq, "a gap"
                self.seen_seq = seq
                for _ in range(saved - self.saved):
                    self.unsaved.popleft()
                self.saved = saved
            case Edit(update) | SyncStep2(update):
                self.doc.apply_update(update)
            case Said():
                self.lines[message.seq] = message.text
            case Moved():
                self.phase = message.phase
            case Welcome():
                self.seen_seq, self.phase = message.seq, message.phase
                self.lines |= {line["seq"]: line["text"] for line in message.lines}

    async def until(self, is_so: Callable[[], object]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not is_so():
                self.changed.clear()
                await self.changed.wait()


class FaultyStore(PostgresStore):
    """Its Nth commit fails the way we say, as often as we say."""

    def __init__(self, *, fails_at: int, times: int, is_done_all_the_same: bool = False) -> None:
        super().__init__()
        self.attempts = 0
        self._fails_at, self._until, self._is_done = fails_at, fails_at + times, is_done_all_the_same

    async def commit(self, batch: list[Writing]) -> None:
        self.attempts += 1
        if self._fails_at <= self.attempts < self._until:
            if self._is_done:
                await super().commit(batch)
            raise Unavailable("the connection is gone")
        await super().commit(batch)


@asynccontextmanager
async def stage(store: Store | None = None) -> AsyncIterator[tuple[Keeper, Page, Page]]:
    pair = await database_sync_to_async(make_pair)()
    keeper = Keeper(store=store, retry_for_s=0.3)
    pages = Page(keeper, pair, Role.CANDIDATE), Page(keeper, pair, Role.INTERVIEWER)
    try:
        yield keeper, *pages
    finally:
        for page in pages:
            if page.socket:
                await page.go()
        await keeper.close()


async def until_saved(*pages: Page) -> None:
    """All is saved, whatever it takes: a page that was closed comes back, as connection.ts does."""
    async with asyncio.timeout(DEADLINE_S):
        while any(page.unsaved or page.close_code is not None for page in pages):
            for page in pages:
                if page.close_code is not None:
                    await page.go()
                    await page.come()
                    await page.until(lambda page=page: page.phase or page.close_code)
                elif page.unsaved:
                    await page.until(lambda page=page: not page.unsaved or page.close_code is not None)


async def act(candidate: Page, interviewer: Page) -> None:
    """A small interview, each step a commit of its own where the log lets it."""
    await candidate.come()
    await interviewer.come()
    for turn in range(4):
        candidate.type(f"c{turn} ")
        interviewer.send(Say(f"k{turn}", f"line {turn}"))
        await until_saved(candidate, interviewer)
    candidate.send(MoveMessage("live"))
    await until_saved(candidate, interviewer)
    interviewer.type("end")
    await until_saved(candidate, interviewer)


async def check(candidate: Page, interviewer: Page) -> None:
    await candidate.until(lambda: candidate.seen_seq == interviewer.seen_seq)
    entries = await database_sync_to_async(log.entries)(candidate.pair.room_id)
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert max(candidate.seen_seq, interviewer.seen_seq) <= len(entries)
    room = LiveRoom.replay(entries, Facts("", "python", 0, 0, {}))
    assert room.document.text == str(candidate.text) == str(interviewer.text)
    assert sorted(room.document.text.split()) == ["c0", "c1", "c2", "c3", "end"]
    lines = {line.seq: line.text for line in room.chat.after(0)}
    assert sorted(lines.values()) == [f"line {turn}" for turn in range(4)]
    assert candidate.lines == interviewer.lines == lines
    assert [entry.event["phase"] for entry in entries if b'"Move"' in entry.payload] == ["lobby", "live"]
    row = await Room.objects.aget(id=candidate.pair.room_id)
    assert row.phase == "live" and candidate.phase == interviewer.phase == "live"


WAYS = {
    "once before the commit": {"times": 1},
    "once after the commit": {"times": 1, "is_done_all_the_same": True},
    "for longer than anyone waits": {"times": 4},
}


@pytest.mark.parametrize("way", WAYS)
async def test_the_nth_write_fails_for_every_n(way: str) -> None:
    number = 1
    while True:
        store = FaultyStore(fails_at=number, **WAYS[way])  # type: ignore[arg-type]
        async with stage(store) as (_, candidate, interviewer):
            await act(candidate, interviewer)
            await check(candidate, interviewer)
        if store.attempts < number:
            break
        number += 1
    assert number > 6, "the interview takes several commits"


async def test_while_the_log_cannot_be_written_nobody_sees_anything() -> None:
    store = FaultyStore(fails_at=10**9, times=0)
    async with stage(store) as (_, candidate, interviewer):
        await candidate.come()
        await interviewer.come()
        candidate.type("before ")
        await until_saved(candidate)
        store._fails_at, store._until = store.attempts + 1, 10**9
        candidate.type("hidden")
        interviewer.send(Say("k", "hidden"))
        for page in (candidate, interviewer):
            await page.until(lambda page=page: page.close_code is not None)
            assert page.close_code == 1013
            assert len(page.unsaved) == 1
        assert str(interviewer.text) == "before " and candidate.lines == {}
        store._until = 0
        await until_saved(candidate, interviewer)
        await interviewer.until(lambda: str(interviewer.text) == "before hidden")
        await candidate.until(lambda: list(candidate.lines.values()) == ["hidden"])


async def test_a_newcomer_is_shown_committed_things_only() -> None:
    store = FaultyStore(fails_at=10**9, times=0)
    async with stage(store) as (_, candidate, interviewer):
        await candidate.come()
        candidate.type("before ")
        await until_saved(candidate)
        store._fails_at, store._until = store.attempts + 1, 10**9
        candidate.type("hidden")
        await interviewer.come()
        await interviewer.until(lambda: interviewer.close_code is not None)
        assert (str(interviewer.text), interviewer.phase) == ("", ""), "not even a Welcome"


async def test_a_killed_writers_connection_costs_nothing() -> None:
    def kill_others() -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
            return int(cursor.fetchone()[0])

    async with stage() as (_, candidate, interviewer):
        await candidate.come()
        await interviewer.come()
        for turn in range(5):
            candidate.type(f"{turn} ")
            assert await database_sync_to_async(kill_others)() or turn
            interviewer.send(Say(f"k{turn}", "hello"))
            await until_saved(candidate, interviewer)
            assert candidate.close_code is interviewer.close_code is None
        await interviewer.until(lambda: str(interviewer.text) == "0 1 2 3 4 ")


async def test_two_processes_write_into_one_room_at_once() -> None:
    """Two keepers, as two processes hold a room: the log's key decides, the other decides again."""
    pair = await database_sync_to_async(make_pair)()
    keepers = Keeper(beat_s=0.2), Keeper(beat_s=0.2)
    candidate, interviewer = Page(keepers[0], pair, Role.CANDIDATE), Page(keepers[1], pair, Role.INTERVIEWER)
    try:
        await candidate.come()
        await interviewer.come()
        for turn in range(40):
            candidate.type(f"c{turn} ")
            interviewer.type(f"i{turn} ")
            candidate.send(Say(f"c{turn}", f"c{turn}"))
            interviewer.send(Say(f"i{turn}", f"i{turn}"))
            if turn % 5 == 0:
                await until_saved(candidate, interviewer)
        await until_saved(candidate, interviewer)
        for page in (candidate, interviewer):
            await page.until(lambda page=page: len(page.lines) == 80 and len(page.text.to_py().split()) == 80)
        assert str(candidate.text) == str(interviewer.text)
        assert candidate.lines == interviewer.lines
        entries = await database_sync_to_async(log.entries)(pair.room_id)
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        assert [entry.at_ms for entry in entries] == sorted(entry.at_ms for entry in entries)
        assert sum(entry.stream is Stream.CHAT for entry in entries) == 80
        assert sum(entry.stream is Stream.CODE for entry in entries) == 80
        room = LiveRoom.replay(entries, Facts("", "python", 0, 0, {}))
        assert room.document.text == str(candidate.text)
        candidate.send(MoveMessage("live"))
        await until_saved(candidate)
        await interviewer.until(lambda: interviewer.phase == "live")
        assert candidate.phase == "live", "each process knows that the other seat is taken"
    finally:
        for page, keeper in ((candidate, keepers[0]), (interviewer, keepers[1])):
            await page.go()
            await keeper.close()
