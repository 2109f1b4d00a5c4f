"""kill -9 of the server, between a send and its commit. tests/bars/kill9.py kills it at any time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from channels.db import database_sync_to_async

from anteroom.serving import Site
from rooms.roles import Role
from tests.rooms.people import client_of, make_pair

pytestmark = pytest.mark.slow  # starts servers of its own


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
