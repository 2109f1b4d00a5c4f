"""The room server's processes: several on one port, started again when they die, told when all ends."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator

import psutil
import pytest
from channels.db import database_sync_to_async
from pytest_django.plugin import DjangoDbBlocker

from anteroom.serving import Site, until
from rooms.client import RoomClient
from rooms.forks import listen
from rooms.roles import Role
from tests.rooms.people import client_of, make_pair, socket_site

pytestmark = pytest.mark.slow  # starts servers of its own

PROCESSES = 2
ROOMS = 8
WITHIN_S = 10.0


@pytest.fixture(scope="module")
def rooms_site(
    site_template: str, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> Iterator[Site]:
    """A room server of two processes."""
    home = tmp_path_factory.mktemp("forks")
    with socket_site(site_template, home, django_db_blocker, shell="roomserver", processes=PROCESSES) as site:
        yield site


def children(site: Site) -> set[int]:
    return {each.pid for each in psutil.Process(site.server_pid).children()}


async def until_there_are(site: Site, but: set[int]) -> set[int]:
    """The processes, once all are there and none of these."""

    def there_are() -> bool:
        return len(children(site) - but) == PROCESSES

    await asyncio.to_thread(until, there_are, "every process")
    return children(site) - but


def holder(site: Site, port: int) -> int:
    """Which process has the server's end of a connection from this port."""
    (pid,) = [
        pid
        for pid in children(site)
        for each in psutil.Process(pid).net_connections(kind="tcp")
        if each.raddr and each.raddr.port == port
    ]
    return pid


def own_port(client: RoomClient) -> int:
    assert client._socket is not None
    return int(client._socket.local_address[1])


async def test_one_that_dies_costs_its_own_sockets_and_comes_back(rooms_site: Site) -> None:
    pairs = [await database_sync_to_async(make_pair)() for _ in range(ROOMS)]
    clients = [client_of(rooms_site, pair, Role.CANDIDATE) for pair in pairs]
    for client in clients:
        await client.connect()
    held_by = {client: holder(rooms_site, own_port(client)) for client in clients}
    assert set(held_by.values()) == children(rooms_site), "the kernel spread them over both"

    victim = held_by[clients[0]]
    os.kill(victim, signal.SIGSEGV)
    lost = [client for client in clients if held_by[client] == victim]
    for client in lost:
        assert (await client.until_closed())[0] == 1006
    for client in clients:
        if client not in lost:
            await client.say("nothing happened here")
            await client.until_saved()
    processes = await until_there_are(rooms_site, {victim})
    for client in lost:
        await client.connect()
        await client.say("back")
        await client.until_saved()
    assert {holder(rooms_site, own_port(client)) for client in clients} <= processes
    assert "room process" in (said := rooms_site.log_path.read_text()) and "died (SIGSEGV)" in said
    for client in clients:
        await client.close()


async def test_told_to_stop_all_let_everybody_go(rooms_site: Site) -> None:
    pairs = [await database_sync_to_async(make_pair)() for _ in range(ROOMS)]
    clients = [client_of(rooms_site, pair, Role.CANDIDATE) for pair in pairs]
    for client in clients:
        await client.connect()
        await client.say("before the end")
    processes = children(rooms_site)
    try:
        assert await asyncio.to_thread(rooms_site.end) == 0
        for client in clients:
            assert (await client.until_closed())[0] == 1012
            assert client.lines or not client.unsaved
        assert not [pid for pid in processes if psutil.pid_exists(pid)]
    finally:
        await asyncio.to_thread(rooms_site.start)


async def test_without_the_one_that_watches_they_end(rooms_site: Site) -> None:
    pair = await database_sync_to_async(make_pair)()
    client = client_of(rooms_site, pair, Role.CANDIDATE)
    await client.connect()
    processes = children(rooms_site)
    os.kill(rooms_site.server_pid, signal.SIGKILL)
    try:
        assert (await client.until_closed())[0] == 1012
        await asyncio.to_thread(until, lambda: not any(map(is_alive, processes)), "the end of them")
    finally:
        rooms_site.kill()
        await asyncio.to_thread(rooms_site.start)


def is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


# --- the door, before anybody is in -------------------------------------------------------------------


async def test_who_asks_whether_it_is_well_is_told(rooms_site: Site) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(rooms_site))
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), WITHIN_S)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b'\r\n\r\n{"rooms": true}')
    writer.close()


async def test_half_a_handshake_is_not_waited_for(rooms_site: Site) -> None:
    async def begin(sent: bytes) -> float:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(rooms_site))
        began = time.monotonic()
        writer.write(sent)
        assert await asyncio.wait_for(reader.read(), WITHIN_S) == b""
        writer.close()
        return time.monotonic() - began

    halves = (b"", b"GET /sockets/ro", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
    for waited_s in await asyncio.gather(*map(begin, halves)):
        assert 1 < waited_s < 8, "some time is given"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000,
        b"GET / HTTP/1.1\r\nX: " + b"y" * 100_000,
        b"POST / HTTP/1.1\r\nContent-Length: 400000000\r\n\r\n" + b"y" * 100_000,
        bytes(range(256)) * 400,
    ],
)
async def test_endless_headers_and_bodies_are_not_read(rooms_site: Site, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(rooms_site))
    writer.write(sent)
    try:
        answer = await asyncio.wait_for(reader.read(), 4)
    except ConnectionResetError:
        answer = b""
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    writer.transport.abort()


def port_of(site: Site) -> int:
    return int(site.socket_url.rsplit(":", 1)[1])


async def test_a_port_in_use_is_not_shared_unawares(rooms_site: Site) -> None:
    with pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", port_of(rooms_site), PROCESSES)
    mine = listen("127.0.0.1", 0, 2)
    assert len({each.getsockname()[1] for each in mine}) == 1
    for each in mine:
        each.close()
