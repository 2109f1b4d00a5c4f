"""The append-only log of every room: written in groups, read in order.

The primary key (room, seq) decides between processes: whoever writes a place first has it, the other reads
what came and decides again. A room's row is changed together with the entry that says so, the row first and
rooms in the order of their ids, so that two writers wait for each other in one direction alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

import psycopg
from django.db import connection, connections, transaction
from django.utils import timezone

from rooms.live.entry import Entry
from rooms.live.lifecycle import Phase
from rooms.models import LogEntry, Room
from rooms.roles import Role
from rooms.streams import Stream

__all__ = ["Entry", "LogReader", "LogWriter", "append", "entries"]

logger = logging.getLogger(__name__)

RETRY_FOR_S = 8.0
"""How long the writer tries before it gives a batch up. Shorter than a page waits for its "saved"."""
FIRST_PAUSE_S = 0.05
LAST_PAUSE_S = 1.0
CONNECT_TIMEOUT_S = 3
STATEMENT_TIMEOUT_MS = 5_000

_INSERT = """
    INSERT INTO rooms_logentry (room_id, seq, at_ms, role, stream, payload)
    SELECT * FROM unnest(%b::uuid[], %b::int4[], %b::int8[], %b::int2[], %b::int2[], %b::bytea[])
"""
_SELECT = """
    SELECT seq, at_ms, role, stream, payload FROM rooms_logentry WHERE room_id = %s AND seq > %s ORDER BY seq
"""
_HEADS = """
    SELECT room.id, head.seq FROM unnest(%s::uuid[]) AS room(id)
    CROSS JOIN LATERAL (
        SELECT seq FROM rooms_logentry WHERE room_id = room.id ORDER BY seq DESC LIMIT 1
    ) AS head
"""


# --- from Django's code -------------------------------------------------------------------------------


def entries(room_id: uuid.UUID, after_seq: int = 0) -> list[Entry]:
    """The log of a room behind this place, in order."""
    rows = LogEntry.objects.filter(room_id=room_id, seq__gt=after_seq).order_by("seq")
    return [_entry(row) for row in rows.values_list("seq", "at_ms", "role", "stream", "payload")]


def append(*, room: Room, role: Role, stream: Stream, payload: bytes) -> Entry:
    """Write one entry behind the last. The room's row must be locked in the transaction under way.

    Raises IntegrityError when a process in which the room is alive took the place at this moment.
    """
    last = LogEntry.objects.filter(room=room).order_by("-seq").values_list("seq", "at_ms").first() or (0, 0)
    at_ms = (timezone.now() - room.opened_at) // timedelta(milliseconds=1) if room.opened_at else 0
    entry = Entry(last[0] + 1, max(at_ms, last[1]), role, stream, payload)
    with transaction.atomic(), connection.cursor() as cursor:
        for statement, values in row_changes(room.id, entry, room.opened_at):
            cursor.execute(statement, values)
        LogEntry.objects.create(
            room=room, seq=entry.seq, at_ms=entry.at_ms, role=role, stream=stream, payload=payload
        )
    return entry


def _entry(row: Sequence[Any]) -> Entry:
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


# --- from the process in which rooms are alive ----------------------------------------------------------


class Source(Protocol):
    """A room with something to write, as the writer sees it."""

    room_id: uuid.UUID

    @property
    def opened_at(self) -> datetime: ...

    def take(self) -> list[Entry]:
        """What has not been handed out yet, in order."""
        ...

    def written(self, seq: int) -> None:
        """Everything up to here is committed."""
        ...

    async def conflicted(self) -> None:
        """Somebody else wrote there: nothing of what was handed out has been written by us."""
        ...

    def lost(self, error: Exception) -> None:
        """What was handed out cannot be written."""
        ...


Batch = list[tuple[Source, list[Entry]]]


def _is_outage(error: psycopg.Error) -> bool:
    """The database is gone or has no time, rather than being unhappy with what it was told."""
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)


def _give_up(batch: Batch, error: Exception) -> None:
    for source, _ in batch:
        source.lost(error)


class LogWriter:
    """Commits whatever arrived while the previous commit was under way, on a connection of its own."""

    def __init__(self, *, retry_for_s: float = RETRY_FOR_S) -> None:
        self._retry_for_s = retry_for_s
        self._waiting: dict[Source, None] = {}
        self._wake = asyncio.Event()
        self._line = _Line(STATEMENT_TIMEOUT_MS)
        self.commits = 0

    def mark(self, source: Source) -> None:
        """This room has something to write."""
        self._waiting[source] = None
        self._wake.set()

    async def run(self) -> None:
        """Write until cancelled."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                batch = [(source, taken) for source in self._waiting if (taken := source.take())]
                self._waiting.clear()
                try:
                    await self._write(sorted(batch, key=lambda each: each[0].room_id))
                except Exception as error:
                    logger.exception("the log writer failed")
                    _give_up(batch, error)
        finally:
            await self._line.close()

    async def _write(self, batch: Batch) -> None:
        try:
            await self._commit_with_patience(batch)
        except psycopg.Error as error:
            if len(batch) > 1 and not _is_outage(error):
                for each in batch:  # one room's trouble must not be another's
                    await self._write([each])
            elif isinstance(error, psycopg.errors.UniqueViolation):
                await batch[0][0].conflicted()
            else:
                logger.error("the log cannot be written: %s", type(error).__name__)
                _give_up(batch, error)
        else:
            for source, taken in batch:
                source.written(taken[-1].seq)

    async def _commit_with_patience(self, batch: Batch) -> None:
        """Commit; over an outage try again for a while, on a fresh connection."""
        deadline = time.monotonic() + self._retry_for_s
        pause_s = FIRST_PAUSE_S
        while batch:
            try:
                await self._commit(batch)
            except psycopg.Error as error:
                # The commit may have happened all the same; then the next attempt meets its own rows.
                if not _is_outage(error) or time.monotonic() + pause_s > deadline:
                    raise
                await self._line.close()
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LAST_PAUSE_S)
            else:
                return

    async def _commit(self, batch: Batch) -> None:
        line = await self._line.get()
        rows = [(source.room_id, entry) for source, taken in batch for entry in taken]
        changes = [
            change
            for source, taken in batch
            for entry in taken
            for change in row_changes(source.room_id, entry, source.opened_at)
        ]
        values = (
            [room_id for room_id, _ in rows],
            [entry.seq for _, entry in rows],
            [entry.at_ms for _, entry in rows],
            [entry.role.value for _, entry in rows],
            [entry.stream.value for _, entry in rows],
            [entry.payload for _, entry in rows],
        )
        if changes:
            async with line.transaction():
                for statement, parameters in changes:
                    await line.execute(statement, parameters)
                await line.execute(_INSERT, values)
        else:
            await line.execute(_INSERT, values, prepare=True)
        self.commits += 1


class LogReader:
    """Reads logs without a thread, on a connection of its own."""

    def __init__(self) -> None:
        self._line = _Line(STATEMENT_TIMEOUT_MS)
        self._lock = asyncio.Lock()

    async def entries(self, room_id: uuid.UUID, after_seq: int = 0) -> list[Entry]:
        """The log of a room behind this place. Raises psycopg.Error."""
        return [_entry(row) for row in await self.fetch(_SELECT, (room_id, after_seq))]

    async def heads(self, room_ids: list[uuid.UUID]) -> dict[uuid.UUID, int]:
        """The last seq of each of these rooms that has one. Raises psycopg.Error."""
        return dict(await self.fetch(_HEADS, (room_ids,)))

    async def fetch(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        """All rows of one statement, once more on a fresh connection if the old one is gone."""
        async with self._lock:
            for attempt in (1, 2):
                try:
                    line = await self._line.get()
                    return await (await line.execute(statement, values, binary=True)).fetchall()
                except (psycopg.OperationalError, psycopg.InterfaceError):
                    await self._line.close()
                    if attempt == 2:
                        raise
        raise AssertionError

    async def close(self) -> None:
        await self._line.close()


class _Line:
    """An autocommitting connection to the database that Django uses, opened when needed."""

    def __init__(self, statement_timeout_ms: int) -> None:
        self._options = f"-c statement_timeout={statement_timeout_ms} -c synchronous_commit=on"
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def get(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None or self._connection.closed:
            given = connections["default"].get_connection_params()
            known = {
                key: given[key] for key in ("host", "port", "dbname", "user", "password") if given.get(key)
            }
            known |= {key: value for key, value in given.items() if key.startswith("ssl")}
            self._connection = await psycopg.AsyncConnection.connect(
                **known, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S, options=self._options
            )
        return self._connection

    async def close(self) -> None:
        line, self._connection = self._connection, None
        if line is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                await line.close()
