"""A database in memory with the semantics of Postgres that the engine relies on, and its bad days.

`Database` is what survives every process. `SimulatedStore` is one process's way to it, with the interface of
rooms/store.py: a question travels, is answered at one moment, and the answer travels back; either way may
fail. So a commit can fail before it happened, after it happened, or happen long after its writer was told
that it failed.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeVar

from rooms.live.entry import Entry
from rooms.live.lifecycle import Phase
from rooms.passes import Pass
from rooms.roles import Role
from rooms.store import Conflict, Opened, Rejected, Snapshot, StoreError, Unavailable, Writing
from rooms.streams import Stream
from tests.simulation.clock import EPOCH, VirtualLoop

Answer = TypeVar("Answer")


@dataclass
class Row:
    """A room and its seats, as far as the engine reads them."""

    title: str = "Two sums"
    language: str = "python"
    length_minutes: int = 60
    starts_at: datetime = EPOCH
    opened_at: datetime | None = None
    masks: dict[Role, str] = field(
        default_factory=lambda: {Role.CANDIDATE: "Quiet Heron", Role.INTERVIEWER: "Amber Fox"}
    )
    phase: Phase = Phase.SCHEDULED


@dataclass
class Weather:
    """How often the way to the database goes wrong; all zero on a good day."""

    commit_s: float = 0.002
    """A usual commit, there and back; many take less, some ten times as long."""
    refused: float = 0.0
    """Fails before anything happened."""
    unheard: float = 0.0
    """Happens, but the answer is lost."""
    late: float = 0.0
    """The writer is told of a failure, and it happens all the same, up to `late_s` later."""
    late_s: float = 6.0
    hang_s: float = 5.0
    """How long a failure may take to show."""
    is_down: bool = False
    """Nobody gets through."""


class Database:
    """Rooms, logs and snapshots. Every call is one transaction, at one moment."""

    def __init__(self) -> None:
        self.rows: dict[uuid.UUID, Row] = {}
        self.logs: dict[uuid.UUID, dict[int, Entry]] = {}
        self.snapshots: dict[uuid.UUID, Snapshot] = {}
        self.spent_passes: set[Pass] = set()
        self.committed: Callable[[Writing], None] = lambda writing: None
        """Told of each room's part of each commit, as it happens."""

    def add(self, room_id: uuid.UUID, row: Row) -> None:
        self.rows[room_id], self.logs[room_id] = row, {}

    def open(self, room_id: uuid.UUID) -> Opened:
        row = self.rows.get(room_id)
        if row is None:
            raise Rejected("no such room")
        snapshot = self.snapshots.get(room_id)
        entries = self.entries(room_id, snapshot.seq if snapshot else 0)
        return Opened(
            row.title, row.language, row.length_minutes * 60_000, row.starts_at, row.opened_at,
            dict(row.masks), snapshot, entries,
        )  # fmt: skip

    def entries(self, room_id: uuid.UUID, after_seq: int) -> list[Entry]:
        log = self.logs.get(room_id, {})
        return [log[seq] for seq in sorted(log) if seq > after_seq]

    def heads(self, room_ids: list[uuid.UUID]) -> dict[uuid.UUID, int]:
        return {room_id: max(log) for room_id in room_ids if (log := self.logs.get(room_id))}

    def commit(self, batch: list[Writing]) -> None:
        """All or nothing. The key is (room, seq): as in Postgres a gap is taken, a second row is not."""
        for writing in batch:
            if writing.room_id not in self.rows:
                raise Rejected("no such room")
            places = [entry.seq for entry in writing.entries]
            if self.logs[writing.room_id].keys() & places or len(set(places)) != len(places):
                raise Conflict
        for writing in batch:
            for entry in writing.entries:
                self.logs[writing.room_id][entry.seq] = entry
                self._follow(self.rows[writing.room_id], entry, writing.opened_at)
            self.committed(writing)

    def _follow(self, row: Row, entry: Entry, opened_at: datetime) -> None:
        """The row's columns, as row_changes in rooms/store.py has them."""
        if entry.stream is not Stream.LIFECYCLE:
            return
        event = entry.event
        if event["kind"] == "Move":
            row.phase = Phase(event["phase"])
            if row.phase is Phase.LOBBY:
                row.opened_at = opened_at + timedelta(milliseconds=entry.at_ms)
        elif event["kind"] == "ChooseLanguage":
            row.language = event["language"]

    def keep_snapshot(self, room_id: uuid.UUID, snapshot: Snapshot) -> None:
        kept = self.snapshots.get(room_id)
        if kept is None or kept.seq < snapshot.seq:
            self.snapshots[room_id] = snapshot

    def spent(self, passes: Sequence[Pass]) -> list[int]:
        return [place for place, each in enumerate(passes) if each in self.spent_passes]


class SimulatedStore:
    """One process's connection to the database; a `Store`."""

    def __init__(self, loop: VirtualLoop, database: Database, weather: Weather, random: Random) -> None:
        self._loop = loop
        self._database = database
        self._weather = weather
        self._random = random

    async def open(self, room_id: uuid.UUID) -> Opened:
        return await self._ask(self._database.open, room_id)

    async def entries(self, room_id: uuid.UUID, after_seq: int = 0) -> list[Entry]:
        return await self._ask(self._database.entries, room_id, after_seq)

    async def heads(self, room_ids: list[uuid.UUID]) -> dict[uuid.UUID, int]:
        return await self._ask(self._database.heads, list(room_ids))

    async def commit(self, batch: list[Writing]) -> None:
        copied = [Writing(each.room_id, each.opened_at, list(each.entries)) for each in batch]
        await self._ask(self._database.commit, copied)

    async def keep_snapshot(self, room_id: uuid.UUID, snapshot: Snapshot) -> None:
        await self._ask(self._database.keep_snapshot, room_id, snapshot)

    async def spent(self, passes: Sequence[Pass]) -> list[int]:
        return await self._ask(self._database.spent, list(passes))

    async def close(self) -> None:
        pass

    async def _ask(self, do: Callable[..., Answer], *arguments: Any) -> Answer:
        """Send a question on its way and wait for what comes back."""
        weather, chance = self._weather, self._random.random()
        heard: asyncio.Future[Answer] = self._loop.create_future()
        there_s, back_s = self._delay_s(), self._delay_s()
        if weather.is_down or chance < weather.refused:
            self._loop.after(self._random.choice((there_s, weather.hang_s)), _fail, heard)
        elif chance < weather.refused + weather.unheard:
            self._loop.after(there_s, _quietly, do, *arguments)
            self._loop.after(there_s + self._random.choice((back_s, weather.hang_s)), _fail, heard)
        elif chance < weather.refused + weather.unheard + weather.late:
            self._loop.after(there_s, _fail, heard)
            self._loop.after(there_s + weather.late_s * self._random.random(), _quietly, do, *arguments)
        else:
            self._loop.after(there_s, self._answer, heard, back_s, do, *arguments)
        return await heard

    def _answer(
        self, heard: asyncio.Future[Answer], back_s: float, do: Callable[..., Answer], *arguments: Any
    ) -> None:
        if self._weather.is_down:  # it went down while the question travelled
            self._loop.after(back_s, _fail, heard)
            return
        try:
            answer = do(*arguments)
        except StoreError as error:
            self._loop.after(back_s, _settle, heard, error)
        else:
            self._loop.after(back_s, _settle, heard, answer)

    def _delay_s(self) -> float:
        """Half a commit's way: mostly short, with a long tail."""
        return min(self._weather.commit_s * self._random.expovariate(2.0), self._weather.hang_s)


def _settle(heard: asyncio.Future[Answer], answer: Answer | StoreError) -> None:
    if heard.done():  # whoever asked is gone
        return
    if isinstance(answer, StoreError):
        heard.set_exception(answer)
    else:
        heard.set_result(answer)


def _fail(heard: asyncio.Future[Answer]) -> None:
    _settle(heard, Unavailable("the database does not answer"))


def _quietly(do: Callable[..., Answer], *arguments: Any) -> None:
    """It happens, and nobody hears how it went."""
    with contextlib.suppress(StoreError):
        do(*arguments)
