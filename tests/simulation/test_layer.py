"""What the engine relies on at a channel layer: Channels' own keeps it, and so does the stand-in."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from random import Random
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer

from tests.simulation.clock import VirtualLoop
from tests.simulation.layer import Exchange, SimulatedLayer, Weather


class Real:
    """Channels in memory: one object for all."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._layer = InMemoryChannelLayer()

    def layer(self) -> Any:
        return self._layer

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            self._loop.run_until_complete(work)
        finally:
            self._loop.close()


class Simulated:
    """tests/simulation/layer.py: one object for each process."""

    def __init__(self) -> None:
        self._loop = VirtualLoop(Random(1))
        self._exchange = Exchange(self._loop, Weather(), Random(1))

    def layer(self) -> Any:
        return SimulatedLayer(self._exchange)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            self._loop.run_until_complete(work)
        finally:
            self._loop.close()


@pytest.fixture(params=[Real, Simulated], ids=["channels", "simulated"])
def setting(request: pytest.FixtureRequest) -> Real | Simulated:
    made: Real | Simulated = request.param()
    return made


async def hears(layer: Any, channel: str) -> dict[str, Any] | None:
    """The next message; None when nothing comes."""
    try:
        async with asyncio.timeout(0.2):
            message: dict[str, Any] = await layer.receive(channel)
            return message
    except TimeoutError:
        return None


def test_a_group_is_told_once_each_and_its_sender_too(setting: Real | Simulated) -> None:
    async def check() -> None:
        layers = [setting.layer() for _ in range(3)]
        channels = [await layer.new_channel() for layer in layers]
        assert len(set(channels)) == 3
        for layer, channel in zip(layers[:2], channels[:2], strict=True):
            await layer.group_add("room.1", channel)
            await layer.group_add("room.1", channel)  # again, as whoever fears to be forgotten does
        await layers[0].group_send("room.1", {"type": "room.grown", "seq": 7})
        for layer, channel in zip(layers[:2], channels[:2], strict=True):
            assert await hears(layer, channel) == {"type": "room.grown", "seq": 7}
            assert await hears(layer, channel) is None
        assert await hears(layers[2], channels[2]) is None

    setting.run(check())


def test_who_left_a_group_hears_nothing_of_it(setting: Real | Simulated) -> None:
    async def check() -> None:
        layer = setting.layer()
        channel = await layer.new_channel()
        await layer.group_add("room.1", channel)
        await layer.group_add("room.2", channel)
        await layer.group_discard("room.1", channel)
        await layer.group_discard("room.1", channel)
        await layer.group_send("room.1", {"type": "a"})
        await layer.group_send("room.2", {"type": "b"})
        assert await hears(layer, channel) == {"type": "b"}
        assert await hears(layer, channel) is None
        await layer.group_send("room.3", {"type": "c"})  # nobody is there: nothing happens

    setting.run(check())


def test_everybody_gets_a_message_of_their_own(setting: Real | Simulated) -> None:
    async def check() -> None:
        layer = setting.layer()
        one, other = await layer.new_channel(), await layer.new_channel()
        for channel in (one, other):
            await layer.group_add("room.1", channel)
        sent = {"type": "points", "states": {"1": "x"}}
        await layer.group_send("room.1", sent)
        sent["states"]["1"] = "y"  # type: ignore[index]
        first = await hears(layer, one)
        assert first == {"type": "points", "states": {"1": "x"}}
        first["states"].clear()
        assert await hears(layer, other) == {"type": "points", "states": {"1": "x"}}

    setting.run(check())
