"""kill -9 of the server at random points while rooms type: nothing that was acknowledged or shown is lost,
and everybody has the same document once it is back.

Most kills fall into the typing, some into the coming back. Each is followed by a look at the log in the
database. The first loss ends the run.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

from anteroom.serving import Site
from tests.bars import Say, Verdict
from tests.bars.harness import UNHURRIED, Stopwatch, stage
from tests.bars.typists import GONE, Crowd

KILLS = 200
ROOMS = 6
TYPING_S = 0.4
"""At most, from everybody's return to the kill."""
RETURNING_S = 0.15
SHARE_WHILE_RETURNING = 0.25
SEED = 9


def run(*, runs: int | None, plant: bool, say: Say, shell: str = "daphne") -> Verdict:
    """plant: what was received is acknowledged and shown at once, and committed a little later."""
    kills = runs or KILLS
    with stage(
        plant="acknowledge-before-commit" if plant else None, shell=shell, environment=UNHURRIED
    ) as on:
        rng = random.Random(SEED)
        crowd = Crowd(on.site, ROOMS, rng)
        say(f"{ROOMS} rooms type; {kills} times the server ({shell}) is killed with -9.")
        watch = Stopwatch()
        done = asyncio.run(_run(on.site, crowd, kills, rng, say))
    return crowd.verdict("kill9", kills=done, shell=shell, seconds=round(watch.seconds))


async def _run(site: Site, crowd: Crowd, kills: int, rng: random.Random, say: Say) -> int:
    """How often it was killed."""
    for number in range(1, kills + 1):
        if number > 1 and rng.random() < SHARE_WHILE_RETURNING:
            busy, within_s = crowd.start_coming(), RETURNING_S
        else:
            await crowd.compare()
            busy, within_s = crowd.start_typing(), TYPING_S
        await asyncio.sleep(rng.random() * within_s)  # a point in the middle of things
        await asyncio.to_thread(site.kill)
        crowd.crashed()
        for each in busy:
            with suppress(*GONE):
                await each
        for client in crowd.clients:
            await client.until_closed()
        await crowd.look(f"after kill {number}")
        await asyncio.to_thread(site.start)
        if number % 10 == 0:
            say(f"{number} kills, {crowd.sent} edits and lines, {len(crowd.losses)} lost")
        if crowd.is_broken:
            return number
    await crowd.compare()
    return kills
