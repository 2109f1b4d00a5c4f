"""kill -9 of Postgres, all its processes at once, while rooms type: nothing that was acknowledged or shown is
lost, and everybody has the same document once it is back.

A supervisor starts Postgres again at once, as a service manager would; people type on meanwhile. The first
loss ends the run.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal

from anteroom.postgres import EmbeddedPostgres
from tests.bars import Say, Verdict
from tests.bars.harness import UNHURRIED, Stopwatch, stage
from tests.bars.typists import Crowd

KILLS = 50
ROOMS = 4
TYPING_S = 0.4
"""At most, from the last comparison to the kill; at least a third of it, so that something is at stake."""
TYPING_ON_S = 0.2
"""After Postgres is back."""
SEED = 2


def run(*, runs: int | None, plant: bool, say: Say, shell: str = "daphne") -> Verdict:
    """plant: commits of the log no longer wait for the disk (synchronous_commit off)."""
    kills = runs or KILLS
    with stage(
        plant="no-durable-commits" if plant else None, shell=shell, environment=UNHURRIED, own_postgres=True
    ) as on:
        assert on.postgres is not None
        rng = random.Random(SEED)
        crowd = Crowd(on.site, ROOMS, rng)
        say(f"{ROOMS} rooms type; {kills} times Postgres is killed with -9.")
        watch = Stopwatch()
        done = asyncio.run(_run(on.postgres, crowd, kills, rng, say))
    return crowd.verdict("kill9-postgres", kills=done, shell=shell, seconds=round(watch.seconds))


async def _run(postgres: EmbeddedPostgres, crowd: Crowd, kills: int, rng: random.Random, say: Say) -> int:
    """How often it was killed."""
    await crowd.compare()
    for number in range(1, kills + 1):
        typing = crowd.start_typing()
        await asyncio.sleep(TYPING_S * rng.uniform(1 / 3, 1))  # a point in the middle of things
        await asyncio.to_thread(kill_all, postgres)
        crowd.crashed()
        await asyncio.to_thread(postgres.start)
        await asyncio.sleep(TYPING_ON_S)  # nothing to wait for: they just type on
        await crowd.stop_typing(typing)
        await crowd.look(f"after kill {number}")
        if crowd.is_broken:
            return number
        await crowd.compare()
        if number % 10 == 0:
            say(f"{number} kills, {crowd.sent} edits and lines, {len(crowd.losses)} lost")
        if crowd.is_broken:
            return number
    return kills


def kill_all(postgres: EmbeddedPostgres) -> None:
    """kill -9 of the postmaster and of all that serve for it, in one moment: nobody can still write."""
    assert postgres.pid is not None
    os.killpg(postgres.pid, signal.SIGKILL)
    postgres.kill()
