"""Two people call and hear each other, through real ICE, DTLS, SRTP and Opus."""

from __future__ import annotations

from rooms.roles import Role
from rooms.voice.desk import Desk
from tests.rooms.voice.callers import Caller

ROOM = "a0e1d9bc-7b1b-4ca3-8f5d-3b0e9a1c2d3e"


async def test_each_hears_the_other(desk: Desk) -> None:
    async with (
        Caller(desk, ROOM, Role.CANDIDATE, "one", tone_hz=440) as candidate,
        Caller(desk, ROOM, Role.INTERVIEWER, "two", tone_hz=1_000) as interviewer,
    ):
        await interviewer.hears(440)
        await candidate.hears(1_000)
