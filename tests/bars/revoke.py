"""Sign-out, sign-out everywhere, a ban, a lost seat and a changed role close that person's open socket within
two seconds, and nobody else's.

Each run ends the right of one person in each of six rooms, in six ways, each at a moment of its own.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress

from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.services import sign_out_everywhere, turn_away
from anteroom.errors import SignedOut
from rooms.models import Seat
from rooms.roles import Role
from tests.bars import Say, Verdict
from tests.bars.harness import Couple, make_couple, stage

RUNS = 20
LIMIT_S = 2.0
GIVE_UP_S = 4.0
"""A socket that is open for so long is not going to be closed."""
SPREAD_S = 1.5
"""Moments are spread over a whole round of the server's looking."""
SEED = 12


def sign_out(couple: Couple) -> None:
    """By the page's own button."""
    browser = Client()
    name, _, value = couple.pair.candidate.partition("=")
    browser.cookies[name] = value
    assert browser.post(reverse("account_logout"), HTTP_HOST="localhost").status_code == 302


def session_lapses(couple: Couple) -> None:
    key = couple.pair.candidate.partition("=")[2]
    Session.objects.filter(session_key=key).update(expire_date=timezone.now())


def sign_out_elsewhere(couple: Couple) -> None:
    sign_out_everywhere(person=couple.pair.people[0])


def ban(couple: Couple) -> None:
    turn_away(person=couple.pair.people[0])


def lose_the_seat(couple: Couple) -> None:
    _seat(couple).update(person=None)


def change_role(couple: Couple) -> None:
    _seat(couple).update(role=Role.OBSERVER)


def _seat(couple: Couple):  # type: ignore[no-untyped-def]  # a QuerySet; its type needs Django's plugin
    return Seat.objects.filter(room_id=couple.pair.room_id, role=Role.CANDIDATE)


WAYS: tuple[Callable[[Couple], None], ...] = (
    sign_out, session_lapses, sign_out_elsewhere, ban, lose_the_seat, change_role,
)  # fmt: skip


def run(*, runs: int | None, plant: bool, say: Say, shell: str = "daphne") -> Verdict:
    """plant: the server looks at rights when a socket opens and never again."""
    with stage(plant="no-recheck" if plant else None, shell=shell) as on:
        rng = random.Random(SEED)
        took: dict[str, list[float]] = {way.__name__: [] for way in WAYS}
        others_closed = still_open = 0
        for number in range(runs or RUNS):
            couples = [make_couple(on.site) for _ in WAYS]
            for way, seconds, other in asyncio.run(_one_run(couples, rng)):
                took[way].append(seconds)
                still_open += seconds >= GIVE_UP_S
                others_closed += not other
            worst = max(each[-1] for each in took.values())
            say(f"run {number + 1}: the slowest of {len(WAYS)} closed after {worst:.2f} s")
            if still_open:
                break
    slowest = max(max(each) for each in took.values())
    return Verdict(
        "revoke", round(slowest, 3), LIMIT_S, slowest <= LIMIT_S and not others_closed,
        {
            "still_open": still_open, "others_closed": others_closed, "shell": shell,
            "closings": sum(map(len, took.values())),
            "slowest_s": {way: round(max(each), 2) for way, each in took.items()},
        },
    )  # fmt: skip


async def _one_run(couples: list[Couple], rng: random.Random) -> list[tuple[str, float, bool]]:
    """For each way: its name, seconds until the socket closed, whether the other side went on undisturbed."""
    delays = [rng.random() * SPREAD_S for _ in couples]
    return await asyncio.gather(
        *(_revoke(way, couple, delay_s) for way, couple, delay_s in zip(WAYS, couples, delays, strict=True))
    )


async def _revoke(way: Callable[[Couple], None], couple: Couple, delay_s: float) -> tuple[str, float, bool]:
    for client in couple.clients:
        await client.connect()
    await couple.candidate.edit((0, 0, "hello"))
    await couple.candidate.until_saved()
    await asyncio.sleep(delay_s)  # any moment between two looks of the server
    await asyncio.to_thread(way, couple)
    began = time.monotonic()
    seconds = GIVE_UP_S
    with suppress(TimeoutError):
        code, _ = await couple.candidate.until_closed(GIVE_UP_S)
        seconds = time.monotonic() - began
        assert code == SignedOut.close_code, f"closed with {code}"
    await couple.interviewer.edit((0, 0, "still here "))
    with suppress(TimeoutError, ConnectionError):
        await couple.interviewer.until_saved()
    is_undisturbed = couple.interviewer.unsaved == 0
    for client in couple.clients:
        await client.close()
    return way.__name__, seconds, is_undisturbed
