"""What one person may send and hold, without a socket."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from rooms import limits as module
from rooms.errors import Busy, TooManySockets
from rooms.limits import BURST_S, HANDSHAKE_BURST, Limits, Rate


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "monotonic", clock)
    return clock


def limits_of(messages: float = 100, size: float = 0, *, sockets: int = 0, handshakes: float = 0) -> Limits:
    return Limits(Rate(messages, size), sockets_per_person=sockets, handshakes_per_minute=handshakes)


def send(allowance: module.Allowance, clock: Clock, seconds: float, size_bytes: int = 10) -> int:
    """Send as fast as one is read from, for so long; how many went through."""
    sent, end_s = 0, clock.now_s + seconds
    while clock.now_s < end_s:
        sent += 1
        if not allowance.take(size_bytes):
            assert allowance.wait_s > 0
            clock.now_s += allowance.wait_s
    return sent


async def test_who_types_is_never_held_up(clock: Clock) -> None:
    allowance = limits_of(100, 10_000).sit_down(uuid.uuid4())
    for _ in range(20_000):
        clock.now_s += 1 / 90
        assert allowance.take(100)
        assert allowance.wait_s <= 0


async def test_a_burst_is_let_through_and_a_flood_slowed_to_the_rate(clock: Clock) -> None:
    allowance = limits_of(100).sit_down(uuid.uuid4())
    burst = 0
    while allowance.take(10):
        burst += 1
    assert burst == pytest.approx(100 * BURST_S, abs=20)
    assert send(allowance, clock, 60) == pytest.approx(6_000, abs=40)


async def test_large_messages_are_slowed_by_their_bytes(clock: Clock) -> None:
    allowance = limits_of(0, 1_000).sit_down(uuid.uuid4())
    assert send(allowance, clock, 100, size_bytes=500) == pytest.approx((BURST_S + 100) * 2, abs=20)


async def test_no_limit_is_none(clock: Clock) -> None:
    allowance = limits_of(0, 0).sit_down(uuid.uuid4())
    assert all(allowance.take(60_000) for _ in range(10_000))


async def test_the_tabs_of_a_person_share_and_others_do_not_notice(clock: Clock) -> None:
    limits, person = limits_of(100), uuid.uuid4()
    tabs = [limits.sit_down(person) for _ in range(8)]
    through = 0
    for tab in tabs:
        while tab.take(10):
            through += 1
    assert through == pytest.approx(2 * 100 * BURST_S, abs=20 * len(tabs))
    other = limits.sit_down(uuid.uuid4())
    assert other.take(10) and other.wait_s <= 0


async def test_reconnecting_fills_no_bucket(clock: Clock) -> None:
    limits, person = limits_of(100), uuid.uuid4()
    for _ in range(2):
        tab = limits.sit_down(person)
        while tab.take(10):
            pass
        tab.give_back()
    tab = limits.sit_down(person)
    through = 0
    while tab.take(10):
        through += 1
    assert through < 30


async def test_sockets_are_counted_and_given_back(clock: Clock) -> None:
    limits, person = limits_of(sockets=2), uuid.uuid4()
    first, _ = limits.sit_down(person), limits.sit_down(person)
    with pytest.raises(TooManySockets):
        limits.sit_down(person)
    limits.sit_down(uuid.uuid4())
    first.give_back()
    limits.sit_down(person)


async def test_who_knocks_too_often_is_asked_to_wait(clock: Clock) -> None:
    limits = limits_of(handshakes=60)

    async def knock(key: str = "one") -> None:
        async with limits.turn(key):
            pass

    for _ in range(HANDSHAKE_BURST):
        await knock()
    with pytest.raises(Busy):
        await knock()
    await knock("another")
    clock.now_s += 1
    await knock()
    with pytest.raises(Busy):
        await knock()


async def test_only_so_many_are_at_the_door_and_in_line(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_THE_DOOR", 2)
    monkeypatch.setattr(module, "IN_LINE", 4)
    limits, opened, at_the_door, most = limits_of(), asyncio.Event(), 0, 0

    async def knock() -> None:
        nonlocal at_the_door, most
        async with limits.turn(""):
            at_the_door += 1
            most = max(most, at_the_door)
            await opened.wait()
            at_the_door -= 1

    knocking = [asyncio.create_task(knock()) for _ in range(4)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await knock()
    opened.set()
    await asyncio.gather(*knocking)
    assert most == 2
    await knock()
