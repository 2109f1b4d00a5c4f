"""A Redis of our own: messages between the processes of one machine.

Nothing in it outlives it, and nothing must: the log in Postgres is the truth. Listens on 127.0.0.1 alone,
with a password that is made anew at each start.
"""

from __future__ import annotations

import secrets
import socket
import time
from contextlib import suppress
from pathlib import Path

from anteroom.processes import Child
from anteroom.programs import find_program
from anteroom.serving import free_port
from anteroom.steps import explain

START_TIMEOUT_S = 10
STOP_TIMEOUT_S = 10
LOOK_EVERY_S = 0.02
MEMORY_LIMIT = "256mb"

_CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir {folder}
daemonize no
save ""
appendonly no
maxmemory {memory}
maxmemory-policy volatile-lru
"""


class OwnRedis:
    """One Redis in one folder. Port and password stay the same for as long as this object lives."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        """folder: for configuration and log. port: 0 picks a free one. Raises Trouble where there is none."""
        self.program = find_program("redis-server", package="redis-server")
        self.folder = folder
        self.port = port or free_port()
        self._password = secrets.token_urlsafe(24)
        self._child: Child | None = None
        self._configure()

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    @property
    def command(self) -> list[str]:
        return [self.program, str(self._configuration)]

    def start(self) -> str:
        """Start it and wait until it answers; its URL. For tests and bars: `up` supervises `command`."""
        self._child = Child("redis", self.command, log_path=self.folder / "redis.log")
        self.wait_until_ready(self._child)
        return self.url

    def wait_until_ready(self, child: Child) -> None:
        """Until this process of it answers. Raises Trouble."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.answers():
            if child.exit_code is not None or time.monotonic() > deadline:
                raise explain("Redis did not start. Its last words:", child.last_lines() or "(none)")
            time.sleep(LOOK_EVERY_S)

    def stop(self) -> None:
        if self._child:
            self._child.stop(STOP_TIMEOUT_S)
            self._child = None

    def kill(self) -> None:
        """kill -9, for tests of what survives it."""
        if self._child:
            self._child.kill()
            self._child = None

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    def answers(self) -> bool:
        """Whether it takes the password and says PONG."""
        with suppress(OSError):
            return self._ask("PING").endswith(b"+PONG\r\n")
        return False

    def flush(self) -> None:
        """Forget everything, groups of the channel layer included. Raises OSError."""
        if not self._ask("FLUSHALL").endswith(b"+OK\r\n"):
            raise OSError("Redis did not flush")

    # --- inside ---------------------------------------------------------------------------------------

    @property
    def _configuration(self) -> Path:
        return self.folder.absolute() / "redis.conf"

    def _configure(self) -> None:
        """In a file of its owner's alone: a command line can be read by everybody on the machine."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._configuration.unlink(missing_ok=True)
        self._configuration.touch(mode=0o600)
        self._configuration.write_text(
            _CONFIGURATION.format(
                port=self.port, password=self._password, folder=_quoted(self.folder.absolute()),
                memory=MEMORY_LIMIT,
            )
        )  # fmt: skip

    def _ask(self, command: str) -> bytes:
        """Both answers, to the password and to the command."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as line:
            line.sendall(f"AUTH {self._password}\r\n{command}\r\n".encode())
            told = b""
            while told.count(b"\r\n") < 2:
                more = line.recv(200)
                if not more:
                    break
                told += more
            return told


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
