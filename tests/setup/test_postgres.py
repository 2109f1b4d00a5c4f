"""The embedded Postgres keeps what it acknowledged, and never outlives or doubles its owner."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from anteroom.postgres import AlreadyRunning, EmbeddedPostgres
from anteroom.serving import until
from tests.setup.conftest import fresh_home

OWNER = """
import sys, time
from pathlib import Path
from anteroom.postgres import EmbeddedPostgres
postgres = EmbeddedPostgres(Path(sys.argv[1]))
postgres.start()
print(postgres.pid, flush=True)
sys.stdin.read()
"""


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.fixture(scope="module")
def home() -> Path:
    """The same cluster for all tests of this file."""
    return fresh_home()


@pytest.fixture
def postgres(home: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(home / "postgres")
    yield server
    server.stop()


def test_rows_acknowledged_before_kill_9_are_there_afterwards(postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres.start(), autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS acknowledged")
        connection.execute("CREATE TABLE acknowledged (n int)")
        for n in range(500):
            connection.execute("INSERT INTO acknowledged VALUES (%s)", [n])
        postgres.kill()
    with psycopg.connect(postgres.start(), autocommit=True) as connection:
        row = connection.execute("SELECT count(*), max(n) FROM acknowledged").fetchone()
    assert row == (500, 499)


def test_a_pid_file_that_now_names_another_program_is_no_obstacle(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    pid_file = postgres.folder / "data" / "postmaster.pid"
    left = pid_file.read_text()
    postgres.stop()
    with subprocess.Popen(["/bin/sleep", "60"]) as other:
        try:
            pid_file.write_text("\n".join([str(other.pid), *left.splitlines()[1:]]) + "\n")
            pid_file.chmod(0o600)
            postgres.start()
            assert other.poll() is None
        finally:
            other.kill()


def test_after_kill_9_it_waits_for_sessions_that_are_still_at_work(postgres: EmbeddedPostgres) -> None:
    """Two servers on the same files would ruin them."""
    with psycopg.connect(postgres.start(), autocommit=True) as connection:
        busy = connection.info.backend_pid
        connection.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 20000000)")
        until(lambda: psutil.Process(busy).cpu_times().user > 0.2, "the session is at work")
        postgres.kill()
        assert is_running(busy), "it ended at once: the test shows nothing"
        postgres.start()
        assert not is_running(busy)
        connection.close()


def test_a_second_owner_is_refused_while_the_first_lives(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    with pytest.raises(AlreadyRunning):
        EmbeddedPostgres(postgres.folder).start()
    postgres.stop()
    second = EmbeddedPostgres(postgres.folder)
    second.start()
    second.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's kernel ends children of a killed parent")
def test_it_ends_when_its_owner_is_killed_and_starts_again(home: Path, postgres: EmbeddedPostgres) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(home / "postgres")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout
        pid = int(owner.stdout.readline())
        owner.kill()
    until(lambda: not _runs(pid), "the server ended with its owner", timeout_s=20)
    started = time.monotonic()
    postgres.start()
    assert time.monotonic() - started < 20


def _runs(pid: int) -> bool:
    """Whether the process is there and more than an exit code that nobody has fetched."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
