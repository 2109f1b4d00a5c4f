"""What may wait a little, for company: each is told in its turn, at the latest when it is due."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

LOOK_EVERY_S = 0.01
"""One timer for all; one each would cost what waiting spares."""

Waiting = TypeVar("Waiting")


class Soon(Generic[Waiting]):
    """Calls `tell` with whatever was added, `wait_s` after that; once more then if it returns False."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, wait_s: float, tell: Callable[[Waiting], bool]
    ) -> None:
        self._loop = loop
        self._wait_s = wait_s
        self._tell = tell
        self._due: dict[Waiting, float] = {}
        """When; the first is due first."""
        self._is_looking = False

    def add(self, waiting: Waiting) -> None:
        """This has something to tell; nothing changes if it waits already."""
        if waiting not in self._due:
            self._due[waiting] = self._loop.time() + self._wait_s
            self._look_later()

    def discard(self, waiting: Waiting) -> None:
        """It has found company."""
        self._due.pop(waiting, None)

    def _look_later(self) -> None:
        if not self._is_looking:
            self._is_looking = True
            self._loop.call_later(LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        again = []
        while self._due:
            waiting, due = next(iter(self._due.items()))
            if due > now:
                break
            del self._due[waiting]
            if not self._tell(waiting):
                again.append(waiting)
        for waiting in again:
            self._due[waiting] = now + self._wait_s
        self._is_looking = False
        if self._due:
            self._look_later()
