"""The two sides of a room on two server processes: the log is the truth, Redis only wakes."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from channels.db import database_sync_to_async
from django.conf import settings

from anteroom.serving import Site, free_port, until
from rooms import log
from rooms.live.room import Facts, LiveRoom
from rooms.roles import Role
from rooms.wire import Move
from tests.rooms.people import client_of, make_pair

pytestmark = pytest.mark.slow  # starts servers of its own

EDITS = 60


@pytest.fixture
def redis_url() -> Iterator[str]:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    port = free_port()
    process = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
    )
    ask = [program.replace("redis-server", "redis-cli"), "-p", str(port), "ping"]
    until(lambda: subprocess.run(ask, capture_output=True, check=False).stdout == b"PONG\n", "redis")
    yield f"redis://127.0.0.1:{port}"
    process.terminate()
    process.wait()


@pytest.mark.parametrize("with_layer", [True, False], ids=["redis", "no layer between them"])
async def test_both_sides_write_on_different_processes(
    rooms_site: Site,
    with_layer: bool,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if with_layer:
        monkeypatch.setenv("REDIS_URL", request.getfixturevalue("redis_url"))
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
                began = time.monotonic()
                await interviewer.until(lambda: interviewer.phase == "live", "the start")
                print(f"from process to process in {(time.monotonic() - began) * 1000:.0f} ms")
        entries = await database_sync_to_async(log.entries)(pair.room_id)
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        assert LiveRoom.replay(entries, Facts("", "python", 0, 0, {})).document.text == str(candidate.text)
    finally:
        for site in sites:
            await asyncio.to_thread(site.stop)
