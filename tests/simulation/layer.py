"""A channel layer that loses, repeats and delays what it is given, and forgets who listens."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.simulation.clock import VirtualLoop

CAPACITY = 100
"""Messages waiting for one channel; more are dropped, as Channels does."""


@dataclass
class Weather:
    """How often a message goes wrong; all zero on a good day."""

    dropped: float = 0.0
    repeated: float = 0.0
    delay_s: float = 0.001
    is_down: bool = False
    """Every call raises."""


class Exchange:
    """What the processes share: a Redis. `forget` is its restart."""

    def __init__(self, loop: VirtualLoop, weather: Weather, random: Random) -> None:
        self.loop, self.weather, self.random = loop, weather, random
        self.queues: dict[str, asyncio.Queue[dict[str, Any]]] = {}
        self.groups: dict[str, dict[str, None]] = {}

    def forget(self) -> None:
        """Groups and waiting messages are gone; who was listening still listens."""
        self.groups.clear()
        for queue in self.queues.values():
            while not queue.empty():
                queue.get_nowait()

    def deliver(self, channel: str, message: dict[str, Any]) -> None:
        queue = self.queues.get(channel)
        if queue is not None and queue.qsize() < CAPACITY:
            queue.put_nowait(message)


class SimulatedLayer:
    """One process's way to the exchange; what the engine uses of a Channels layer."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def new_channel(self, prefix: str = "specific.") -> str:
        self._check()
        channel = f"{prefix}simulated!{len(self._exchange.queues)}"
        self._exchange.queues[channel] = asyncio.Queue()
        return channel

    async def receive(self, channel: str) -> dict[str, Any]:
        """The next message. Messages may arrive in another order than they were sent in."""
        self._check()
        message = await self._exchange.queues[channel].get()
        self._check()
        return message

    async def group_add(self, group: str, channel: str) -> None:
        self._check()
        self._exchange.groups.setdefault(group, {})[channel] = None

    async def group_discard(self, group: str, channel: str) -> None:
        self._check()
        self._exchange.groups.get(group, {}).pop(channel, None)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        self._check()
        exchange = self._exchange
        for channel in exchange.groups.get(group, {}):
            copies = 1 + (exchange.random.random() < exchange.weather.repeated)
            copies *= exchange.random.random() >= exchange.weather.dropped
            for _ in range(copies):
                delay_s = exchange.random.expovariate(1.0) * exchange.weather.delay_s
                exchange.loop.after(delay_s, exchange.deliver, channel, copy.deepcopy(message))

    def _check(self) -> None:
        if self._exchange.weather.is_down:
            raise ConnectionError("the channel layer is down")
