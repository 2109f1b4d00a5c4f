"""The servers under load, each a process tree on one core, with what it stores in a folder of its own."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from anteroom.processes import Child
from anteroom.serving import ROOT, free_port
from rooms.bench.sync.clients import Door
from rooms.bench.sync.dialects import Dialect, Plain

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 20
NAME_SIZE = 12


class DidNotStart(Exception):
    """A server did not come up; the message ends with its last words."""


@contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """What is started in this block runs on this core alone. None: wherever it likes."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Server(ABC):
    """One kind of server. `start` after `kill` or `stop` finds what was stored before."""

    name: str
    """On the command line."""
    title: str
    """In the table."""
    stores: str
    """Where edits are kept, and when."""
    dialect: Dialect = Plain()
    name_size = NAME_SIZE
    address: tuple[str, int]

    @abstractmethod
    def start(self) -> None:
        """Start it and wait until it answers. Raises DidNotStart."""

    @abstractmethod
    def stop(self) -> None:
        """End it politely."""

    @abstractmethod
    def kill(self) -> None:
        """kill -9 of everything but its database."""

    @abstractmethod
    def close(self) -> None:
        """End everything it has started."""

    @abstractmethod
    def processes(self) -> list[psutil.Process]:
        """All that serve the rooms now, without the database."""

    def database_processes(self) -> list[psutil.Process]:
        """Those of a database of its own, if it is not part of the server."""
        return []

    def doors(self, count: int) -> list[Door]:
        """Fresh rooms."""
        names = [secrets.token_hex(NAME_SIZE // 2) for _ in range(count)]
        return [Door(name, f"/{name}") for name in names]

    def cpu_s(self) -> float:
        """Seconds of CPU spent so far, the database's among them."""
        return sum(map(_spent_s, [*self.processes(), *self.database_processes()]))

    def memory_bytes(self) -> int:
        """What its processes hold alone, without the database."""
        return sum(int(process.memory_full_info().uss) for process in self.processes())


class ChildServer(Server):
    """A server that is one command."""

    def __init__(self, folder: Path, core: int | None) -> None:
        self.folder = folder
        self._core = core
        self._child: Child | None = None
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.address = ("127.0.0.1", free_port())

    @abstractmethod
    def command(self) -> list[str]: ...

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def start(self) -> None:
        with on_core(self._core):
            self._child = Child(
                self.name, self.command(), log_path=self.folder / "server.log", env=self.environment(),
                cwd=self.folder,
            )  # fmt: skip
        deadline = time.monotonic() + START_TIMEOUT_S
        while not answers(self.address):
            if self._child.exit_code is not None or time.monotonic() > deadline:
                raise DidNotStart(f"{self.title} did not start: {self._child.last_lines()}")
            time.sleep(0.05)

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop(STOP_TIMEOUT_S)
            self._child = None

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def processes(self) -> list[psutil.Process]:
        return tree(self._child.pid) if self._child is not None else []


def answers(address: tuple[str, int]) -> bool:
    """Whether somebody speaks HTTP there."""
    try:
        with urllib.request.urlopen(f"http://{address[0]}:{address[1]}/healthz", timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def tree(pid: int) -> list[psutil.Process]:
    """A process and all it has started."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _spent_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


class BareRelay(ChildServer):
    """Passes frames on and does nothing else: what it holds is what the generator can load."""

    name = "relay"
    title = "a bare relay"
    stores = "nowhere"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "rooms.bench.sync.relay", str(self.address[1])]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "platform"), str(ROOT)])}
