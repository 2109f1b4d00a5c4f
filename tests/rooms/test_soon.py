"""What waits a little for company, and that it does not wait for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random

import pytest
from channels.db import database_sync_to_async

from rooms import keeper as keeping
from rooms.keeper import Keeper
from rooms.roles import Role
from rooms.soon import LOOK_EVERY_S, Soon
from rooms.wire import Committed, Edit, Welcome
from tests.rooms.inbox import Inbox
from tests.rooms.people import Pair, make_pair
from tests.rooms.test_gate import number, text, update
from tests.rooms.test_keeper import DEADLINE_S, permit_of, read_until
from tests.rooms.test_live_room import typed
from tests.simulation.clock import VirtualLoop

WAIT_S = 0.05
LATE_S = LOOK_EVERY_S + 0.02
"""The looks are so far apart, and the virtual clock's timers a little late."""

ONE_MORE_OF_HIS = update(b"\x84" + number(2, 2) + text("!"), client=2, clock=3)


def play(part: Callable[[asyncio.AbstractEventLoop], Awaitable[None]]) -> None:
    """In virtual time."""
    loop = VirtualLoop(Random(1))
    try:
        loop.run_until_complete(part(loop))  # type: ignore[arg-type]
    finally:
        loop.close()


def test_each_is_told_once_when_it_is_due() -> None:
    async def part(loop: asyncio.AbstractEventLoop) -> None:
        told: list[tuple[str, float]] = []

        def tell(name: str) -> bool:
            told.append((name, loop.time()))
            return True

        soon = Soon[str](loop, WAIT_S, tell)
        soon.add("first")
        await asyncio.sleep(0.02)
        soon.add("second")
        soon.add("first")
        await asyncio.sleep(1)
        assert [name for name, _ in told] == ["first", "second"]
        assert [at for _, at in told] == [
            pytest.approx(WAIT_S, abs=LATE_S), pytest.approx(WAIT_S + 0.02, abs=LATE_S),
        ]  # fmt: skip

    play(part)


def test_who_found_company_is_left_out_and_starts_anew() -> None:
    async def part(loop: asyncio.AbstractEventLoop) -> None:
        told: list[float] = []
        soon = Soon[str](loop, WAIT_S, lambda name: not told.append(loop.time()))
        soon.add("one")
        await asyncio.sleep(WAIT_S * 0.8)
        soon.discard("one")
        soon.discard("one")
        soon.add("one")
        await asyncio.sleep(1)
        assert told == [pytest.approx(WAIT_S * 1.8, abs=LATE_S)]

    play(part)


def test_who_could_not_be_told_is_asked_again() -> None:
    async def part(loop: asyncio.AbstractEventLoop) -> None:
        asked: list[float] = []

        def tell(name: str) -> bool:
            asked.append(loop.time())
            return len(asked) == 3

        Soon[str](loop, WAIT_S, tell).add("one")
        await asyncio.sleep(1)
        assert len(asked) == 3 and asked[2] >= 3 * WAIT_S

    play(part)


@pytest.fixture
async def keeper(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Keeper]:
    """One that has nothing to say by itself for a minute."""
    monkeypatch.setattr(keeping, "SAVED_WITHIN_S", 60)
    keeper = Keeper(beat_s=60)
    yield keeper
    await keeper.close()


async def come(keeper: Keeper, pair: Pair, role: Role = Role.CANDIDATE) -> Inbox:
    inbox = await Inbox.enter(keeper, await permit_of(pair, role))
    await read_until(inbox, Welcome)
    return inbox


async def until_saved(inbox: Inbox) -> None:
    seen: list[object] = []
    while not any(isinstance(each, Committed) and each.saved == 1 for each in seen):
        seen = await read_until(inbox, Committed)


@pytest.mark.django_db(transaction=True)
async def test_saved_goes_with_what_the_other_side_does(keeper: Keeper) -> None:
    pair = await database_sync_to_async(make_pair)()
    hers, his = await come(keeper, pair), await come(keeper, pair, Role.INTERVIEWER)
    keeper.receive(his.held, his.socket, Edit(typed("his", 2)))
    await read_until(hers, Edit)
    assert hers.socket.has_company
    keeper.receive(hers.held, hers.socket, Edit(typed("hers", 1)))
    await read_until(his, Edit)
    assert not hers.socket.outbox and hers.socket.told_saved == 0, "it waits"
    keeper.receive(his.held, his.socket, Edit(ONE_MORE_OF_HIS))
    seen = await read_until(hers, Committed)
    assert [type(message) for message in seen] == [Edit, Committed]
    assert isinstance(seen[1], Committed) and seen[1].saved == 1


@pytest.mark.django_db(transaction=True)
async def test_who_types_alone_is_told_soon(keeper: Keeper) -> None:
    hers = await come(keeper, await database_sync_to_async(make_pair)())
    keeper.receive(hers.held, hers.socket, Edit(typed("hers")))
    await until_saved(hers)


@pytest.mark.django_db(transaction=True)
async def test_nobody_leaves_untold(keeper: Keeper) -> None:
    hers = await come(keeper, await database_sync_to_async(make_pair)())
    hers.socket.has_company = True
    keeper.receive(hers.held, hers.socket, Edit(typed("hers")))
    draining = asyncio.create_task(keeper.drain())
    await until_saved(hers)
    keeper.leave(hers.held, hers.socket)
    async with asyncio.timeout(DEADLINE_S):
        await draining
