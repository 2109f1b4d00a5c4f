"""Recorded histories of people typing, and how they are typed again into a room.

The format is that of https://github.com/josephg/editing-traces, sequential or concurrent. In a concurrent one
the transactions form a graph; here each side's own edits stand in order, each with how many of the other
side's it had seen.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rooms.client import Patch, RoomClient


@dataclass(frozen=True, slots=True)
class Change:
    """One edit of one side: what it changed, having seen so many edits of the other side."""

    sees: int
    patches: tuple[Patch, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """Each side's edits in its own order, and the text in the end."""

    sides: tuple[list[Change], ...]
    start: str
    end: str


class NotATrace(ValueError):
    """The file is not a trace that two seats can type."""


def read_trace(path: Path) -> Trace:
    """The trace in a .json or .json.gz file. Raises NotATrace, OSError."""
    try:
        raw = path.read_bytes()
        told = json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)
        transactions = told["txns"]
        if told.get("kind") == "concurrent":
            sides = _sides(transactions)
        else:
            sides = ([Change(0, _patches(each)) for each in transactions],)
        return Trace(sides, told.get("startContent", ""), told["endContent"])
    except (KeyError, TypeError, ValueError, EOFError, gzip.BadGzipFile) as error:
        raise NotATrace(f"{path.name} is not an editing trace: {error}") from error


def _sides(transactions: list[dict[str, Any]]) -> tuple[list[Change], ...]:
    sides: tuple[list[Change], list[Change]] = ([], [])
    histories: list[tuple[int, int]] = []
    for transaction in transactions:
        agent = transaction["agent"]
        if agent not in (0, 1):
            raise NotATrace("a room has two sides that write, and this trace has more")
        seen = [0, 0]
        for parent in transaction["parents"]:
            seen = [max(pair) for pair in zip(seen, histories[parent], strict=True)]
        if seen[agent] != len(sides[agent]):
            raise NotATrace("one writer's edits do not follow one another")
        sides[agent].append(Change(seen[1 - agent], _patches(transaction)))
        seen[agent] += 1
        histories.append((seen[0], seen[1]))
    return sides


def _patches(transaction: dict[str, Any]) -> tuple[Patch, ...]:
    return tuple((position, deleted, inserted) for position, deleted, inserted in transaction["patches"])


async def type_trace(
    trace: Trace,
    clients: tuple[RoomClient, RoomClient],
    *,
    per_second: float = 0,
    on_change: Callable[[], None] = lambda: None,
) -> None:
    """Type both sides into the room at once and wait until all is saved and seen.

    The clients' documents must hold trace.start; where both typed at one place at one time the order is that
    of the clientIDs, so the first client's must be the lower one. per_second: edits of each side; 0 for as
    fast as it goes. on_change is called after each edit.
    """
    for client in clients:
        client.holds_edits, client.edits_seen = True, 0
    async with asyncio.TaskGroup() as group:
        for client, changes in zip(clients, trace.sides, strict=False):
            group.create_task(_type_side(client, changes, per_second, on_change))
    totals = [len(changes) for changes in trace.sides]
    for client, others in zip(clients, (totals[1:], totals[:1]), strict=True):
        await client.until_saved()
        await client.see(sum(others))
        client.holds_edits = False
        while client.held:
            client.doc.apply_update(client.held.popleft())


async def _type_side(
    client: RoomClient, changes: list[Change], per_second: float, on_change: Callable[[], None]
) -> None:
    due = time.monotonic()
    for change in changes:
        await client.see(change.sees, timeout_s=60)
        await client.edit(*change.patches)
        on_change()
        if per_second:
            due = max(due + 1 / per_second, time.monotonic() - 1)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
