"""What the log of a room takes in Postgres: bytes of rows, index and journal per edit, commits per second.

Real typing goes through the store that the rooms use, into a Postgres started for this: many rooms at once,
as they come, once in commits of one edit and once in commits of many.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
import uuid
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.core.management.base import CommandError
from django.db import connection

from rooms.bench.journey import database_conditions
from rooms.bench.sync.edits import find_trace, make_typing
from rooms.live import snapshot
from rooms.live.entry import Entry
from rooms.live.room import Facts, LiveRoom
from rooms.models import Room
from rooms.roles import PEOPLE
from rooms.store import PostgresStore, Writing
from rooms.streams import Stream
from rooms.traces import NotATrace

EDIT_EVERY_MS = 100
"""Two people at five edits a second."""
BATCHES = (1, 20)
FACTS = Facts("", "python", 0, 0, {})
SEED = 5


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("trace", nargs="?", type=Path, help="recorded typing; default: that of bench sync")
    parser.add_argument("--rooms", type=int, default=20, help="rooms that are typed in at once (20)")
    parser.add_argument("--edits", type=int, default=2000, help="edits of each room (2000)")


@dataclass(frozen=True)
class Taken:
    """By one way of committing, in bytes but for the last two."""

    rows: int
    index: int
    journal: int
    commits: int
    seconds: float


def run(
    *, trace: Path | None = None, rooms: int, edits: int, say: Callable[[str], object], **_: object
) -> None:
    """Measure and print. Raises CommandError."""
    path = trace or find_trace()
    try:
        logs = _logs(path, rooms, edits)
    except (NotATrace, OSError) as error:
        raise CommandError(str(error)) from error
    count = rooms * edits
    payload = sum(len(entry.payload) for entries in logs for entry in entries) / count
    say(f"{path.name}: {rooms} rooms of {edits:,} edits, {payload:.1f} bytes an edit as it is sent\n")
    say(f"{'bytes an edit':<26}{'rows':>8}{'index':>8}{'both':>8}{'journal':>10}{'commits/s':>12}")
    with _database():
        for batch in BATCHES:
            taken = asyncio.run(_write(logs, batch))
            each = [value / count for value in (taken.rows, taken.index, taken.rows + taken.index)]
            say(
                f"{f'commits of {batch}':<26}{each[0]:>8.1f}{each[1]:>8.1f}{each[2]:>8.1f}"
                f"{taken.journal / count:>10.1f}{taken.commits / taken.seconds:>12,.0f}"
            )
        body = snapshot.write(LiveRoom.replay(logs[0], FACTS))
        say(f"\nsnapshot of a room after {edits:,} edits: {len(body):,} bytes")
        say(
            "\n".join(
                f"{name:<10}{words}" for name, words in database_conditions().items() if name != "server"
            )
        )


# --- inside -------------------------------------------------------------------------------------------


@contextmanager
def _database() -> Iterator[None]:
    """A Postgres with nothing else in it, which is Django's meanwhile."""
    from anteroom.postgres import EmbeddedPostgres
    from anteroom.serving import Site, migrate

    with tempfile.TemporaryDirectory(prefix="anteroom-bench-") as folder:
        home = Path(folder)
        home.chmod(0o755)  # started by root, the embedded Postgres runs as another user
        postgres = EmbeddedPostgres(home / "postgres")
        try:
            url = postgres.start()
            migrate(url, home)
            with Site(home=home, database_url=url).database():
                yield
        finally:
            postgres.stop()


def _logs(path: Path, rooms: int, edits: int) -> list[list[Entry]]:
    """The entries of each room: both seats type the recording, in turn."""
    typing = make_typing(path)
    for each in typing:
        each.reserve(edits // 2 + 1)
    one = [
        Entry(number + 1, number * EDIT_EVERY_MS, PEOPLE[number % 2], Stream.CODE,
              typing[number % 2].updates[number // 2])
        for number in range(edits)
    ]  # fmt: skip
    return [one] * rooms


async def _write(logs: list[list[Entry]], batch: int) -> Taken:
    """All rooms into the log, their edits mixed, so many in one commit."""
    now = datetime.now(UTC)
    ids = await asyncio.to_thread(_fresh_rooms, len(logs))
    order = [place for place, entries in enumerate(logs) for _ in entries]
    random.Random(SEED).shuffle(order)
    at = [0] * len(logs)
    store = PostgresStore()
    before = await asyncio.to_thread(_sizes)
    began = time.monotonic()
    for start in range(0, len(order), batch):
        taken: dict[int, list[Entry]] = {}
        for place in order[start : start + batch]:
            taken.setdefault(place, []).append(logs[place][at[place]])
            at[place] += 1
        await store.commit([Writing(ids[place], now, entries) for place, entries in taken.items()])
    seconds = time.monotonic() - began
    after = await asyncio.to_thread(_sizes)
    await store.close()
    rows, index, journal = (new - old for new, old in zip(after, before, strict=True))
    return Taken(rows, index, journal, len(range(0, len(order), batch)), seconds)


def _fresh_rooms(count: int) -> list[uuid.UUID]:
    return [Room.objects.create(title="Benchmark", language="python").pk for _ in range(count)]


def _sizes() -> tuple[int, int, int]:
    """Bytes of the log's rows, of its index, and written to the journal so far."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_table_size('rooms_logentry'), pg_indexes_size('rooms_logentry'),"
            " pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"
        )
        rows, index, journal = cursor.fetchone()
        return int(rows), int(index), int(journal)
