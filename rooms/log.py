"""The append-only log of every room, written in groups: Postgres stays the one truth."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol

from django.db import connection, transaction
from django.utils import timezone

from rooms.live.entry import Entry
from rooms.models import LogEntry, Room
from rooms.roles import Role
from rooms.store import Conflict, Store, StoreError, Unavailable, Writing, read_entry, row_changes
from rooms.streams import Stream

__all__ = ["Entry", "LogWriter", "append", "entries"]

logger = logging.getLogger(__name__)

RETRY_FOR_S = 8.0
"""How long the writer tries before it gives a batch up. Shorter than a page waits for its "saved"."""
TIMES_AS_LONG = 1.5
LONGEST_WINDOW_S = 0.01
"""From the start of one commit to the next: at least so many times what it took, so that under load a third
of the time is left for those who type. Each commit costs what twenty rows cost."""
FIRST_PAUSE_S = 0.05
LAST_PAUSE_S = 1.0


# --- from Django's code -------------------------------------------------------------------------------


def entries(room_id: uuid.UUID, after_seq: int = 0) -> list[Entry]:
    """The log of a room behind this place, in order."""
    rows = LogEntry.objects.filter(room_id=room_id, seq__gt=after_seq).order_by("seq")
    return [read_entry(row) for row in rows.values_list("seq", "at_ms", "role", "stream", "payload")]


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


class LogWriter:
    """Commits whatever arrived while the previous commit was under way, or within the window after it began.

    The first message after a quiet moment is committed at once; under load the window makes commits fewer and
    larger.
    """

    def __init__(self, store: Store, *, window_ms: float, retry_for_s: float = RETRY_FOR_S) -> None:
        self._store = store
        self._window_s = window_ms / 1000
        self._retry_for_s = retry_for_s
        self._waiting: dict[Source, None] = {}
        self._wake = asyncio.Event()
        self.commits = 0

    def mark(self, source: Source) -> None:
        """This room has something to write."""
        self._waiting[source] = None
        self._wake.set()

    async def run(self) -> None:
        """Write until cancelled."""
        loop = asyncio.get_running_loop()
        next_at = loop.time()
        while True:
            await self._wake.wait()
            if (early_s := next_at - loop.time()) > 0:
                await asyncio.sleep(early_s)
            started = loop.time()
            self._wake.clear()
            batch = [(source, taken) for source in self._waiting if (taken := source.take())]
            self._waiting.clear()
            try:
                await self._write(batch)
            except Exception as error:
                logger.exception("the log writer failed")
                _give_up(batch, error)
            took_s = loop.time() - started
            next_at = started + max(self._window_s, min(took_s * TIMES_AS_LONG, LONGEST_WINDOW_S))

    async def _write(self, batch: Batch) -> None:
        if not batch:
            return
        writings = [Writing(source.room_id, source.opened_at, taken) for source, taken in batch]
        try:
            # An outage may come after the commit; then the next attempt meets its own rows.
            await self._with_patience(lambda: self._store.commit(writings))
        except StoreError as error:
            if len(batch) > 1 and not isinstance(error, Unavailable):
                for each in batch:  # one room's trouble must not be another's
                    await self._write([each])
            elif isinstance(error, Conflict):
                await self._settle(batch[0][0])
            else:
                logger.error("the log cannot be written: %s", error)
                _give_up(batch, error)
        else:
            self.commits += 1
            for source, taken in batch:
                source.written(taken[-1].seq)

    async def _settle(self, source: Source) -> None:
        try:
            await self._with_patience(source.conflicted)
        except StoreError as error:
            logger.error("the log cannot be read: %s", error)
            source.lost(error)

    async def _with_patience(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it; over an outage try again for a while."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._retry_for_s
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                return await work()
            except Unavailable:
                if loop.time() + pause_s > deadline:
                    raise
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LAST_PAUSE_S)


def _give_up(batch: Batch, error: Exception) -> None:
    for source, _ in batch:
        source.lost(error)
