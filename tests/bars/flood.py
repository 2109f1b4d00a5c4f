"""A reader that does not read, floods of messages and pings, a body of 400 MB, half-sent requests: each makes
the memory of the server grow by 32 MiB at most, and meanwhile others are served.

Everything is as shipped, with nothing in front of the server. While an attack lasts, two people type in a
room of their own and a page is asked for again and again; how long that takes is told.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Self

import httpx
import psutil  # type: ignore[import-untyped]
from websockets.exceptions import WebSocketException

from anteroom.serving import Site
from rooms.client import RoomClient
from tests.bars import Say, Verdict
from tests.bars.attacks import ATTACKS, Attack
from tests.bars.harness import Couple, make_couple, memory_bytes, server_process, stage

LIMIT_MIB = 32
MIB = 1024 * 1024
LOOK_EVERY_S = 0.02
SERVED_WITHIN_S = 5.0
"""A bystander who waits longer than this is not served."""
QUIET_WITHIN_S = 30.0
"""Until the server has loaded all that it loads on first use, so that no attack is blamed for it."""
ATTACK_WITHIN_S = 60.0


def run(
    *,
    runs: int | None,
    plant: bool,
    say: Say,
    shell: str = "daphne",
    attacks: tuple[type[Attack], ...] = ATTACKS,
) -> Verdict:
    """runs: how often each attack is made, by default once. plant: Daphne as it comes, without our bounds."""
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells every request
    grown: dict[str, float] = {}
    served: dict[str, dict[str, float]] = {}
    unserved: list[str] = []
    endured: list[str] = []
    notes: dict[str, str] = {}
    with stage(plant="stock-daphne" if plant else None, shell=shell) as on:
        for make in attacks * (runs or 1):
            attack = make(on.site)
            found = asyncio.run(_attack(attack, _Bystanders(on.site, make_couple(on.site))))
            name = attack.name
            grown[name] = max(grown.get(name, 0.0), round(found.grown_bytes / MIB, 1))
            served[name] = found.served_ms
            unserved += [f"{name}: {each}" for each in found.unserved]
            notes[name] = attack.note
            endured += [name] * attack.is_endured
            say(f"{name}: grew by {grown[name]:.1f} MiB, others waited {found.served_ms}; {attack.note}")
    worst = max(grown.values())
    return Verdict(
        "flood", worst, LIMIT_MIB, worst <= LIMIT_MIB and not unserved and not endured,
        {"grown_mib": grown, "others_waited_ms": served, "unserved": unserved, "endured": endured,
         "notes": notes, "shell": shell},
    )  # fmt: skip


@dataclass
class _Found:
    grown_bytes: int
    served_ms: dict[str, float]
    unserved: list[str]


async def _attack(attack: Attack, bystanders: _Bystanders) -> _Found:
    server = server_process(attack.site)
    async with bystanders:
        await attack.prepare()
        await bystanders.served_once()
        before = await _quiet_bytes(server)
        most = before
        attacking = asyncio.create_task(attack.run())
        try:
            async with asyncio.timeout(ATTACK_WITHIN_S):
                while not attacking.done():
                    await asyncio.wait([attacking], timeout=LOOK_EVERY_S)
                    most = max(most, memory_bytes(server))
            await attacking
            await bystanders.served_once()
            most = max(most, memory_bytes(server))
        finally:
            attacking.cancel()
            await asyncio.gather(attacking, return_exceptions=True)
            await attack.end()
        return _Found(most - before, bystanders.slowest_ms, bystanders.unserved)


async def _quiet_bytes(server: psutil.Process) -> int:
    """The memory of a server that has stopped growing by itself."""
    deadline = time.monotonic() + QUIET_WITHIN_S
    last = memory_bytes(server)
    while True:
        await asyncio.sleep(0.7)  # time itself is the condition
        now = memory_bytes(server)
        if now <= last + MIB // 4 or time.monotonic() > deadline:
            return now
        last = now


@dataclass
class _Bystanders:
    """Two people who type in a room of their own, and somebody who opens pages."""

    site: Site
    couple: Couple
    slowest_ms: dict[str, float] = field(default_factory=dict)
    unserved: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rounds = 0
        self._round = asyncio.Event()

    async def __aenter__(self) -> Self:
        for client in self.couple.clients:
            await client.connect()
        self._pages = httpx.AsyncClient(base_url=self.site.url, timeout=SERVED_WITHIN_S)
        self._tasks = [asyncio.create_task(each) for each in (self._type(), self._browse())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._pages.aclose()
        for client in self.couple.clients:
            with suppress(OSError, WebSocketException):
                await client.close()

    async def served_once(self) -> None:
        """Wait until a keystroke made after this moment has arrived."""
        wanted = self._rounds + 2
        async with asyncio.timeout(2 * SERVED_WITHIN_S):
            while self._rounds < wanted and not self._tasks[0].done():
                self._round.clear()
                await self._round.wait()

    async def _type(self) -> None:
        one, other = self.couple.clients
        while True:
            word = f"key {self._rounds}"
            await one.edit((0, len(str(one.text)), word))
            await self._clock("a keystroke", partial(_arrived, other, word))
            self._rounds += 1
            self._round.set()
            await asyncio.sleep(0.05)

    async def _browse(self) -> None:
        while True:
            await self._clock("a page", lambda: self._pages.get("/robots.txt"))
            await asyncio.sleep(0.05)

    async def _clock(self, what: str, serve: Callable[[], Awaitable[object]]) -> None:
        began = time.monotonic()
        try:
            await serve()
        except (TimeoutError, OSError, httpx.HTTPError, WebSocketException) as error:
            self.unserved.append(f"{what}: {type(error).__name__}")
        took_ms = round((time.monotonic() - began) * 1000)
        self.slowest_ms[what] = max(self.slowest_ms.get(what, 0), took_ms)


async def _arrived(client: RoomClient, word: str) -> None:
    await client.until(lambda: str(client.text) == word, "a keystroke", SERVED_WITHIN_S)
