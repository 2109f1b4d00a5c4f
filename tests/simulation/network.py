"""Connections between pages and servers: in order as TCP is, never on time, cut at any moment.

What is sent in one direction arrives in order, later, or, from some moment on, not at all. Connections
overtake each other freely. When one is cut, each end hears of it by itself, or does not: a page then gives up
after its own patience, a server after that of its pings.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from tests.simulation.clock import VirtualLoop

PING_S = (20.0, 45.0)
"""When a server gives up a connection that died without a word: its pings, and waiting for an answer."""


@dataclass
class Weather:
    """How the network is; half of a way there and back is `delay_s` in the mean."""

    delay_s: float = 0.02
    unannounced: float = 0.0
    """How often an end does not hear that a connection was cut."""
    unreachable: float = 0.0
    """How often a new connection fails: at once, or by never being answered."""


class Pipe:
    """One direction of a connection."""

    def __init__(
        self, loop: VirtualLoop, random: Random, weather: Weather, deliver: Callable[[list[Any]], None]
    ) -> None:
        """deliver: gets what arrives together, in order."""
        self._loop, self._random, self._weather = loop, random, weather
        self._deliver = deliver
        self._waiting: deque[tuple[float, Any]] = deque()
        self._last_due_s = 0.0
        self._stalled_until_s = 0.0
        self._is_ended = False
        self._timer: asyncio.TimerHandle | None = None

    def put(self, item: Any) -> None:
        if not self._is_ended:
            self._add(item)

    def end(self, last: Any | None) -> None:
        """Cut it: some of what is on its way arrives still, then `last` if there is one, then nothing."""
        if self._is_ended:
            return
        self._is_ended = True
        arrives = self._random.randint(0, len(self._waiting))
        while len(self._waiting) > arrives:
            self._waiting.pop()
        if last is not None:
            self._add(last)

    def finish(self, last: Any) -> None:
        """Close it in good order: everything arrives, then `last`."""
        self.put(last)
        self._is_ended = True

    def stall(self, for_s: float) -> None:
        """Nothing arrives for a while, then everything at once: a tunnel, a full buffer, a slow reader."""
        self._stalled_until_s = self._loop.time() + for_s
        self._arm()

    def _add(self, item: Any) -> None:
        due_s = self._loop.time() + self._weather.delay_s * self._random.expovariate(1.0)
        self._last_due_s = max(self._last_due_s, due_s)
        self._waiting.append((self._last_due_s, item))
        if len(self._waiting) == 1:
            self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            at_s = max(self._waiting[0][0], self._stalled_until_s)
            self._timer = self._loop.after(max(0.0, at_s - self._loop.time()), self._arrive)

    def _arrive(self) -> None:
        self._timer = None
        arrived: list[Any] = []
        while self._waiting and self._waiting[0][0] <= self._loop.time():
            arrived.append(self._waiting.popleft()[1])
        self._arm()
        if arrived:
            self._deliver(arrived)


@dataclass(frozen=True, slots=True)
class Gone:
    """The connection is over, as the end that gets this sees it."""

    code: int = 1006
    reason: str = ""


class PageEnd(Protocol):
    def hear(self, socket: int, frames: list[bytes]) -> None: ...
    def gone(self, socket: int, code: int, reason: str) -> None: ...


class Link:
    """One WebSocket between a page and a server."""

    def __init__(
        self, loop: VirtualLoop, random: Random, weather: Weather, page: PageEnd, socket: int,
        to_server: Callable[[list[Any]], None],
    ) -> None:  # fmt: skip
        """to_server: gets frames and Gone, on the server's behalf."""
        self._loop, self._random, self._weather = loop, random, weather
        self._page, self._socket = page, socket
        self._to_server = to_server
        self.up = Pipe(loop, random, weather, self._at_server)
        self.down = Pipe(loop, random, weather, self._at_page)
        self.is_open = True

    # --- the two ends ---------------------------------------------------------------------------------

    def page_sends(self, frame: bytes) -> None:
        self.up.put(frame)

    def page_closes(self) -> None:
        """Also when its tab is closed: the system says so for it."""
        self.is_open = False
        self.up.finish(Gone(1001))

    def server_sends(self, frame: bytes) -> None:
        self.down.put(frame)

    def server_closes(self, code: int, reason: str) -> None:
        self.is_open = False
        self.down.finish(Gone(code, reason))

    def server_dies(self) -> None:
        """Its process is killed; the system closes what it had open, unless the machine went with it."""
        self.is_open = False
        self.up.end(None)
        if self._hears():
            self.down.finish(Gone())
        else:
            self.down.end(None)

    def cut(self) -> None:
        """The network drops it, somewhere on the way."""
        self.is_open = False
        self.down.end(Gone() if self._hears() else None)
        if self._hears():
            self.up.end(Gone())
        else:
            self.up.end(None)
            self._loop.after(self._random.uniform(*PING_S), self._to_server, [Gone()])

    def deafen(self) -> None:
        """One direction is lost without either end hearing of it."""
        if self._random.random() < 0.5:
            self.down.end(None)
        else:
            self.up.end(None)
        self._loop.after(self._random.uniform(*PING_S), self._to_server, [Gone()])

    def stall(self, for_s: float) -> None:
        self._random.choice((self.up, self.down)).stall(for_s)

    # --- inside ---------------------------------------------------------------------------------------

    def _hears(self) -> bool:
        return self._random.random() >= self._weather.unannounced

    def _at_server(self, items: list[Any]) -> None:
        self._to_server(items)

    def _at_page(self, items: list[Any]) -> None:
        frames = [item for item in items if not isinstance(item, Gone)]
        if frames:
            self._page.hear(self._socket, frames)
        if isinstance(items[-1], Gone):
            self.is_open = False
            self._page.gone(self._socket, items[-1].code, items[-1].reason)
