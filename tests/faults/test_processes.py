"""The two sides of a room on two server processes: the log is the truth, Redis only wakes.

Whatever goes away in mid-session comes back, or somebody else takes its place: a process, Redis, Postgres.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker

from anteroom.redis import OwnRedis
from anteroom.serving import Site
from rooms import log
from rooms.live.room import Facts, LiveRoom
from rooms.roles import Role
from rooms.wire import Move
from tests.bars import harness
from tests.bars.restart import Page
from tests.bars.typists import Table
from tests.rooms.people import client_of, make_pair

pytestmark = pytest.mark.slow  # starts servers of its own

EDITS = 60
BACK_WITHIN_S = 10
SEED = 11


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path / "redis")
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("with_layer", [True, False], ids=["redis", "no layer between them"])
async def test_both_sides_write_on_different_processes(
    rooms_site: Site,
    with_layer: bool,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if with_layer:
        monkeypatch.setenv("REDIS_URL", request.getfixturevalue("redis").url)
    sites = []
    for number in range(2):
        home = tmp_path / str(number)
        home.mkdir()
        (home / "secret_key").write_text(settings.SECRET_KEY)
        sites.append(Site(home=home, database_url=rooms_site.database_url))
    try:
        for site in sites:
            await asyncio.to_thread(site.start)
        pair = await database_sync_to_async(make_pair)()
        candidate = client_of(sites[0], pair, Role.CANDIDATE)
        interviewer = client_of(sites[1], pair, Role.INTERVIEWER)
        async with candidate, interviewer:
            for number in range(EDITS):
                await asyncio.gather(
                    candidate.edit((0, 0, f"c{number} ")), interviewer.edit((0, 0, f"i{number} ")),
                    candidate.say(f"c{number}"), interviewer.say(f"i{number}"),
                )  # fmt: skip
            for client in (candidate, interviewer):
                await client.until_saved(timeout_s=30)
            for client in (candidate, interviewer):
                await client.until(
                    lambda client=client: len(str(client.text).split()) == len(client.lines) == 2 * EDITS,
                    "everything", timeout_s=30,
                )  # fmt: skip
                assert not client.refusals and not client.has_gap
            assert str(candidate.text) == str(interviewer.text)
            assert candidate.lines == interviewer.lines
            await candidate.until(
                lambda: all(seat["here"] for seat in candidate.seats) or not with_layer, "both"
            )
            if with_layer:
                await candidate.send(Move("live"))
                await interviewer.until(lambda: interviewer.phase == "live", "the start")
        entries = await database_sync_to_async(log.entries)(pair.room_id)
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        assert LiveRoom.replay(entries, Facts("", "python", 0, 0, {})).document.text == str(candidate.text)
    finally:
        for site in sites:
            await asyncio.to_thread(site.stop)


class Session:
    """A room whose two sides sit at two processes, on pages that come back by themselves."""

    def __init__(self, site: Site, beside: Site) -> None:
        self.table = Table(site)
        self.sites = (site, beside)
        rng = random.Random(SEED)
        self.pages = tuple(Page(typist, random.Random(rng.random())) for typist in self.table.typists)
        self.table.typists[1].client = client_of(beside, self.table.pair, Role.INTERVIEWER)

    @property
    def processes(self) -> list[int]:
        """By side, which of the sites it sits at."""
        return [
            next(
                place for place, site in enumerate(self.sites) if page.client._url.startswith(site.socket_url)
            )
            for page in self.pages
        ]

    def send_elsewhere(self, side: int) -> None:
        """Its next socket goes to the other process, as a proxy decides."""
        site = self.sites[1 - self.processes[side]]
        client = self.pages[side].client
        client._url = f"{site.socket_url}/sockets/rooms/{self.table.pair.room_id}"
        client._headers["Origin"] = site.url

    async def goes_on_through(self, loss: Callable[[], None]) -> None:
        """Both type, something goes away meanwhile, and afterwards each hears the other, one at a time."""
        typed = sum(len(typist.acknowledged) for typist in self.table.typists)
        for page in self.pages:
            page.is_typing = True
        await eventually(
            lambda: sum(len(typist.acknowledged) for typist in self.table.typists) > typed + 20, "some edits"
        )
        await asyncio.to_thread(loss)
        for page in self.pages:
            page.is_typing = False
        for one, other in (self.pages, self.pages[::-1]):
            line = f"{one.typist.letter} after {loss.__doc__}, {len(one.typist.sent)}"
            await one.speak(line)
            await eventually(
                lambda other=other, line=line: line in {each.text for each in other.client.lines.values()},
                f"{other.typist.letter} hears {line!r}",
            )
        await self.is_whole()

    async def is_whole(self) -> None:
        """Both sides and the log hold the same, and everything that was promised or shown."""
        one, other = (page.client for page in self.pages)
        await eventually(lambda: not one.unsaved and not other.unsaved, "saved")
        await eventually(lambda: str(one.text) == str(other.text), "the same text")
        await eventually(lambda: one.lines == other.lines, "the same lines")
        assert await asyncio.to_thread(self._losses) == []
        assert self.table.log.document.text == str(one.text)

    def _losses(self) -> list[str]:
        connections.close_all()  # those from before a restart of Postgres
        return self.table.losses()

    @asynccontextmanager
    async def under_way(self) -> AsyncIterator[None]:
        coming = [asyncio.create_task(page.stay()) for page in self.pages]
        try:
            yield
        finally:
            for task in coming:
                task.cancel()
            await asyncio.gather(*coming, return_exceptions=True)
            await self.table.part()


async def eventually(is_so: Callable[[], object], what: str) -> None:
    try:
        async with asyncio.timeout(BACK_WITHIN_S):
            while not is_so():  # noqa: ASYNC110 - several clients, so no one event
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise TimeoutError(f"not within {BACK_WITHIN_S} s: {what}") from None


def test_a_session_goes_on_through_the_loss_of_each_part(
    redis: OwnRedis, django_db_blocker: DjangoDbBlocker
) -> None:
    with (
        django_db_blocker.unblock(),
        harness.stage(own_postgres=True, environment={"REDIS_URL": redis.url}) as on,
        on.another_site() as beside,
    ):
        postgres = on.postgres
        assert postgres is not None
        session = Session(on.site, beside)

        def flush() -> None:
            "a flush of Redis"
            redis.flush()

        def restart_redis() -> None:
            "a restart of Redis"
            redis.kill()
            redis.start()

        def restart_postgres() -> None:
            "a restart of Postgres"
            postgres.stop()
            postgres.start()

        def kill_a_process() -> None:
            "the end of a process"
            session.send_elsewhere(1)
            beside.kill()

        def bring_it_back() -> None:
            "the return of a process"
            beside.start()
            session.send_elsewhere(1)
            on.site.kill()
            session.send_elsewhere(0)

        async def go_through() -> None:
            async with session.under_way():
                assert session.processes == [0, 1]
                for loss in (flush, restart_redis, restart_postgres):
                    await session.goes_on_through(loss)
                await session.goes_on_through(kill_a_process)
                assert session.processes == [0, 0] and session.pages[1].returns > 0
                await session.goes_on_through(bring_it_back)
                assert session.processes == [1, 1] and session.pages[0].returns > 0

        asyncio.run(go_through())
