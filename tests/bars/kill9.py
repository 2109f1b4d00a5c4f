"""kill -9 of the server at random points while rooms type: nothing that was acknowledged or shown is lost,
and everybody has the same document once it is back.

Most kills fall into the typing, some into the coming back. Each is followed by a look at the log in the
database. The first loss ends the run.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

from tests.bars import Say, Verdict
from tests.bars.harness import UNHURRIED, Stage, Stopwatch, stage
from tests.bars.typists import GONE, Table, together

KILLS = 200
ROOMS = 6
TYPING_S = 0.4
"""At most, from everybody's return to the kill."""
RETURNING_S = 0.15
SHARE_WHILE_RETURNING = 0.25
SEED = 9


def run(*, runs: int | None, plant: bool, say: Say, shell: str = "daphne") -> Verdict:
    """plant: what was received is acknowledged and shown at once, and committed a little later."""
    with stage(
        plant="acknowledge-before-commit" if plant else None, shell=shell, environment=UNHURRIED
    ) as on:
        tables = [Table(on.site) for _ in range(ROOMS)]
        say(f"{ROOMS} rooms type; {runs or KILLS} times the server ({shell}) is killed with -9.")
        return asyncio.run(_Killing(on, tables, say).run(runs or KILLS, shell))


class _Killing:
    """One run of the bar."""

    def __init__(self, on: Stage, tables: list[Table], say: Say) -> None:
        self._site = on.site
        self._tables = tables
        self._say = say
        self._rng = random.Random(SEED)
        self._kills = 0
        self._under_way = 0
        """Sent and not acknowledged at the moments of the kills: what a kill could have hurt."""
        self._losses: list[str] = []
        self._unequal = 0

    async def run(self, kills: int, shell: str) -> Verdict:
        watch = Stopwatch()
        while self._kills < kills and not self._losses and not self._unequal:
            returning = self._kills > 0 and self._rng.random() < SHARE_WHILE_RETURNING
            await (self._kill_while_returning() if returning else self._kill_while_typing())
            await asyncio.to_thread(self._look)
            await asyncio.to_thread(self._site.start)
            if self._kills % 10 == 0:
                self._say(f"{self._kills} kills, {self._sent} edits and lines, {len(self._losses)} lost")
        if not self._losses:
            await self._compare()
        figure = len(self._losses) + self._unequal
        return Verdict(
            "kill9", figure, 0, figure == 0 and self._under_way > 0,
            {
                "lost": len(self._losses), "unequal_rooms": self._unequal, "kills": self._kills,
                "sent": self._sent, "under_way_at_kills": self._under_way, "shell": shell,
                "examples": self._losses[:5], "seconds": round(watch.seconds),
            },
        )  # fmt: skip

    @property
    def _sent(self) -> int:
        return sum(len(typist.sent) for table in self._tables for typist in table.typists)

    async def _kill_while_typing(self) -> None:
        await self._compare()
        typing = [
            asyncio.create_task(typist.stay_and_type(random.Random(self._rng.random())))
            for table in self._tables
            for typist in table.typists
        ]
        await asyncio.sleep(self._rng.random() * TYPING_S)  # a point in the middle of things
        await self._kill()
        await asyncio.gather(*typing)
        await self._until_closed()

    async def _kill_while_returning(self) -> None:
        coming = [asyncio.create_task(table.meet()) for table in self._tables]
        await asyncio.sleep(self._rng.random() * RETURNING_S)
        await self._kill()
        for each in coming:
            with suppress(*GONE):
                await each
        await self._until_closed()

    async def _kill(self) -> None:
        await asyncio.to_thread(self._site.kill)
        self._kills += 1
        self._under_way += sum(client.unsaved for table in self._tables for client in table.clients)

    async def _until_closed(self) -> None:
        for table in self._tables:
            for client in table.clients:
                await client.until_closed()

    def _look(self) -> None:
        for number, table in enumerate(self._tables):
            self._losses += [f"after kill {self._kills}, room {number}: {each}" for each in table.losses()]

    async def _compare(self) -> None:
        """Everybody is back and has sent what was owed: the same document here, there and in the log."""
        await together(table.meet() for table in self._tables)
        self._unequal += (await asyncio.gather(*(table.is_equal() for table in self._tables))).count(False)
