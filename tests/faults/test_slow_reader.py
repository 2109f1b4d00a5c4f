"""A client that does not read is cut off; nobody else notices, and it finds everything when it returns."""

from __future__ import annotations

import asyncio

import psutil
import pytest
from channels.db import database_sync_to_async
from websockets.asyncio.client import connect

from anteroom.serving import Site
from rooms.roles import Role
from tests.rooms.people import client_of, make_pair

pytestmark = pytest.mark.slow  # starts servers of its own

PASTE = "x" * 60_000
PASTES = 400
"""Some 24 MB: what the machine's own socket buffers take, and a lot more than we do."""
GROWTH_BYTES = 64 * 1024 * 1024


async def test_a_slow_reader_is_cut_off_and_catches_up(rooms_site: Site) -> None:
    pair = await database_sync_to_async(make_pair)()
    url = f"{rooms_site.socket_url}/sockets/rooms/{pair.room_id}"
    headers = {"Cookie": pair.interviewer, "Origin": rooms_site.url}
    async with client_of(rooms_site, pair, Role.CANDIDATE) as candidate:
        slow = await connect(
            url, additional_headers=headers, max_queue=1, compression=None, ping_interval=None
        )
        await candidate.until(lambda: candidate.seats[1]["here"], "the slow one")
        assert rooms_site._server is not None
        server = psutil.Process(rooms_site._server.pid)
        before = server.memory_info().rss
        for _ in range(PASTES):
            await candidate.edit((0, len(str(candidate.text)), PASTE))
            if candidate.unsaved > 8:
                await candidate.until_saved()
        await candidate.until_saved()
        await candidate.until(lambda: not candidate.seats[1]["here"], "the end of the slow one")
        assert server.memory_info().rss - before < GROWTH_BYTES
        slow.transport.abort()
        await asyncio.gather(slow.wait_closed(), return_exceptions=True)
        async with client_of(rooms_site, pair, Role.INTERVIEWER) as again:
            assert str(again.text) == PASTE
