"""`up --processes`: the production shape on one machine, used as people use it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import uuid
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

import psutil
import pytest
from channels.db import database_sync_to_async
from django.conf import settings
from pytest_django.plugin import DjangoDbBlocker

from accounts.models import Person
from anteroom import programs
from anteroom.redis import OwnRedis
from anteroom.serving import Site, until
from anteroom.steps import Trouble
from rooms.client import RoomClient
from rooms.roles import Role
from tests.rooms.people import Pair, client_of, make_pair
from tests.setup.conftest import fresh_home
from tests.setup.running import Running, manage

slow = pytest.mark.slow
PASSWORD = "a long way to Tipperary"


@pytest.fixture(scope="module")
def up() -> Iterator[Running]:
    home = fresh_home()
    (home / "secret_key").write_text(settings.SECRET_KEY)  # so that sessions made here count there
    running = Running(home, "--no-demo", "--processes", "2")
    yield running
    if running.process.poll() is None:
        running.end(signal.SIGTERM)


@pytest.fixture
def site(up: Running, django_db_blocker: DjangoDbBlocker) -> Iterator[Site]:
    """What runs there, and its database for Django here."""
    found = json.loads((up.home / "running.json").read_text())
    site = Site(home=up.home, database_url=found["database_url"], port=int(up.url.rsplit(":", 1)[1]))
    with django_db_blocker.unblock(), site.database():
        yield site


def servers(up: Running, word: str) -> list[psutil.Process]:
    """Those of its processes that live and have this word on their command line."""
    return [
        each
        for each in psutil.Process(up.process.pid).children()
        if each.status() != psutil.STATUS_ZOMBIE and word in each.cmdline()
    ]


def room_servers(up: Running) -> list[psutil.Process]:
    return servers(up, "roomserver")


def sockets_of(process: psutil.Process) -> int:
    """Connections that people hold to it through the proxy."""
    port = int(process.cmdline()[process.cmdline().index("--port") + 1])
    return sum(
        each.status == psutil.CONN_ESTABLISHED and each.laddr.port == port
        for each in process.net_connections("tcp4")
    )


@pytest.mark.parametrize("missing", ["nginx", "redis-server"])
def test_what_is_missing_is_said_before_anything_is_started(missing: str, home: Path) -> None:
    """A machine on which the other one is there alone."""
    folder = home / "bin"
    folder.mkdir()
    for name in {"nginx", "redis-server"} - {missing}:
        (folder / name).symlink_to(programs.find_program(name, package=name))
    code = (
        "import sys; from anteroom import programs, bootstrap; programs.SYSTEM_FOLDERS = ();"
        "sys.exit(bootstrap.run(['up', '--port', '0', '--processes', '2']))"
    )
    ran = manage(home, code=code, PATH=str(folder))
    assert ran.returncode == 1
    assert f"Several processes need {missing}" in ran.stderr and f"apt install {missing}" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert {each.name for each in home.iterdir()} <= {"bin", "up.lock", "redis"}  # no database, no children


def test_a_number_of_processes_is_a_small_whole_one(home: Path) -> None:
    for number in ("0", "-1", "17", "two"):
        ran = manage(home, "up", "--processes", number)
        assert ran.returncode == 2 and "--processes" in ran.stderr and "Traceback" not in ran.stderr


def test_a_folder_with_blanks_and_quotes_is_a_folder_for_redis(tmp_path: Path) -> None:
    redis = OwnRedis(tmp_path / 'a "quoted" folder')
    try:
        assert redis.start().startswith("redis://:")
        assert redis.answers()
        assert redis.folder.joinpath("redis.conf").stat().st_mode & 0o077 == 0  # the password is in it
    finally:
        redis.stop()
    assert not redis.answers()


def test_a_redis_that_cannot_start_says_why(tmp_path: Path) -> None:
    first = OwnRedis(tmp_path / "first")
    first.start()
    try:
        with pytest.raises(Trouble, match="in use"):
            OwnRedis(tmp_path / "second", port=first.port).start()
    finally:
        first.stop()


@slow
def test_pages_come_through_the_proxy_and_a_form_is_taken(up: Running, site: Site) -> None:
    assert up.get("/healthz") == (200, '{"database": true, "layer": true, "worker": true}')
    status, page = up.get("/")
    assert status == 200
    for address in re.findall(r'(?:src|href)="(/static/app/assets/[^"]+)"', page):
        assert up.get(address)[0] == 200
    person = Person.objects.create_user(f"{uuid.uuid4().hex}@example.org", password=PASSWORD)
    cookies = CookieJar()
    browser = build_opener(HTTPCookieProcessor(cookies))
    form = browser.open(f"{up.url}/accounts/login/", timeout=10).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
    assert token
    fields = {"csrfmiddlewaretoken": token[1], "login": person.email, "password": PASSWORD}
    for origin, answer in (("http://localhost:1", 403), (up.url, 200)):
        sent = Request(f"{up.url}/accounts/login/", urlencode(fields).encode(), {"Origin": origin})
        try:
            status = browser.open(sent, timeout=10).status
        except HTTPError as error:
            status = error.code
        assert status == answer
    assert settings.SESSION_COOKIE_NAME in {cookie.name for cookie in cookies}


@slow
def test_both_sides_meet_in_one_process_and_in_another_when_it_dies(up: Running, site: Site) -> None:
    async def meet() -> None:
        pairs = [await database_sync_to_async(make_pair)() for _ in range(6)]
        for pair in pairs:
            before = [sockets_of(each) for each in room_servers(up)]
            async with client_of(site, pair, Role.CANDIDATE), client_of(site, pair, Role.INTERVIEWER):
                after = [sockets_of(each) for each in room_servers(up)]
                assert sorted(map(int.__sub__, after, before)) == [0, 2]
        await move_on(pairs[0])

    async def move_on(pair: Pair) -> None:
        clients = [client_of(site, pair, role) for role in (Role.CANDIDATE, Role.INTERVIEWER)]
        for client in clients:
            await client.connect()
        await clients[0].edit((0, 0, "before "))
        await clients[0].until_saved()
        home = max(room_servers(up), key=sockets_of)
        home.kill()
        for client in clients:
            await client.until_closed()
            await back(client)
        assert home.pid not in {each.pid for each in room_servers(up)}
        await clients[0].edit((7, 0, "and after"))
        await clients[1].until(lambda: str(clients[1].text) == "before and after")
        for client in clients:
            await client.close()

    asyncio.run(meet())
    until(lambda: re.search(r"room server \d +died \(SIGKILL\), started again", up.said), "said")
    until(lambda: len(room_servers(up)) == 2, "there are two again")


async def back(client: RoomClient) -> None:
    """At once: there is another process, and nobody has to wait for the dead one."""
    async with asyncio.timeout(5):
        await client.connect()


@slow
def test_tasks_go_on_after_redis_has_forgotten_everything(up: Running) -> None:
    redis = json.loads((up.home / "running.json").read_text())["redis_url"]
    code = (
        f"import redis; redis.Redis.from_url('{redis}').flushall();"
        "from anteroom import models, tasks; models.Heartbeat.objects.all().delete(); tasks.beat.delay()"
    )
    ran = manage(up.home, "shell", "-c", code)
    assert ran.returncode == 0, ran.stderr
    until(lambda: up.get("/healthz")[0] == 200, "the worker took the task", timeout_s=10)


@slow
def test_a_page_is_answered_while_a_web_server_is_away(up: Running) -> None:
    web = servers(up, "daphne")
    assert len(web) == 2
    web[0].kill()
    for _ in range(10):
        assert up.get("/")[0] == 200
    until(lambda: re.search(r"web server \d +died \(SIGKILL\), started again", up.said), "said")


@slow
def test_nobody_else_can_read_the_passwords(up: Running) -> None:
    found = json.loads((up.home / "running.json").read_text())
    passwords = [re.search(r":([^:@/]+)@", found[name])[1] for name in ("database_url", "redis_url")]  # type: ignore[index]
    shown = [" ".join(each.cmdline()) for each in up.alive()]
    assert not [line for line in shown for password in passwords if password in line]


@slow
def test_people_are_told_before_it_ends_and_all_stop_in_order(up: Running, site: Site) -> None:
    """The last of this file: it ends the one that the others share."""
    up.descendants = psutil.Process(up.process.pid).children(recursive=True)

    async def leave() -> tuple[int | None, str]:
        client = client_of(site, await database_sync_to_async(make_pair)(), Role.CANDIDATE)
        await client.connect()
        os.kill(up.process.pid, signal.SIGTERM)
        return await client.until_closed()

    code, reason = asyncio.run(leave())
    assert code == 1012 and reason
    assert up.process.wait(60) == 0
    stopped = re.findall(r"^ +(.+?) +stopped", up.said.split("Stopping")[1], re.MULTILINE)
    assert stopped == [
        "web server 1", "web server 2", "room server 1", "room server 2", "proxy", "worker", "redis",
        "database",
    ], up.said  # fmt: skip
    up.assert_nothing_is_left()
