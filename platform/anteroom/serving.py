"""The site as processes of its own: Daphne on a port, the worker beside it, a database made for them.

For whatever needs the real thing from outside: browser tests, raw-socket tests, benchmarks. The process that
starts a site can read and write the site's database through Django by `site.database()`.

`python -m anteroom.serving prepare|web|rooms|worker` runs one part in the foreground, as containers want it.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 10
POLL_S = 0.05

T = TypeVar("T")


class CannotServe(Exception):
    """A process of the site did not come up or a command failed; the message ends with its last words."""


MESSAGE_LIMIT_BYTES = 128 * 1024
"""Where a server cuts a socket off; the room refuses half of that already, with a sentence."""
GRACE_S = 10
"""How long servers of others' making may take to end."""
Shell = Literal["daphne", "uvicorn", "granian", "roomserver"]
"""What serves the rooms' sockets; pages come from the same server, beside a roomserver from Daphne."""


def daphne_command(port: int = 0, host: str = "127.0.0.1", *, descriptor: int | None = None) -> list[str]:
    """Daphne as the site runs it: no access log (it would write addresses), no name of the software.

    descriptor: an open listening socket to serve instead of a port.
    """
    where = ["--bind", host, "--port", str(port)] if descriptor is None else ["--fd", str(descriptor)]
    limit = str(MESSAGE_LIMIT_BYTES)
    return [
        sys.executable, "-m", "daphne", *where, "--verbosity", "0", "--no-server-name",
        "--websocket-max-message-size", limit, "--websocket-max-frame-size", limit,
        "anteroom.asgi:application",
    ]  # fmt: skip


def uvicorn_command(port: int = 0, host: str = "127.0.0.1") -> list[str]:
    """The same application under uvicorn: one process, no access log, no compression."""
    return [
        sys.executable, "-m", "uvicorn", "anteroom.asgi:application", "--host", host, "--port", str(port),
        "--loop", "uvloop", "--ws", "websockets-sansio", "--ws-max-size", str(MESSAGE_LIMIT_BYTES),
        "--ws-per-message-deflate", "false", "--lifespan", "on", "--no-access-log", "--no-server-header",
        "--no-proxy-headers", "--log-level", "warning",
        "--timeout-graceful-shutdown", str(GRACE_S),
    ]  # fmt: skip


def granian_command(port: int = 0, host: str = "127.0.0.1") -> list[str]:
    """The same application under granian: one worker process, no access log."""
    return [
        sys.executable, "-m", "granian", "anteroom.asgi:application", "--interface", "asgi", "--host", host,
        "--port", str(port), "--workers", "1", "--http", "1", "--loop", "uvloop", "--no-access-log",
        "--log-level", "warning", "--workers-kill-timeout", str(GRACE_S),
    ]  # fmt: skip


def roomserver_command(
    port: int = 0, host: str = "127.0.0.1", *, descriptor: int | None = None, processes: int = 0
) -> list[str]:
    """The rooms' sockets alone, over picows.

    descriptor: an open listening socket to serve instead of a port. processes: how many it starts and keeps
    alive; 0: it serves itself.
    """
    where = ["--host", host, "--port", str(port)] if descriptor is None else ["--fd", str(descriptor)]
    return [
        sys.executable, "-m", "django", "roomserver", *where, "--processes", str(processes), "--no-color",
    ]  # fmt: skip


def worker_command() -> list[str]:
    """One Celery worker with its clock inside. Alone, so it need not look for others of its kind."""
    return [
        sys.executable, "-m", "celery", "--app", "anteroom.celery", "--quiet", "worker", "--beat",
        "--pool", "threads", "--concurrency", "2", "--loglevel", "warning",
        "--without-gossip", "--without-mingle", "--without-heartbeat",
    ]  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(look: Callable[[], T], what: str, timeout_s: float = 10) -> T:
    """Look again and again until the answer is true, and return it.

    Raises TimeoutError with `what` and the last answer.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise TimeoutError(f"Not within {timeout_s:g} s: {what} (last seen: {seen!r})")
        time.sleep(POLL_S)


class Site:
    """One site: a home folder, a database, a port, and the processes started for it.

    A killed server comes back on the same port by `start`, as after a crash.
    """

    def __init__(
        self,
        *,
        home: Path,
        database_url: str,
        port: int = 0,
        shell: Shell = "daphne",
        processes: int = 0,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """home: an existing folder for key, logs and collected files. port: of the pages, 0 picks a free one.

        processes: of a roomserver; 0: one, which nobody watches. settings: more of them, by environment name.
        """
        self.home = home
        self.database_url = database_url
        self.port = port or free_port()
        self.url = f"http://localhost:{self.port}"
        self.shell = shell
        self.log_path = home / "server.log"
        """Of the server that serves the sockets."""
        self.pages_log_path = home / "pages.log" if shell == "roomserver" else self.log_path
        self.worker_log_path = home / "worker.log"
        self._socket_port = free_port() if shell == "roomserver" else self.port
        self._processes = processes
        self._settings = dict(settings or {})
        self._server: subprocess.Popen[bytes] | None = None
        self._pages: subprocess.Popen[bytes] | None = None
        self._worker: subprocess.Popen[bytes] | None = None

    @property
    def socket_url(self) -> str:
        """Where the rooms' sockets are, without a path."""
        return f"ws://localhost:{self._socket_port}"

    @property
    def server_pid(self) -> int:
        """The process that was started to serve the sockets. Raises RuntimeError when none runs."""
        if self._server is None:
            raise RuntimeError("the site is not running")
        return self._server.pid

    @property
    def environment(self) -> dict[str, str]:
        """What the site's processes see; the caller's own home, database and address do not reach them."""
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "platform"), str(ROOT)]),
            "DJANGO_SETTINGS_MODULE": "anteroom.settings",
            "ANTEROOM_HOME": str(self.home),
            "DATABASE_URL": self.database_url,
            "SITE_URL": self.url,
            **self._settings,
        }

    def prepare(self) -> None:
        """Fill the home: the caller's secret key, so that sessions and links made there count here, and the
        static files, so that a rebuild beside it changes nothing here.
        """
        from django.conf import settings

        key = self.home / "secret_key"
        key.touch(mode=0o600)
        key.write_text(settings.SECRET_KEY)
        self.command("collectstatic", "--no-input", "--verbosity", "0")

    def command(self, *arguments: str) -> str:
        """Run a management command against this site; its output. Raises CannotServe."""
        return _run_command(self.environment, *arguments)

    def start(self) -> None:
        """Start the servers that do not run and wait until they answer. Raises CannotServe."""
        if self._server is None:
            self._server = self._spawn(self._command(), self.log_path)
        if self.shell == "roomserver" and self._pages is None:
            self._pages = self._spawn(daphne_command(self.port), self.pages_log_path)
        self._wait(self._server, self._socket_port, self.log_path)
        if self._pages is not None:
            self._wait(self._pages, self.port, self.pages_log_path)

    def _command(self) -> list[str]:
        match self.shell:
            case "daphne":
                return daphne_command(self.port)
            case "uvicorn":
                return uvicorn_command(self.port)
            case "granian":
                return granian_command(self.port)
            case "roomserver":
                return roomserver_command(self._socket_port, processes=self._processes)

    def _wait(self, server: subprocess.Popen[bytes], port: int, log_path: Path) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers(port):
            if server.poll() is not None:
                raise CannotServe(f"The server stopped at once: {_last_lines(log_path)}")
            if time.monotonic() > deadline:
                self.kill()
                raise CannotServe(
                    f"The server did not answer in {START_TIMEOUT_S} s: {_last_lines(log_path)}"
                )
            time.sleep(POLL_S)

    def has_died(self) -> bool:
        """Whether the server of the sockets is gone. One that crashes cuts its sockets a moment before it has
        ended, so one that does not answer is waited for."""
        if self._server is None:
            return True
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while self._server.poll() is None and time.monotonic() < deadline:
            if self._answers(self._socket_port):
                return False
            time.sleep(POLL_S)
        return self._server.poll() is not None

    def start_worker(self) -> None:
        """Start the worker, once; the caller waits for what the worker does."""
        if self._worker is None:
            self._worker = self._spawn(worker_command(), self.worker_log_path)

    def kill(self) -> None:
        """kill -9 of the server of the sockets and of what it started, for tests and figures of what
        survives it.
        """
        if self._server:
            _kill_session(self._server)
            self._server = None

    def end(self) -> int:
        """Ask the server of the sockets to end, and wait until it has; its exit code.

        Raises subprocess.TimeoutExpired.
        """
        assert self._server is not None
        server, self._server = self._server, None
        server.send_signal(signal.SIGTERM)
        try:
            return server.wait(STOP_TIMEOUT_S)
        finally:
            _kill_session(server)

    def stop(self) -> None:
        """End what was started: politely first, then not."""
        started = [each for each in (self._worker, self._server, self._pages) if each]
        for process in started:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in started:
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_TIMEOUT_S)
            _kill_session(process)
        self._worker = self._server = self._pages = None

    @contextmanager
    def database(self) -> Iterator[None]:
        """Within this block Django in the calling process works on the site's database and address."""
        from django.db import connections
        from django.test.utils import override_settings

        address = urlsplit(self.database_url)
        theirs = {
            "NAME": address.path.lstrip("/"), "HOST": address.hostname, "PORT": address.port,
            "USER": address.username, "PASSWORD": address.password or "",
        }  # fmt: skip
        connections.close_all()
        configured = connections.databases["default"]  # shared by the connections of all threads
        ours = {key: configured.get(key) for key in theirs}
        configured.update(theirs)
        try:
            with override_settings(SITE_URL=self.url):
                yield
        finally:
            connections.close_all()
            configured.update(ours)

    def _spawn(self, command: list[str], log_path: Path) -> subprocess.Popen[bytes]:
        with log_path.open("ab") as log:
            return subprocess.Popen(
                command, env=self.environment, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def _answers(self, port: int) -> bool:
        try:
            with urllib.request.urlopen(f"http://localhost:{port}/healthz", timeout=5):
                return True
        except urllib.error.HTTPError:
            return True  # it speaks; a missing worker is none of our business
        except OSError:
            return False


# --- databases ----------------------------------------------------------------------------------------


def make_database(database_url: str, name: str, *, template: str | None = None) -> str:
    """Make a database beside the one of the URL, as a copy of `template` if given; its URL."""
    with _server_connection(database_url) as connection:
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        connection.execute(statement)
    return urlsplit(database_url)._replace(path=f"/{name}").geturl()


def drop_database(database_url: str, name: str) -> None:
    """Drop it together with the connections it still has."""
    with _server_connection(database_url) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def fresh_name(word: str) -> str:
    """A database name that no other run uses."""
    return f"anteroom_{word}_{secrets.token_hex(4)}"


def migrate(database_url: str, home: Path) -> None:
    """Bring the database of the URL to the newest tables. Raises CannotServe."""
    Site(home=home, database_url=database_url).command("migrate", "--verbosity", "0")


def _server_connection(database_url: str) -> psycopg.Connection:
    return psycopg.connect(urlsplit(database_url)._replace(path="/postgres").geturl(), autocommit=True)


# --- inside -------------------------------------------------------------------------------------------


def _kill_session(process: subprocess.Popen[bytes]) -> None:
    """kill -9 of what was started and of what that has started; each was given a session of its own."""
    with suppress(ProcessLookupError, PermissionError):  # nothing is left; macOS says so with EPERM
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _run_command(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "django", *arguments],
        env=environment, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise CannotServe(f"{arguments[0]} failed: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout


def _last_lines(path: Path, count: int = 12) -> str:
    return "\n" + "\n".join(path.read_text(errors="replace").strip().splitlines()[-count:])


def main() -> None:
    """Become one part of the site; `prepare` brings tables and static files up to date and ends."""
    parser = argparse.ArgumentParser(prog="python -m anteroom.serving", description=main.__doc__)
    parser.add_argument("part", choices=["prepare", "web", "rooms", "worker"])
    parser.add_argument("--host", default="127.0.0.1", help="address the server listens on")
    parser.add_argument("--port", type=int, default=8000, help="port the server listens on")
    options = parser.parse_args()
    if options.part == "prepare":
        for command in (["migrate", "--no-input"], ["collectstatic", "--no-input", "--clear"]):
            subprocess.run([sys.executable, "-m", "django", *command, "--verbosity", "0"], check=True)
        return
    where = (options.port, options.host)
    commands = {
        "web": daphne_command(*where), "rooms": roomserver_command(*where), "worker": worker_command(),
    }  # fmt: skip
    os.execv(sys.executable, commands[options.part])


if __name__ == "__main__":
    main()
