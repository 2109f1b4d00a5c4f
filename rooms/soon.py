"""Rooms that have something to tell that may wait a little, for company."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rooms.held import HeldRoom

LOOK_EVERY_S = 0.01
"""One timer for all rooms; each of them would cost what it saves."""


class Soon:
    """Calls `tell` for every room that was added, `wait_s` after that; while it returns False, again then."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, wait_s: float, tell: Callable[[HeldRoom], bool]
    ) -> None:
        self._loop = loop
        self._wait_s = wait_s
        self._tell = tell
        self._due: dict[HeldRoom, float] = {}
        """When; the first is due first."""

    def add(self, held: HeldRoom) -> None:
        """This room has something to tell; nothing changes if it waits already."""
        if held not in self._due:
            if not self._due:
                self._loop.call_later(LOOK_EVERY_S, self._look)
            self._due[held] = self._loop.time() + self._wait_s

    def _look(self) -> None:
        now = self._loop.time()
        again = []
        while self._due:
            held, due = next(iter(self._due.items()))
            if due > now:
                break
            del self._due[held]
            if not held.is_lost and not self._tell(held):
                again.append(held)
        for held in again:
            self._due[held] = now + self._wait_s
        if self._due:
            self._loop.call_later(LOOK_EVERY_S, self._look)
