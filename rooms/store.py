"""Everything the keeper asks of the database, without a thread, on connections of its own.

`Store` is the seam: the simulation stands in for Postgres there, and nothing above it knows psycopg. A commit
is all or nothing, and the primary key (room, seq) decides between processes: whoever writes a place first has
it. A room's row is changed together with the entry that says so, the rows first and rooms in the order of
their ids, so that two writers wait for each other in one direction alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import psycopg
from django.db import connections
from django.utils import timezone

from rooms import columns
from rooms.live.entry import Entry
from rooms.live.lifecycle import Phase
from rooms.live.room import Facts
from rooms.passes import SPENT, Pass, columns_of
from rooms.roles import Role
from rooms.streams import Stream

CONNECT_TIMEOUT_S = 3
STATEMENT_TIMEOUT_MS = 5_000
_OPTIONS = f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c synchronous_commit=on"

_INSERT = """
    INSERT INTO rooms_logentry (room_id, seq, at_ms, role, stream, payload)
    SELECT * FROM unnest(%b::uuid[], %b::int4[], %b::int8[], %b::int2[], %b::int2[], %b::bytea[])
"""
_SELECT = """
    SELECT seq, at_ms, role, stream, payload FROM rooms_logentry WHERE room_id = %s AND seq > %s ORDER BY seq
"""
_HEADS = """
    SELECT room.id, head.seq FROM unnest(%b::uuid[]) AS room(id)
    CROSS JOIN LATERAL (
        SELECT seq FROM rooms_logentry WHERE room_id = room.id ORDER BY seq DESC LIMIT 1
    ) AS head
"""
_ROOM = "SELECT title, language, length_minutes, starts_at, opened_at FROM rooms_room WHERE id = %s"
_MASKS = "SELECT role, mask FROM rooms_seat WHERE room_id = %s"
_SNAPSHOT = "SELECT seq, body FROM rooms_snapshot WHERE room_id = %s"
_KEEP_SNAPSHOT = """
    INSERT INTO rooms_snapshot (room_id, seq, body) VALUES (%s, %s, %s)
    ON CONFLICT (room_id) DO UPDATE SET seq = excluded.seq, body = excluded.body
    WHERE rooms_snapshot.seq < excluded.seq
"""


class StoreError(Exception):
    """The database did not do what it was asked."""


class Conflict(StoreError):
    """Another process has written there first; of this commit nothing is in the log."""


class Unavailable(StoreError):
    """The database is gone or has no time. What it was asked may have happened all the same."""


class Rejected(StoreError):
    """The database will not have it: a bug, or a room that is no more."""


@dataclass(frozen=True, slots=True)
class Writing:
    """What one room adds to its log. opened_at: zero of the room's clock."""

    room_id: uuid.UUID
    opened_at: datetime
    entries: list[Entry]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A room as its log tells it up to `seq`, as rooms/live/snapshot.py writes it."""

    seq: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """What the database knows of a room: its row, a snapshot if there is one, and the log behind that."""

    title: str
    language: str
    length_ms: int
    starts_at: datetime
    opened_at: datetime | None
    masks: dict[Role, str]
    snapshot: Snapshot | None
    entries: list[Entry]

    def facts(self, zero: datetime) -> Facts:
        """What the room is before anything happens in it. zero: of the room's clock."""
        starts_ms = (self.starts_at - zero) // timedelta(milliseconds=1)
        return Facts(self.title, self.language, self.length_ms, starts_ms, self.masks)


class Store(Protocol):
    """Raises StoreError and its kinds, nothing else that is expected."""

    async def open(self, room_id: uuid.UUID) -> Opened:
        """A room as it stands. Raises Rejected when there is no such room."""
        ...

    async def entries(self, room_id: uuid.UUID, after_seq: int = 0) -> list[Entry]:
        """The log of a room behind this place, in order."""
        ...

    async def heads(self, room_ids: list[uuid.UUID]) -> dict[uuid.UUID, int]:
        """The last seq of each of these rooms that has one."""
        ...

    async def commit(self, batch: list[Writing]) -> None:
        """Write all of it or nothing; it is durable when this returns. Raises Conflict too."""
        ...

    async def keep_snapshot(self, room_id: uuid.UUID, snapshot: Snapshot) -> None:
        """Remember it unless a newer one is there."""
        ...

    async def spent(self, passes: Sequence[Pass]) -> list[int]:
        """Places in `passes` of those that hold no longer: signed out, banned, or out of the seat."""
        ...

    async def close(self) -> None:
        """Give the connections back."""
        ...


class PostgresStore:
    """The real one: one connection writes, another reads."""

    def __init__(self) -> None:
        self._writing = _Line()
        # All that is asked there are a few rows by their keys. A plan made while a table was small, and kept,
        # would go on reading all of it.
        self._reading = _Line("-c enable_seqscan=off")
        self._lock = asyncio.Lock()

    async def open(self, room_id: uuid.UUID) -> Opened:
        row = await self._fetch(_ROOM, (room_id,))
        if not row:
            raise Rejected("no such room")
        title, language, length_minutes, starts_at, opened_at = row[0]
        masks = {Role(role): mask for role, mask in await self._fetch(_MASKS, (room_id,))}
        found = await self._fetch(_SNAPSHOT, (room_id,))
        snapshot = Snapshot(found[0][0], bytes(found[0][1])) if found else None
        entries = await self.entries(room_id, snapshot.seq if snapshot else 0)
        return Opened(
            title, language, length_minutes * 60_000, starts_at, opened_at, masks, snapshot, entries
        )

    async def entries(self, room_id: uuid.UUID, after_seq: int = 0) -> list[Entry]:
        return [read_entry(row) for row in await self._fetch(_SELECT, (room_id, after_seq))]

    async def heads(self, room_ids: list[uuid.UUID]) -> dict[uuid.UUID, int]:
        return dict(await self._fetch(_HEADS, (columns.uuids(room_ids),)))

    async def commit(self, batch: list[Writing]) -> None:
        try:
            await self._commit(sorted(batch, key=lambda each: each.room_id.int))
        except psycopg.errors.UniqueViolation as error:
            raise Conflict from error
        except (psycopg.OperationalError, psycopg.InterfaceError, OSError) as error:
            await self._writing.close()
            raise Unavailable(type(error).__name__) from error
        except psycopg.Error as error:
            raise Rejected(type(error).__name__) from error

    async def keep_snapshot(self, room_id: uuid.UUID, snapshot: Snapshot) -> None:
        await self._ask(_KEEP_SNAPSHOT, (room_id, snapshot.seq, snapshot.body))

    async def spent(self, passes: Sequence[Pass]) -> list[int]:
        if not passes:
            return []
        return [place - 1 for (place,) in await self._fetch(SPENT, columns_of(passes))]

    async def close(self) -> None:
        await self._writing.close()
        await self._reading.close()

    async def _commit(self, batch: list[Writing]) -> None:
        line = await self._writing.get()
        rows = [(each.room_id, entry) for each in batch for entry in each.entries]
        changes = [
            change
            for each in batch
            for entry in each.entries
            if entry.stream is Stream.LIFECYCLE
            for change in row_changes(each.room_id, entry, each.opened_at)
        ]
        values = (
            columns.uuids([room_id for room_id, _ in rows]),
            columns.int4s([entry.seq for _, entry in rows]),
            columns.int8s([entry.at_ms for _, entry in rows]),
            columns.int2s([entry.role for _, entry in rows]),
            columns.int2s([entry.stream for _, entry in rows]),
            columns.byteas([entry.payload for _, entry in rows]),
        )
        if changes:
            async with line.transaction():
                for statement, parameters in changes:
                    await line.execute(statement, parameters)
                await line.execute(_INSERT, values)
        else:
            await line.execute(_INSERT, values, prepare=True)

    async def _fetch(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        return await (await self._ask(statement, values)).fetchall()

    async def _ask(self, statement: str, values: tuple[Any, ...]) -> psycopg.AsyncCursor[Any]:
        """Once more on a fresh connection if the old one is gone."""
        async with self._lock:
            for attempt in (1, 2):
                try:
                    return await (await self._reading.get()).execute(statement, values, binary=True)
                except (psycopg.OperationalError, psycopg.InterfaceError, OSError) as error:
                    await self._reading.close()
                    if attempt == 2:
                        raise Unavailable(type(error).__name__) from error
                except psycopg.Error as error:
                    raise Rejected(type(error).__name__) from error
        raise AssertionError


def read_entry(row: Sequence[Any]) -> Entry:
    """An entry from the columns seq, at_ms, role, stream, payload."""
    seq, at_ms, role, stream, payload = row
    return Entry(seq, at_ms, Role(role), Stream(stream), bytes(payload))


def row_changes(
    room_id: uuid.UUID, entry: Entry, opened_at: datetime | None
) -> Iterable[tuple[str, tuple[Any, ...]]]:
    """The statements by which the rows of a room follow an entry of its log.

    opened_at: zero of the room's clock; None for a room that nobody has entered.
    """
    if entry.stream is not Stream.LIFECYCLE:
        return
    event = entry.event
    at = opened_at + timedelta(milliseconds=entry.at_ms) if opened_at else timezone.now()
    match event["kind"]:
        case "Move":
            phase = Phase(event["phase"])
            sets, values = ["phase = %s"], [phase.value]
            column = {
                Phase.LOBBY: "opened_at",
                Phase.LIVE: "live_at",
                Phase.FEEDBACK: "ended_at",
            }.get(phase)
            if column:
                sets.append(f"{column} = %s")
                values.append(at)  # type: ignore[arg-type]
            yield f"UPDATE rooms_room SET {', '.join(sets)} WHERE id = %s", (*values, room_id)
        case "ChooseLanguage":
            yield "UPDATE rooms_room SET language = %s WHERE id = %s", (event["language"], room_id)
        case "Consent":
            yield (
                "UPDATE rooms_seat SET recording_consent = %s WHERE room_id = %s AND role = %s",
                (event["recording"], room_id, entry.role.value),
            )


class _Line:
    """An autocommitting connection to the database that Django uses, opened when needed."""

    def __init__(self, options: str = "") -> None:
        self._options = options
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def get(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None or self._connection.closed:
            given = connections["default"].get_connection_params()
            known = {
                key: given[key] for key in ("host", "port", "dbname", "user", "password") if given.get(key)
            }
            known |= {key: value for key, value in given.items() if key.startswith("ssl")}
            self._connection = await psycopg.AsyncConnection.connect(
                **known,
                autocommit=True,
                connect_timeout=CONNECT_TIMEOUT_S,
                options=f"{_OPTIONS} {self._options}",
            )
            columns.register(self._connection)
        return self._connection

    async def close(self) -> None:
        line, self._connection = self._connection, None
        if line is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                await line.close()
