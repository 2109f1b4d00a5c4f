"""One interview from its opening to its reveal, over real sockets and requests, and what must be so then."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import httpx
from django.conf import settings
from django.db import connection
from django.db.models import F

from accounts.models import Person
from accounts.services import turn_away
from anteroom.errors import SignedOut
from anteroom.serving import Site
from feedback import services
from feedback.models import ANSWER_TIME, Exchange
from rooms.errors import RoomEnded
from rooms.roles import Role
from rooms.wire import Move
from tests.bars.typists import GONE, Table
from tests.feedback.conftest import ANSWERS
from tests.rooms.people import sign_in

CSRF = secrets.token_hex(16)
OPENS_WITHIN_S = 10.0
SIDES = (0, 1)
"""Candidate and interviewer."""
ROLES = (Role.CANDIDATE, Role.INTERVIEWER)


class Broken(Exception):
    """Something is not as it has to be; the message says what."""


def must(is_so: object, what: str) -> None:
    """Raises Broken."""
    if not is_so:
        raise Broken(what)


class Interview:
    """A room, its people, and what we know of it because we did it."""

    def __init__(self, site: Site, pages: httpx.AsyncClient, rng: random.Random, stranger: str) -> None:
        """pages: for requests to the site. stranger: a cookie of somebody without a seat."""
        self._stranger = stranger
        self.table = Table(site)
        self.rng = rng
        self._pages = pages
        pair = self.table.pair
        self._cookies = (pair.candidate, pair.interviewer)
        self.phase = "lobby"
        self.banned: set[int] = set()
        self.assessed = False
        self.submitted: dict[int, str] = {}
        """By side, a text that is nowhere else."""
        self.closed = ""
        """"revealed" or "lapsed"."""

    # --- what can happen ------------------------------------------------------------------------------

    def possible(self) -> list[Callable[[], Any]]:
        """What makes sense now, the frequent more than once."""
        if self.phase == "over":
            return [self.look] * 4 + [self.assess, self.submit, self.submit, self.ban_sometimes, self.expire]
        often = [self.edit] * 7 if any(map(self.is_here, SIDES)) else []
        return [
            *often,
            *[self.come] * 4,
            self.leave,
            self.compare,
            self.move_on,
            self.look,
            self.ban_sometimes,
        ]

    @property
    def is_done(self) -> bool:
        """Nothing more can happen to it that was not looked at."""
        return (
            self.phase == "cancelled"
            or len(self.banned) == 2
            or (bool(self.closed) and self.rng.random() < 0.2)
        )

    def is_here(self, side: int) -> bool:
        return self.table.clients[side].is_connected

    async def come(self) -> None:
        side = self.rng.choice(SIDES)
        client = self.table.clients[side]
        if self.is_here(side):
            return
        if side in self.banned:
            await client.connect(sync=False)
            code, _ = await client.until_closed()
            must(code == SignedOut.close_code, f"a banned person's socket was closed with {code}")
        else:
            await client.connect()

    async def leave(self) -> None:
        side = self.rng.choice(SIDES)
        client = self.table.clients[side]
        if self.is_here(side):
            if self.rng.random() < 0.5:
                client.cut()
            else:
                await client.close()
            await client.until_closed()

    async def edit(self) -> None:
        side = self.rng.choice(SIDES)
        if self.is_here(side):
            await self.table.typists[side].act(self.rng)

    async def compare(self) -> None:
        """While both are here and nothing is on its way they have the same, and so has the log."""
        if all(map(self.is_here, SIDES)):
            for client in self.table.clients:
                await client.until_saved()
            must(await self.table.is_equal(), "the two sides and the log differ")

    async def move_on(self) -> None:
        """Start the interview, end it, or call it off when somebody will never come."""
        here = [side for side in SIDES if self.is_here(side)]
        if not here:
            return
        client = self.table.clients[self.rng.choice(here)]
        if self.phase == "lobby" and self.banned:
            await client.send(Move("cancelled"))
            await self._ended("cancelled")
        elif self.phase == "lobby" and len(here) == 2:
            await client.send(Move("live"))
            await client.until(lambda: client.phase == "live", "the start")
            self.phase = "live"
        elif self.phase == "live" and self.rng.random() < 0.4:
            await self.compare()
            await client.send(Move("wrap_up"))
            await client.send(Move("feedback"))
            await self._ended("over")
            await self._until_open()

    async def _ended(self, phase: str) -> None:
        for client in self.table.clients:
            if client.is_connected:
                code, _ = await client.until_closed()
                must(code in (RoomEnded.close_code, SignedOut.close_code), f"the end closed with {code}")
        self.phase = phase

    async def _until_open(self) -> None:
        async with asyncio.timeout(OPENS_WITHIN_S):
            while not await asyncio.to_thread(self._exchange().exists):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)

    def _exchange(self) -> Any:
        return Exchange.objects.filter(room_id=self.table.pair.room_id)

    async def ban_sometimes(self) -> None:
        """A moderator turns somebody away; their socket ends within seconds."""
        if self.rng.random() > 0.07:
            return
        side = self.rng.choice(SIDES)
        if side in self.banned:
            return
        await asyncio.to_thread(turn_away, person=self.table.pair.people[side])
        self.banned.add(side)
        client = self.table.clients[side]
        if client.is_connected:
            with suppress(TimeoutError):
                await client.until_closed(5)
            must(not client.is_connected, "a banned person's socket stayed open")

    async def expire(self) -> None:
        """The seven days are over, and the scan comes by."""
        if self.rng.random() > 0.15 or self.closed:
            return
        await asyncio.to_thread(self._let_time_pass)
        self.closed = "lapsed"
        await self.look()

    def _let_time_pass(self) -> None:
        self._exchange().update(
            opened_at=F("opened_at") - ANSWER_TIME, deadline_at=F("deadline_at") - ANSWER_TIME
        )
        services.release_due()
        connection.close()

    # --- feedback -------------------------------------------------------------------------------------

    async def assess(self) -> None:
        answer = await self._ask(0, "PUT", "/self-assessment", {"how_well": 2, "seen_before": False})
        if 0 in self.banned:
            must(answer.status_code in (401, 403), f"a banned person assessed: {answer.status_code}")
        elif self.closed or 0 in self.submitted:
            must(answer.status_code == 409, f"assessed too late: {answer.status_code}")
        else:
            must(answer.status_code == 200, f"could not assess: {answer.status_code}")
            self.assessed = True

    async def submit(self) -> None:
        side = self.rng.choice(SIDES)
        canary = f"canary-{secrets.token_hex(12)}"
        form: Any = ANSWERS[ROLES[side]]
        answers = asdict(form) | {"text": f"You explained every step, and nobody else was told so: {canary}"}
        answers.pop("note", None)  # for moderators alone
        answer = await self._ask(side, "POST", "/submission", answers)
        if side in self.banned:
            must(answer.status_code in (401, 403), f"a banned person submitted: {answer.status_code}")
        elif self.closed or side in self.submitted or (side == 0 and not self.assessed):
            must(answer.status_code == 409, f"submitted out of turn: {answer.status_code}")
        else:
            must(answer.status_code == 201, f"could not submit: {answer.status_code} {answer.text[:200]}")
            self.submitted[side] = canary
            if len(self.submitted) == 2:
                self.closed = "revealed"
            await self.look()

    async def look(self) -> None:
        """What each may see, and nothing else."""
        stranger = await self._get(self._stranger, "/exchange")
        must(stranger.status_code == 404, f"a stranger got {stranger.status_code}")
        for side in SIDES:
            answer = await self._ask(side, "GET", "")
            transcript = await self._get(self._cookies[side], "/transcript")
            other = self.submitted.get(1 - side)
            if not self.closed and other:
                must(other not in answer.text + transcript.text, "the other side's answers before the reveal")
            if side in self.banned:
                must(answer.status_code in (401, 403), f"a banned person looked: {answer.status_code}")
            elif self.phase != "over":
                must(answer.status_code == 409, f"an exchange before the end: {answer.status_code}")
            else:
                must(answer.status_code == 200, f"no exchange: {answer.status_code}")
                self._check(side, answer.json(), other)

    def _check(self, side: int, standing: dict[str, Any], other: str | None) -> None:
        expected = self.closed or ("waiting" if side in self.submitted else None)
        if expected is None:
            expected = "assessing" if side == 0 and not self.assessed else "answering"
        must(standing["state"] == expected, f"state {standing['state']} instead of {expected}")
        about_me = standing["about_me"]
        if not self.closed:
            must(about_me is None, "a review before the reveal")
        elif other:
            must(about_me and other in about_me["answers"]["text"], "the reveal lacks what was submitted")
        else:
            must(about_me is None, "a review that nobody wrote")

    # --- requests -------------------------------------------------------------------------------------

    async def _ask(self, side: int, method: str, path: str, body: object = None) -> httpx.Response:
        cookie = f"{self._cookies[side]}; {settings.CSRF_COOKIE_NAME}={CSRF}"
        return await self._pages.request(
            method, f"/api/rooms/{self.table.pair.room_id}/exchange{path}", json=body,
            headers={"Cookie": cookie, "X-CSRFToken": CSRF},
        )  # fmt: skip

    async def _get(self, cookie: str, path: str) -> httpx.Response:
        url = f"/api/rooms/{self.table.pair.room_id}{path}"
        return await self._pages.get(url, headers={"Cookie": cookie})

    # --- the end --------------------------------------------------------------------------------------

    async def finish(self) -> None:
        """Leave, and look once more at the whole of it."""
        for client in self.table.clients:
            with suppress(*GONE):
                await client.close()
        lost = await asyncio.to_thread(self.table.losses)
        must(not lost, f"lost: {lost[:3]}")
        if self.phase == "over":
            await self.look()
            phase, reviews = await asyncio.to_thread(self._released)
            must(phase == (self.closed or "feedback"), f"the room is in {phase}")
            released = len(self.submitted) if self.closed else 0
            must(reviews == released, f"{reviews} reviews of {len(self.submitted)} submissions")

    def _released(self) -> tuple[str, int]:
        from feedback.models import CandidateReview, InterviewerReview

        exchange = self._exchange().select_related("room").get()
        reviews = (model.objects.filter(exchange=exchange) for model in (CandidateReview, InterviewerReview))
        counted = sum(each.count() for each in reviews)
        connection.close()
        return exchange.room.phase, counted


def make_stranger() -> str:
    """The cookie of somebody who has no seat anywhere."""
    return sign_in(Person.objects.create_user(f"{secrets.token_hex(8)}@example.org"))
