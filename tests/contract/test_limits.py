"""Who sends too much, opens too much or reads too little: slowed, refused or cut, and nobody else notices."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import psutil
import pytest
from websockets.asyncio.client import connect

from anteroom.serving import Site
from rooms.limits import BURST_S
from rooms.roles import Role
from rooms.wire import Refused
from tests.contract.conftest import MESSAGES_PER_S, SOCKETS_PER_PERSON
from tests.rooms.people import Pair, client_of

OVER = 200
"""Messages above what may come at once."""
PASTE = "x" * 60_000
PASTES = 500
"""Some 30 MB: what the machine's own socket buffers take, and a lot more than we do."""
GROWTH_BYTES = 64 * 1024 * 1024


async def test_a_flood_is_slowed_and_nothing_of_it_lost(rooms_site: Site, pair: Pair) -> None:
    async with (
        client_of(rooms_site, pair, Role.CANDIDATE) as candidate,
        client_of(rooms_site, pair, Role.INTERVIEWER) as interviewer,
    ):
        count = round(MESSAGES_PER_S * BURST_S) + OVER
        began = time.monotonic()
        for number in range(count):
            await candidate.edit((0, 0, f"{number} "))
        saved = asyncio.create_task(candidate.until_saved(timeout_s=20))
        asked, slowest_s = 0, 0.0
        while not saved.done():
            sent = time.monotonic()
            await interviewer.say("does this hurt?")
            await interviewer.until_saved()
            asked, slowest_s = asked + 1, max(slowest_s, time.monotonic() - sent)
            await asyncio.sleep(0.05)
        await saved
        assert time.monotonic() - began > OVER / MESSAGES_PER_S * 0.8, "it was not slowed"
        assert asked > 3 and slowest_s < 1.5, "others were slowed too"
        await interviewer.until(
            lambda: str(interviewer.text).split() == [str(number) for number in reversed(range(count))]
        )
        assert not candidate.refusals and candidate.close_code is None


async def test_only_so_many_tabs(rooms_site: Site, pair: Pair) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(SOCKETS_PER_PERSON):
            await stack.enter_async_context(client_of(rooms_site, pair, Role.CANDIDATE))
        one_more = client_of(rooms_site, pair, Role.CANDIDATE)
        await one_more.connect(sync=False)
        code, reason = await one_more.until_closed()
        (said,) = one_more.received
        assert isinstance(said, Refused) and (code, said.code) == (4429, "too_many_sockets")
        assert reason == said.sentence
        async with client_of(rooms_site, pair, Role.INTERVIEWER) as other:
            await other.say("the other side comes in")
            await other.until_saved()
    async with client_of(rooms_site, pair, Role.CANDIDATE) as again:
        await again.say("there is room again")
        await again.until_saved()


@pytest.mark.slow
async def test_a_slow_reader_is_cut_off_and_catches_up(rooms_site: Site, pair: Pair) -> None:
    url = f"{rooms_site.socket_url}/sockets/rooms/{pair.room_id}"
    headers = {"Cookie": pair.interviewer, "Origin": rooms_site.url}
    async with client_of(rooms_site, pair, Role.CANDIDATE) as candidate:
        slow = await connect(
            url, additional_headers=headers, max_queue=1, compression=None, ping_interval=None
        )
        await candidate.until(lambda: candidate.seats[1]["here"], "the slow one")
        before = memory_bytes(rooms_site)
        for _ in range(PASTES):
            if not candidate.seats[1]["here"]:
                break
            await candidate.edit((0, len(str(candidate.text)), PASTE))
            if candidate.unsaved > 8:
                await candidate.until_saved()
        await candidate.until_saved()
        await candidate.until(lambda: not candidate.seats[1]["here"], "the end of the slow one")
        assert memory_bytes(rooms_site) - before < GROWTH_BYTES
        slow.transport.abort()
        await asyncio.gather(slow.wait_closed(), return_exceptions=True)
        async with client_of(rooms_site, pair, Role.INTERVIEWER) as again:
            assert str(again.text) == PASTE


def memory_bytes(site: Site) -> int:
    """Of the server and what it has started."""
    server = psutil.Process(site.server_pid)
    return sum(each.memory_info().rss for each in (server, *server.children(recursive=True)))
