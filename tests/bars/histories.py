"""Random histories of interviews (come, edit, leave, submit, ban, expire) over real sockets and requests:
no step leaves anything as it must not be.

What must be so: both sides and the log hold the same; nothing acknowledged is lost; a banned person is out at
once; nobody sees the other's answers before both have submitted or the time is over; afterwards everybody
sees what was submitted, once; a stranger sees nothing.
"""

from __future__ import annotations

import asyncio
import logging
import random

import httpx

from anteroom.serving import Site
from tests.bars import Say, Verdict
from tests.bars.harness import UNHURRIED, Stopwatch, stage
from tests.bars.interviews import Broken, Interview, make_stranger
from tests.bars.typists import GONE

STEPS = 10_000
LANES = 4
"""Histories that run beside each other."""
ROOMS_IN_A_LANE = 3
ENOUGH = 3
"""So many broken invariants are as bad as more."""
SEED = 19


def run(*, runs: int | None, plant: bool, say: Say, shell: str = "daphne") -> Verdict:
    """runs: how many steps. plant: one submission is enough for the reveal."""
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells every request
    steps = runs or STEPS
    with stage(plant="early-reveal" if plant else None, shell=shell, environment=UNHURRIED) as on:
        histories = _Histories(on.site, steps, say)
        watch = Stopwatch()
        asyncio.run(histories.run())
    return Verdict(
        "histories", len(histories.broken), 0, not histories.broken and histories.done >= steps,
        {
            "steps": histories.done, "interviews": histories.interviews, "ends": histories.ends,
            "examples": histories.broken[:5], "seed": SEED, "shell": shell, "seconds": round(watch.seconds),
        },
    )  # fmt: skip


class _Histories:
    """All lanes, and what they found."""

    def __init__(self, site: Site, steps: int, say: Say) -> None:
        self._site = site
        self._steps = steps
        self._say = say
        self._stranger = make_stranger()
        self.done = 0
        self.interviews = 0
        self.ends: dict[str, int] = {}
        self.broken: list[str] = []

    async def run(self) -> None:
        async with httpx.AsyncClient(base_url=self._site.url, timeout=20) as pages:
            await asyncio.gather(*(self._lane(random.Random(SEED + lane), pages) for lane in range(LANES)))

    async def _lane(self, rng: random.Random, pages: httpx.AsyncClient) -> None:
        rooms = [await self._open(rng, pages) for _ in range(ROOMS_IN_A_LANE)]
        while self.done < self._steps and len(self.broken) < ENOUGH:
            at = rng.randrange(ROOMS_IN_A_LANE)
            act = rng.choice(rooms[at].possible())
            is_broken = not await self._holds(rooms[at], act.__name__, act())
            self.done += 1
            if self.done % 1_000 == 0:
                self._say(f"{self.done} steps, {self.interviews} interviews, {len(self.broken)} broken")
            if is_broken or rooms[at].is_done:
                await self._finish(rooms[at], is_broken)
                rooms[at] = await self._open(rng, pages)
        for room in rooms:
            await self._finish(room, is_broken=False)

    async def _open(self, rng: random.Random, pages: httpx.AsyncClient) -> Interview:
        self.interviews += 1
        return await asyncio.to_thread(Interview, self._site, pages, rng, self._stranger)

    async def _finish(self, room: Interview, is_broken: bool) -> None:
        if not is_broken:
            await self._holds(room, "the end", room.finish())
        end = room.closed or room.phase
        self.ends[end] = self.ends.get(end, 0) + 1

    async def _holds(self, room: Interview, what: str, step: object) -> bool:
        """Whether the step went as it must."""
        try:
            await step  # type: ignore[misc]
        except (Broken, *GONE, httpx.HTTPError) as problem:
            self.broken.append(
                f"step {self.done}, {what} in {room.phase}: {problem or type(problem).__name__}"
            )
            return False
        return True
