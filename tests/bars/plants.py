"""Protections broken on purpose, in the server's own process and nowhere in the product.

    python -m tests.bars.plants PLANT MODULE ARGUMENTS…

breaks one thing and then becomes `python -m MODULE ARGUMENTS…`, such as Daphne. A bar that still holds then
would show nothing.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import runpy
import sys
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rooms.passes import Pass

PLANTS: dict[str, Callable[[], None]] = {}
"""By the name of the function, with hyphens. Called with Django set up and the server not yet running."""


def plant(break_it: Callable[[], None]) -> Callable[[], None]:
    """Make this function a plant."""
    PLANTS[break_it.__name__.replace("_", "-")] = break_it
    return break_it


LAG_S = 0.1


@plant
def acknowledge_before_commit() -> None:
    """What was received counts as committed at once, and is written a moment later: a write-behind cache."""
    from rooms.store import PostgresStore, Writing

    commit = PostgresStore.commit
    writing: dict[PostgresStore, asyncio.Task[None]] = {}

    async def write(store: PostgresStore, batch: list[Writing], before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        await asyncio.sleep(LAG_S)
        await commit(store, batch)

    async def commit_later(self: PostgresStore, batch: list[Writing]) -> None:
        writing[self] = asyncio.create_task(write(self, batch, writing.get(self)))

    PostgresStore.commit = commit_later  # type: ignore[method-assign]


@plant
def no_recheck() -> None:
    """Whoever came in stays in: rights are looked at when a socket opens and never again."""
    from rooms.store import PostgresStore

    async def nobody(self: PostgresStore, passes: Sequence[Pass]) -> list[int]:
        return []

    PostgresStore.spent = nobody  # type: ignore[method-assign]


@plant
def no_numbers() -> None:
    """Nothing tells where the log stands: not the frames, not the wake-ups, not a look at the database."""
    from rooms import wakeups
    from rooms.store import PostgresStore
    from rooms.wire import Beat, Committed

    encode_committed, encode_beat = Committed.encode, Beat.encode
    has_grown = wakeups.has_grown

    async def no_heads(self: PostgresStore, room_ids: list[uuid.UUID]) -> dict[uuid.UUID, int]:
        return {}

    Committed.encode = lambda self: encode_committed(Committed(0, 0, self.saved))  # type: ignore[method-assign]
    Beat.encode = lambda self: encode_beat(Beat(0, self.at_ms))  # type: ignore[method-assign,attr-defined]
    wakeups.has_grown = lambda room_id, seq, process="": has_grown(room_id, 0, process)
    PostgresStore.heads = no_heads  # type: ignore[method-assign]


@plant
def forget_groups() -> None:
    """What Redis forgot stays forgotten: nobody joins a room's group again, and nobody looks at the logs."""
    from rooms.neighbours import Neighbours
    from rooms.store import PostgresStore

    listen_to, stop_listening_to = Neighbours.listen_to, Neighbours.stop_listening_to
    joined: set[uuid.UUID] = set()

    async def listen_once(self: Neighbours, room_id: uuid.UUID) -> None:
        if room_id not in joined:
            joined.add(room_id)
            await listen_to(self, room_id)

    async def leave(self: Neighbours, room_id: uuid.UUID) -> None:
        joined.discard(room_id)
        await stop_listening_to(self, room_id)

    async def no_heads(self: PostgresStore, room_ids: list[uuid.UUID]) -> dict[uuid.UUID, int]:
        return {}

    Neighbours.listen_to = listen_once  # type: ignore[method-assign]
    Neighbours.stop_listening_to = leave  # type: ignore[method-assign]
    PostgresStore.heads = no_heads  # type: ignore[method-assign]


@plant
def gate_off() -> None:
    """Every update goes straight to pycrdt, as in a server that trusts its clients."""
    from rooms.live.gate import Gate, Passed
    from rooms.roles import Role

    def wave_through(self: Gate, role: Role, update: bytes) -> Passed:
        return Passed(ends={0: 1}, is_next=True, deletes=False, halves={})

    Gate.check = wave_through  # type: ignore[method-assign]


@plant
def no_resync() -> None:
    """Whoever asks for the rest of the code is told that there is none."""
    from rooms.live.document import NOTHING, Document

    def nothing(self: Document, vector: bytes) -> bytes:
        return NOTHING

    Document.since = nothing  # type: ignore[method-assign]


@plant
def no_durable_commits() -> None:
    """A commit no longer waits for the disk: what was acknowledged may still be in Postgres' memory."""
    from psycopg import AsyncConnection

    connect = AsyncConnection.connect

    async def hasty(*arguments: Any, options: str = "", **given: Any) -> AsyncConnection[Any]:
        options = options.replace("synchronous_commit=on", "synchronous_commit=off")
        assert "synchronous_commit=off" in options, "the log no longer says how it commits"
        return await connect(*arguments, options=options, **given)

    AsyncConnection.connect = hasty  # type: ignore[assignment,method-assign]


@plant
def stock_daphne() -> None:
    """The server as it comes: queues without end in both directions, bodies of any size, endless patience."""
    from anteroom import bodies, daphne_requests, daphne_sockets

    without_end = 1 << 60
    daphne_sockets.MAX_WAITING_MESSAGES = daphne_sockets.MAX_UNSENT_BYTES = without_end
    bodies.MAX_BODY_BYTES = without_end
    daphne_requests.install = lambda: None


@plant
def early_reveal() -> None:
    """One submission opens the seal."""
    from feedback import seal

    seal.is_open = lambda sides, deadline_at, now: bool(sides) or now >= deadline_at


def main() -> None:
    name, module, *arguments = sys.argv[1:]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "anteroom.settings")
    if module == "daphne":
        importlib.import_module("daphne.server")  # before anything that brings Twisted's reactor
    import django

    django.setup()
    PLANTS[name]()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    # Under its own name too, so that what a plant imports does not load this file twice.
    sys.modules["tests.bars.plants"] = sys.modules["__main__"]
    main()
