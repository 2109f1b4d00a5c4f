"""What the engine relies on at its store: Postgres keeps it, and so does the simulation's stand-in."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Protocol

import pytest
from django.contrib.sessions.models import Session
from django.db import connection

from rooms.live.entry import Entry, write_event
from rooms.passes import Pass, admit
from rooms.roles import Role
from rooms.store import Conflict, PostgresStore, Rejected, Snapshot, Store, Unavailable, Writing
from rooms.streams import Stream
from tests.rooms.people import Pair, make_pair
from tests.simulation.clock import VirtualLoop
from tests.simulation.store import Database, Row, SimulatedStore, Weather

pytestmark = pytest.mark.django_db(transaction=True)

ZERO = datetime(2026, 1, 1, 9, 30, tzinfo=UTC)


class Setting(Protocol):
    """A database with rooms in it, and ways to it."""

    def room(self) -> uuid.UUID: ...
    def store(self) -> Store: ...
    def outage(self) -> None:
        """Whoever is connected is cut off, once."""

    def permit(self, room_id: uuid.UUID) -> Pass: ...
    def sign_out(self, permit: Pass) -> None: ...
    def run(self, work: Coroutine[Any, Any, None]) -> None: ...


class Real:
    """Postgres."""

    def __init__(self) -> None:
        self._pairs: dict[uuid.UUID, Pair] = {}
        self._stores: list[PostgresStore] = []

    def room(self) -> uuid.UUID:
        pair = make_pair(starts_at=ZERO)
        self._pairs[pair.room_id] = pair
        return pair.room_id

    def store(self) -> Store:
        self._stores.append(PostgresStore())
        return self._stores[-1]

    def outage(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND query LIKE '%%INSERT INTO rooms_logentry%%'"
            )

    def permit(self, room_id: uuid.UUID) -> Pass:
        name, _, value = self._pairs[room_id].candidate.partition("=")
        return admit({name: value}, str(room_id))

    def sign_out(self, permit: Pass) -> None:
        Session.objects.filter(session_key=permit.session_key).delete()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        async def run() -> None:
            try:
                await work
            finally:
                for store in self._stores:
                    await store.close()

        asyncio.run(run())


class Simulated:
    """tests/simulation/store.py."""

    def __init__(self) -> None:
        self._loop = VirtualLoop(Random(1))
        self._database = Database()
        self._weather = Weather()

    def room(self) -> uuid.UUID:
        room_id = uuid.uuid4()
        self._database.add(room_id, Row(starts_at=ZERO))
        return room_id

    def store(self) -> Store:
        return SimulatedStore(self._loop, self._database, self._weather, Random(1))

    def outage(self) -> None:
        self._weather.is_down = True
        self._loop.after(0.5, setattr, self._weather, "is_down", False)

    def permit(self, room_id: uuid.UUID) -> Pass:
        return Pass(room_id, Role.CANDIDATE, 1, uuid.uuid4(), "a session", 1)

    def sign_out(self, permit: Pass) -> None:
        self._database.spent_passes.add(permit)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            self._loop.run_until_complete(work)
        finally:
            self._loop.close()


@pytest.fixture(params=[Real, Simulated], ids=["postgres", "simulated"])
def setting(request: pytest.FixtureRequest) -> Setting:
    made: Setting = request.param()
    return made


def line(seq: int, text: str = "hello") -> Entry:
    return Entry(seq, 10 * seq, Role.CANDIDATE, Stream.CHAT, write_event("Say", key=f"k{seq}", text=text))


def event(seq: int, kind: str, **fields: Any) -> Entry:
    return Entry(seq, 10 * seq, Role.ROOM, Stream.LIFECYCLE, write_event(kind, **fields))


def writing(room_id: uuid.UUID, *entries: Entry) -> Writing:
    return Writing(room_id, ZERO, list(entries))


def test_what_is_committed_is_read_in_order(setting: Setting) -> None:
    room_id, other, store = setting.room(), setting.room(), setting.store()

    async def check() -> None:
        await store.commit([writing(room_id, line(1), line(2)), writing(other, line(1))])
        await store.commit([writing(room_id, line(3, "snow — 你好"))])
        assert await store.entries(room_id) == [line(1), line(2), line(3, "snow — 你好")]
        assert await setting.store().entries(room_id, 2) == [line(3, "snow — 你好")], "another sees it too"
        assert await store.heads([room_id, other]) == {room_id: 3, other: 1}

    setting.run(check())


def test_a_room_without_a_log_has_no_head(setting: Setting) -> None:
    room_id, store = setting.room(), setting.store()

    async def check() -> None:
        assert await store.heads([room_id, uuid.uuid4()]) == {}
        opened = await store.open(room_id)
        assert (opened.entries, opened.snapshot, opened.opened_at) == ([], None, None)
        assert (opened.title, opened.language, opened.length_ms) == ("Two sums", "python", 3_600_000)
        assert opened.masks == {Role.CANDIDATE: "Quiet Heron", Role.INTERVIEWER: "Amber Fox"}
        assert opened.starts_at == ZERO
        with pytest.raises(Rejected):
            await store.open(uuid.uuid4())

    setting.run(check())


def test_a_place_is_taken_once_and_a_commit_is_all_or_nothing(setting: Setting) -> None:
    room_id, other, store = setting.room(), setting.room(), setting.store()

    async def check() -> None:
        await store.commit([writing(room_id, line(1), line(2))])
        with pytest.raises(Conflict):
            await store.commit([writing(other, line(1)), writing(room_id, line(2, "mine"), line(3))])
        with pytest.raises(Conflict):
            await store.commit(
                [writing(other, event(1, "Move", phase="lobby")), writing(room_id, line(2, "mine"))]
            )
        assert await store.heads([room_id, other]) == {room_id: 2}
        assert (await store.open(other)).opened_at is None, "nor did the room's row change"
        await store.commit([writing(room_id, line(3))])

    setting.run(check())


def test_of_two_who_want_one_place_one_gets_it(setting: Setting) -> None:
    room_id, stores = setting.room(), [setting.store() for _ in range(4)]

    async def check() -> None:
        tries = [store.commit([writing(room_id, line(1, str(n)))]) for n, store in enumerate(stores)]
        results = await asyncio.gather(*tries, return_exceptions=True)
        (winner,) = [n for n, result in enumerate(results) if result is None]
        assert sum(isinstance(result, Conflict) for result in results) == 3
        assert await stores[0].entries(room_id) == [line(1, str(winner))]

    setting.run(check())


def test_the_row_follows_the_log(setting: Setting) -> None:
    room_id, store = setting.room(), setting.store()

    async def check() -> None:
        await store.commit([writing(room_id, event(1, "Move", phase="lobby", language="python"))])
        await store.commit([writing(room_id, event(2, "ChooseLanguage", language="rust"))])
        opened = await store.open(room_id)
        assert opened.language == "rust"
        assert opened.opened_at == ZERO + timedelta(milliseconds=10)

    setting.run(check())


def test_of_two_snapshots_the_newer_stays(setting: Setting) -> None:
    room_id, store = setting.room(), setting.store()

    async def check() -> None:
        await store.commit([writing(room_id, *(line(seq) for seq in range(1, 6)))])
        for seq in (3, 2, 3):
            await store.keep_snapshot(room_id, Snapshot(seq, f"{seq}".encode()))
        opened = await store.open(room_id)
        assert opened.snapshot == Snapshot(3, b"3")
        assert opened.entries == [line(4), line(5)], "only what is behind it"
        assert len(await store.entries(room_id)) == 5, "the log stays whole"

    setting.run(check())


def test_after_an_outage_it_goes_on(setting: Setting) -> None:
    """A commit says that it may have failed; reads may also have been repeated unseen."""
    room_id, store = setting.room(), setting.store()

    async def commit_in_the_end(entry: Entry) -> int:
        failures = 0
        async with asyncio.timeout(20):
            while True:
                try:
                    await store.commit([writing(room_id, entry)])
                except Unavailable:
                    failures += 1
                    await asyncio.sleep(0.05)
                except Conflict:
                    return failures
                else:
                    return failures

    async def check() -> None:
        await store.commit([writing(room_id, line(1))])
        await asyncio.to_thread(setting.outage) if isinstance(setting, Real) else setting.outage()
        assert await commit_in_the_end(line(2)) > 0, "who commits is told"
        assert await store.entries(room_id) == [line(1), line(2)]

    setting.run(check())


def test_who_signed_out_is_named(setting: Setting) -> None:
    rooms, store = [setting.room() for _ in range(3)], setting.store()
    passes = [setting.permit(room_id) for room_id in rooms]
    setting.sign_out(passes[1])

    async def check() -> None:
        assert await store.spent(passes) == [1]
        assert await store.spent([]) == []

    setting.run(check())
