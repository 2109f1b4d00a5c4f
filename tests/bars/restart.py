"""Redis and Postgres go away and come back while people type, the two sides of each room on different server
processes: nothing is lost, and within ten seconds each side sees again what the other one does.

A socket that stays open and tells nothing would be the worst of ends, so after each return one side alone
does something, and then the other: nobody's own writing may wake them.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import cycle
from pathlib import Path

from django.db import connections

from anteroom.postgres import EmbeddedPostgres
from anteroom.redis import OwnRedis
from anteroom.serving import Site
from anteroom.steps import Trouble
from rooms.client import RoomClient
from rooms.roles import Role
from tests.bars import CannotTry, Say, Verdict
from tests.bars.harness import UNHURRIED, Stopwatch, stage
from tests.bars.typists import GONE, Table, Typist, digest
from tests.rooms.people import client_of

RESTARTS = 20
ROOMS = 2
LIMIT_S = 10.0
GIVE_UP_S = 12.0
"""From the return of the service: beyond the limit, and beyond the longest wait of a page."""
TYPING_S = 0.4
PAUSE_S = 0.03
LOOK_EVERY_S = 0.01
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 4.0
"""connection.ts: how long a page waits before it comes back."""
SEED = 4


def run(*, runs: int | None, plant: bool, say: Say, shell: str = "daphne") -> Verdict:
    """runs: restarts of each. plant: who was forgotten by Redis joins no group again, and looks at no log."""
    with tempfile.TemporaryDirectory(prefix="anteroom-bar-redis-") as folder:
        try:
            redis = OwnRedis(Path(folder))
        except Trouble as trouble:
            raise CannotTry(str(trouble)) from trouble
        try:
            redis.start()
            with (
                stage(
                    plant="forget-groups" if plant else None, shell=shell, own_postgres=True,
                    environment={**UNHURRIED, "REDIS_URL": redis.url},
                ) as on,
                on.another_site() as beside,
            ):  # fmt: skip
                assert on.postgres is not None
                ways = {"redis": _ways_of_redis(redis), "postgres": _ways_of_postgres(on.postgres)}
                bar = _Restarting(on.site, beside, say)
                say(f"{ROOMS} rooms on two processes ({shell}); Redis and Postgres go and come back.")
                return asyncio.run(bar.run(ways, runs or RESTARTS, shell))
        finally:
            redis.stop()


class Page:
    """A typist's page: it comes back by itself, as connection.ts does."""

    def __init__(self, typist: Typist, rng: random.Random) -> None:
        self.typist = typist
        self.is_typing = False
        self.returns = -1
        self._rng = rng

    @property
    def client(self) -> RoomClient:
        return self.typist.client

    async def stay(self) -> None:
        """Until cancelled."""
        wait_s = FIRST_WAIT_S
        while True:
            try:
                await self.client.connect()
                self.returns += 1
                wait_s = FIRST_WAIT_S
                await self._type_until_closed()
            except GONE:
                pass
            await asyncio.sleep(wait_s * (0.5 + 0.5 * self._rng.random()))
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    async def speak(self, words: str) -> None:
        """Say a line, now or when the page is back."""
        with suppress(*GONE):  # then it is kept, and goes out on the next socket
            await self.client.say(words)

    async def _type_until_closed(self) -> None:
        closed = asyncio.create_task(self.client.until_closed(timeout_s=3600))
        try:
            while not closed.done():
                if self.is_typing:
                    await self.typist.act(self._rng)
                await asyncio.sleep(self._rng.expovariate(1 / PAUSE_S))
        finally:
            closed.cancel()


class _Restarting:
    """One run of the bar."""

    def __init__(self, site: Site, beside: Site, say: Say) -> None:
        self._say = say
        self._rng = random.Random(SEED)
        self._tables = [Table(site) for _ in range(ROOMS)]
        for table in self._tables:
            table.typists[1].client = client_of(beside, table.pair, Role.INTERVIEWER)
        self._pages = [
            tuple(Page(typist, random.Random(self._rng.random())) for typist in table.typists)
            for table in self._tables
        ]
        self._restarts: dict[str, int] = {}
        self._worst_s: dict[str, float] = {}
        self._silent: list[str] = []
        self._losses: list[str] = []
        self._unequal = 0

    async def run(self, ways: dict[str, list[Callable[[], None]]], count: int, shell: str) -> Verdict:
        watch = Stopwatch()
        coming = [asyncio.create_task(page.stay()) for pages in self._pages for page in pages]
        try:
            for service, its_ways in ways.items():
                for number, way in zip(range(count), cycle(its_ways), strict=False):
                    await self._restart(service, way, f"{service} {number + 1} ({way.__doc__})")
                    if self._silent or self._losses or self._unequal:
                        return self._verdict(shell, watch.seconds)
                self._say(f"{count} times {service}: back after {self._worst_s[service]:.2f} s at most")
            return self._verdict(shell, watch.seconds)
        finally:
            for task in coming:
                task.cancel()
            await asyncio.gather(*coming, return_exceptions=True)
            for table in self._tables:
                await table.part()

    async def _restart(self, service: str, way: Callable[[], None], name: str) -> None:
        before = self._sent
        self._type(True)
        await self._within(GIVE_UP_S, lambda: self._sent > before + 10 * ROOMS)
        await asyncio.to_thread(way)
        back = time.monotonic()
        await asyncio.sleep(self._rng.random() * TYPING_S)  # some of it falls into the return
        self._type(False)
        orders = (pages[:: (-1) ** place] for place, pages in enumerate(self._pages))
        await asyncio.gather(*(self._speak_in_turn(*pages, name, back) for pages in orders))
        self._worst_s[service] = max(self._worst_s.get(service, 0.0), time.monotonic() - back)
        self._restarts[service] = self._restarts.get(service, 0) + 1
        if not self._silent:
            await self._compare(name)

    async def _speak_in_turn(self, first: Page, second: Page, name: str, back: float) -> None:
        """First one, and once that is heard or given up, the other."""
        for one, other in ((first, second), (second, first)):
            line = f"after {name}, {one.typist.letter}"
            await one.speak(line)
            if not await self._within(back + GIVE_UP_S - time.monotonic(), _hears(other.client, line)):
                self._silent.append(f"{name}: {other.typist.letter} hears nothing")

    def _type(self, is_typing: bool) -> None:
        for pages in self._pages:
            for page in pages:
                page.is_typing = is_typing

    async def _within(self, seconds: float, is_so: Callable[[], object]) -> bool:
        deadline = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(LOOK_EVERY_S)
        return True

    async def _compare(self, name: str) -> None:
        """Nobody is lacking anything that somebody was promised or shown, and all have the same."""
        for place, (table, pages) in enumerate(zip(self._tables, self._pages, strict=True)):
            one, other = (page.client for page in pages)
            await self._within(
                GIVE_UP_S,
                lambda one=one, other=other: (
                    not one.unsaved and not other.unsaved and digest(str(one.text)) == digest(str(other.text))
                ),
            )
            losses = await asyncio.to_thread(_losses, table)
            self._losses += [f"{name}, room {place}: {loss}" for loss in losses]
            self._unequal += not str(one.text) == str(other.text) == table.log.document.text

    @property
    def _sent(self) -> int:
        return sum(len(typist.acknowledged) for table in self._tables for typist in table.typists)

    def _verdict(self, shell: str, seconds: float) -> Verdict:
        worst = round(max(self._worst_s.values()), 2)
        is_whole = not (self._silent or self._losses or self._unequal)
        return Verdict(
            "restart", worst, LIMIT_S, is_whole and worst <= LIMIT_S,
            {
                "lost": len(self._losses), "silent": len(self._silent), "unequal_rooms": self._unequal,
                "restarts": self._restarts, "sent": self._sent,
                "worst_seconds": {name: round(worst, 2) for name, worst in self._worst_s.items()},
                "returns": sum(page.returns for pages in self._pages for page in pages), "shell": shell,
                "examples": (self._silent + self._losses)[:5], "seconds": round(seconds),
            },
        )  # fmt: skip


# --- inside -------------------------------------------------------------------------------------------


def _losses(table: Table) -> list[str]:
    connections.close_all()  # what was open before a restart of Postgres is of no use
    return table.losses()


def _hears(client: RoomClient, words: str) -> Callable[[], bool]:
    return lambda: any(line.text == words for line in client.lines.values())


def _ways_of_redis(redis: OwnRedis) -> list[Callable[[], None]]:
    def kill() -> None:
        """kill -9 and a start"""
        redis.kill()
        redis.start()

    def flush() -> None:
        """flushed"""
        redis.flush()

    def stop() -> None:
        """stopped and started"""
        redis.stop()
        redis.start()

    return [flush, kill, stop]


def _ways_of_postgres(postgres: EmbeddedPostgres) -> list[Callable[[], None]]:
    def stop() -> None:
        """stopped and started"""
        postgres.stop()
        postgres.start()

    def kill() -> None:
        """kill -9 and a start"""
        postgres.kill()
        postgres.start()

    return [stop, kill]
