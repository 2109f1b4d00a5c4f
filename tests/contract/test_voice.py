"""Two people hear each other through every server: its event loop carries their sound too."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from anteroom.serving import Site
from rooms.client import RoomClient
from rooms.roles import Role
from rooms.wire import Answer, Offer
from tests.rooms.people import Pair, client_of
from tests.rooms.voice.callers import Caller


@pytest.fixture(autouse=True)
def callers_use_the_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """aioice leaves it out by itself; a machine of tests may have nothing else."""
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])


class DeskBehindSocket:
    """What a caller asks of a desk, asked over the room's socket."""

    def __init__(self, client: RoomClient) -> None:
        self._client = client

    async def answer(self, *, sdp: str, **_: Any) -> str:
        client = self._client
        await client.send(Offer(sdp))
        await client.until(lambda: any(isinstance(each, Answer) for each in client.received), "an answer")
        (answer,) = (each for each in client.received if isinstance(each, Answer))
        return answer.sdp


async def test_an_offer_is_answered_and_sound_flows(rooms_site: Site, pair: Pair) -> None:
    async with (
        client_of(rooms_site, pair, Role.CANDIDATE) as one,
        client_of(rooms_site, pair, Role.INTERVIEWER) as two,
    ):
        callers = [
            Caller(DeskBehindSocket(client), str(pair.room_id), role, "", tone_hz=tone_hz)  # type: ignore[arg-type]
            for client, role, tone_hz in ((one, Role.CANDIDATE, 440), (two, Role.INTERVIEWER, 880))
        ]
        try:
            for caller in callers:
                await caller.call()
            await callers[0].hears(880)
            await callers[1].hears(440)
        finally:
            await asyncio.gather(*(caller.leave() for caller in callers))


async def test_a_bad_offer_is_refused_and_the_socket_stays(rooms_site: Site, pair: Pair) -> None:
    async with client_of(rooms_site, pair, Role.CANDIDATE) as client:
        await client.send(Offer("v=0"))
        await client.until(lambda: client.refusals, "a refusal")
        assert client.refusals[0].code == "bad_offer"
        await client.say("still here")
        await client.until_saved()
