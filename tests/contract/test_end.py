"""The end of a server, told to stop or killed: everybody knows, nothing is lost, and it can begin again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest_asyncio
from channels.db import database_sync_to_async
from websockets.exceptions import ConnectionClosed

from anteroom.serving import Site
from rooms import log
from rooms.client import RoomClient
from rooms.live.room import Facts, LiveRoom
from rooms.roles import Role
from tests.rooms.people import Pair, client_of

ENDS_WITHIN_S = 9.0
"""Draining takes five seconds at most, and a server some more; nobody here has a reason to take that long."""


@pytest_asyncio.fixture
async def both(rooms_site: Site, pair: Pair) -> AsyncIterator[tuple[RoomClient, RoomClient]]:
    """Two people in a room whose server is there again when they have gone."""
    candidate, interviewer = (
        client_of(rooms_site, pair, role) for role in (Role.CANDIDATE, Role.INTERVIEWER)
    )
    try:
        async with candidate, interviewer:
            await candidate.until(lambda: all(seat["here"] for seat in candidate.seats), "both")
            yield candidate, interviewer
    finally:
        await asyncio.to_thread(rooms_site.start)


async def type_until_closed(client: RoomClient) -> int:
    """Type words without a pause; how many."""
    typed = 0
    with suppress(ConnectionClosed):
        while True:
            typed += 1
            await client.edit((0, 0, f"w{typed} "))
            await asyncio.sleep(0.004)
    return typed


async def words_in(pair: Pair) -> list[str]:
    entries = await database_sync_to_async(log.entries)(pair.room_id)
    return LiveRoom.replay(entries, Facts("", "python", 0, 0, {})).document.text.split()


async def test_told_to_stop_it_tells_everybody_and_loses_nothing(
    rooms_site: Site, pair: Pair, both: tuple[RoomClient, RoomClient]
) -> None:
    candidate, interviewer = both
    typing = asyncio.create_task(type_until_closed(candidate))
    await interviewer.until(lambda: len(str(interviewer.text)) > 100, "some words")
    async with asyncio.timeout(ENDS_WITHIN_S):
        await asyncio.to_thread(rooms_site.end)
        typed = await typing
        for client in both:
            await client.until_closed()
    if rooms_site.shell != "granian":  # it cuts its sockets before it tells the application
        for client in both:
            assert client.close_code == 1012
            assert client.refusals[-1].code == "restarting"
    kept = await words_in(pair)
    assert set(str(interviewer.text).split()) <= set(kept), "seen and lost"
    assert len(kept) >= typed - candidate.unsaved, "said to be saved and lost"

    await asyncio.to_thread(rooms_site.start)
    for client in both:
        await client.connect()
    await candidate.until_saved()
    await interviewer.until(lambda: len(str(interviewer.text).split()) == typed, "every word")
    assert sorted(str(interviewer.text).split()) == sorted(f"w{number}" for number in range(1, typed + 1))


async def test_killed_it_loses_nothing_that_was_seen_or_saved(
    rooms_site: Site, pair: Pair, both: tuple[RoomClient, RoomClient]
) -> None:
    candidate, interviewer = both
    typing = asyncio.create_task(type_until_closed(candidate))
    await interviewer.until(lambda: len(str(interviewer.text)) > 100, "some words")
    await asyncio.to_thread(rooms_site.kill)
    typed = await typing
    for client in both:
        await client.until_closed()
    kept = await words_in(pair)
    assert set(str(interviewer.text).split()) <= set(kept), "seen and lost"
    assert len(kept) >= typed - candidate.unsaved, "said to be saved and lost"

    await asyncio.to_thread(rooms_site.start)
    for client in both:
        await client.connect()
    await candidate.until_saved()
    await interviewer.until(lambda: len(str(interviewer.text).split()) == typed, "every word")
