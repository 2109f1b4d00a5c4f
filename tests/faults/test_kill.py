"""kill -9 of the server, between a send and its commit and at any other time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
import pytest
from channels.db import database_sync_to_async
from websockets.exceptions import WebSocketException

from anteroom.serving import Site
from rooms import log
from rooms.client import RoomClient
from rooms.live.room import Facts, LiveRoom
from rooms.roles import Role
from tests.rooms.people import client_of, make_pair

pytestmark = pytest.mark.slow  # starts servers of its own

KILLS = 3


@contextmanager
def nobody_writes(site: Site) -> Iterator[None]:
    """Commits of the log wait as long as this lasts."""
    with psycopg.connect(site.database_url) as connection:
        connection.execute("LOCK TABLE rooms_logentry IN SHARE MODE")
        yield
        connection.rollback()


async def test_killed_between_send_and_commit_nothing_was_shown_and_nothing_is_lost(rooms_site: Site) -> None:
    pair = await database_sync_to_async(make_pair)()
    candidate = client_of(rooms_site, pair, Role.CANDIDATE)
    interviewer = client_of(rooms_site, pair, Role.INTERVIEWER)
    async with candidate, interviewer:
        await candidate.edit((0, 0, "before "))
        await candidate.until_saved()
        await interviewer.until(lambda: str(interviewer.text) == "before ")
        with nobody_writes(rooms_site):
            seen = interviewer.beats
            await candidate.edit((7, 0, "and after"))
            await candidate.say("did you see that?")
            await interviewer.until(lambda: interviewer.beats > seen + 1, "the server is alive", timeout_s=20)
            assert str(interviewer.text) == "before " and not interviewer.lines, "shown before its commit"
            assert candidate.unsaved == 2, "promised before its commit"
            await asyncio.to_thread(rooms_site.kill)
        await asyncio.to_thread(rooms_site.start)
        for client in (interviewer, candidate):
            await client.until_closed()
            await client.connect()
        await candidate.until_saved()
        await interviewer.until(
            lambda: str(interviewer.text) == "before and after" and len(interviewer.lines) == 1
        )


async def test_killed_at_any_time_what_was_seen_or_saved_is_there(rooms_site: Site) -> None:
    rng = random.Random(9)
    pair = await database_sync_to_async(make_pair)()
    clients = [client_of(rooms_site, pair, role) for role in (Role.CANDIDATE, Role.INTERVIEWER)]
    for client in clients:
        await client.connect()
    typed = [0, 0]

    async def type_on(number: int, client: RoomClient) -> None:
        while True:
            typed[number] += 1
            await client.edit((0, 0, f"{'ci'[number]}{typed[number]} "))
            await asyncio.sleep(0)

    for _ in range(KILLS):
        typing = [asyncio.create_task(type_on(number, client)) for number, client in enumerate(clients)]
        start = clients[0].seq
        await clients[0].until(lambda start=start: clients[0].seq > start + 20, "some commits")
        await asyncio.sleep(rng.random() * 0.05)  # a point in the middle of things, not a wait for something
        await asyncio.to_thread(rooms_site.kill)
        for task in typing:
            task.cancel()
            with suppress(asyncio.CancelledError, WebSocketException):
                await task
        for client in clients:
            await client.until_closed()
        entries = await database_sync_to_async(log.entries)(pair.room_id)
        assert len(entries) >= max(client.seq for client in clients), "somebody was shown what is gone"
        there = set(LiveRoom.replay(entries, Facts("", "python", 0, 0, {})).document.text.split())
        for client, letter in zip(clients, "ci", strict=True):
            others = [word for word in str(client.text).split() if word[0] != letter]
            assert set(others) <= there, "an edit that was seen is gone"
        await asyncio.to_thread(rooms_site.start)
        for client in clients:
            await client.connect()
            await client.until_saved()
    words = {f"c{number}" for number in range(1, typed[0] + 1)} | {
        f"i{number}" for number in range(1, typed[1] + 1)
    }
    for client in clients:
        await client.until(
            lambda client=client: len(str(client.text).split()) == len(words), "everybody's edits"
        )
        assert set(str(client.text).split()) == words, "each edit once"
        await client.close()
    assert str(clients[0].text) == str(clients[1].text)
