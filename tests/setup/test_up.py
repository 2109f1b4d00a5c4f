"""`up` for real: it serves, it is found, it stops, and nothing of it is left whatever happens."""

from __future__ import annotations

import json
import re
import signal
import socket
import stat
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from anteroom.serving import until
from tests.setup.conftest import fresh_home
from tests.setup.running import Running, manage


@pytest.fixture(scope="module")
def up() -> Iterator[Running]:
    running = Running(fresh_home())
    yield running
    if running.process.poll() is None:
        running.end(signal.SIGTERM)


def test_a_port_in_use_is_one_sentence(home: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ran = manage(home, "up", "--port", str(port))
    assert ran.returncode == 1
    assert f"Port {port} on 127.0.0.1 cannot be used" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (home / "postgres").exists()  # known before anything was started


def test_without_up_other_commands_say_what_is_missing(home: Path) -> None:
    ran = manage(home, "demo")
    assert ran.returncode == 1
    assert "python3 manage.py up" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.slow
def test_it_serves_pages_assets_and_health(up: Running) -> None:
    assert up.get("/healthz") == (200, '{"database": true, "layer": true, "worker": true}')
    status, page = up.get("/")
    assert status == 200
    assets = re.findall(r'(?:src|href)="(/static/app/assets/[^"]+)"', page)
    assert assets
    for address in assets:
        with urllib.request.urlopen(up.url + address, timeout=10) as answer:
            assert answer.status == 200
            assert "immutable" in answer.headers["Cache-Control"]
    assert up.get("/static/admin/css/base.css")[0] == 200


@pytest.mark.slow
def test_it_prints_three_links_of_its_own_address(up: Running) -> None:
    links = re.findall(r"(?:Candidate|Interviewer|Admin)\s+(\S+)/enter/#(\S{43})\n", up.said)
    assert [link[0] for link in links] == [up.url] * 3
    assert up.get("/enter/")[0] == 200


@pytest.mark.slow
def test_a_second_one_of_the_same_folder_is_told_of_the_first(up: Running) -> None:
    ran = manage(up.home, "up", "--port", "0")
    assert ran.returncode == 1
    assert f"running from this folder already (process {up.process.pid})" in ran.stderr


@pytest.mark.slow
def test_other_commands_find_database_and_address_and_nobody_else_may(up: Running) -> None:
    ran = manage(up.home, "demo")
    assert ran.returncode == 0, ran.stderr
    assert f"{up.url}/enter/#" in ran.stdout
    assert stat.S_IMODE((up.home / "running.json").stat().st_mode) == 0o600


@pytest.mark.slow
def test_a_task_goes_through_the_queue_in_postgres_to_the_worker(up: Running) -> None:
    code = "from anteroom import models, tasks; models.Heartbeat.objects.all().delete(); tasks.beat.delay()"
    ran = manage(up.home, "shell", "-c", code)
    assert ran.returncode == 0, ran.stderr
    until(lambda: json.loads(up.get("/healthz")[1])["worker"], "the worker took the task", timeout_s=10)


@pytest.mark.slow
def test_who_dies_is_started_again_and_the_others_stay(up: Running) -> None:
    web = next(each for each in up.descendants if "daphne" in each.cmdline())
    database = next(each for each in up.descendants if "postgres" in each.name())
    others = [each for each in up.alive() if "celery" in each.cmdline()]
    web.kill()
    until(lambda: re.search(r"^  web server +died \(SIGKILL\), started again$", up.said, re.M), "said")
    assert up.get("/healthz")[0] == 200  # asked at once: the socket that listens waited for it
    database.kill()
    until(lambda: re.search(r"^  database +died \(SIGKILL\), started again$", up.said, re.M), "said")
    until(lambda: up.get("/healthz")[0] == 200, "the database is back")
    assert others and all(each.is_running() for each in others)
    up.descendants += psutil.Process(up.process.pid).children(recursive=True)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's kernel ends children of a killed parent")
def test_after_kill_9_nothing_is_left_and_the_next_one_starts(home: Path) -> None:
    running = Running(home, "--no-demo")
    assert "/enter/#" not in running.said
    running.end(signal.SIGKILL)
    running.assert_nothing_is_left()
    again = Running(home, "--no-demo")
    assert again.get("/healthz")[0] == 200
    assert again.end(signal.SIGTERM) == 0
    again.assert_nothing_is_left()


@pytest.mark.slow
def test_ctrl_c_stops_all_in_order(up: Running) -> None:
    """The last of this file: it ends the one that the others share."""
    assert len(up.descendants) >= 4  # web server, worker, its schedule, Postgres
    assert up.end(signal.SIGINT) == 0
    stopped = re.findall(r"^ +(.+?) +stopped", up.said.split("Stopping")[1], re.MULTILINE)
    assert stopped == ["web server", "worker", "database"]
    up.assert_nothing_is_left()
    assert not (up.home / "running.json").exists()
