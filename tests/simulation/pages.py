"""Pages of a browser, in lockstep with virtual time: frontend/tests/simulation/pages.ts run by Node.

One Node process holds all pages. It does nothing by itself: each order is one line, answered by one line that
says what the page did and when its next timer is due.
"""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from anteroom import frontend
from rooms.wire import Beat, Committed, Welcome, decode_from_server
from tests.simulation.clock import VirtualLoop

ENTRY = "tests/simulation/pages.ts"
Change = tuple[str, str, str]
"""A file below frontend/, what stands there, what is to stand there instead: for planting a mistake."""


def bundle(folder: Path, *changes: Change) -> Path:
    """The pages' code as one file for Node, made from the sources as they are, with these changes."""
    copy = folder / "frontend"
    for name in ("src", "tests"):
        shutil.copytree(frontend.FRONTEND / name, copy / name, ignore=shutil.ignore_patterns("*.css"))
    (copy / "node_modules").symlink_to(frontend.FRONTEND / "node_modules")
    for name, before, after in changes:
        source = (copy / name).read_text()
        assert source.count(before) == 1, f"{before!r} is not in {name} just once any more"
        (copy / name).write_text(source.replace(before, after))
    command, environment = frontend.tool("rolldown")
    out = folder / "pages.mjs"
    done = subprocess.run(
        [*command, str(copy / ENTRY), "--file", str(out), "--format", "esm", "--platform", "node"],
        cwd=copy, env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return out


class Browser:
    """A Node process that holds pages; it serves any number of simulations, one after the other."""

    def __init__(self, *changes: Change) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="anteroom-pages-")
        script = bundle(Path(self._folder.name), *changes)
        _, environment = frontend.tool("rolldown")
        node = shutil.which("node", path=environment["PATH"])
        assert node is not None
        self._node = subprocess.Popen(
            [node, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )

    def ask(self, **order: Any) -> dict[str, Any]:
        """Give an order; what came of it."""
        assert self._node.stdin is not None and self._node.stdout is not None
        self._node.stdin.write(json.dumps(order, separators=(",", ":")).encode() + b"\n")
        self._node.stdin.flush()
        line = self._node.stdout.readline()
        assert line, f"the pages' process ended with {self._node.wait()}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        assert self._node.stdin is not None and self._node.stdout is not None
        self._node.stdin.close()
        self._node.wait(10)
        self._node.stdout.close()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Page:
    """One tab, from loading to being closed."""

    def __init__(
        self, loop: VirtualLoop, browser: Browser, number: int, seat: str, seed: int,
        deed: Callable[[str, list[Any]], None],
    ) -> None:  # fmt: skip
        """deed: told of everything the page does, in order: its name and details."""
        self.number = number
        self.seat = seat
        self.is_open = True
        self.unsaved = False
        self.phase = ""
        self.seen_seq = 0
        """How much of the log it has been shown."""
        self._loop = loop
        self._browser = browser
        self._deed = deed
        self._timer: asyncio.TimerHandle | None = None
        self._slept_over: list[tuple[str, dict[str, Any]]] | None = None
        self._seed = seed

    def load(self) -> None:
        """Open the tab."""
        self._order("load", seat=self.seat, seed=self._seed)

    def hear(self, socket: int, frames: list[bytes]) -> None:
        """Frames arrive on one of its sockets."""
        self._order("hear", socket=socket, frames=[base64.b64encode(frame).decode() for frame in frames])
        if not self.is_asleep:
            for message in map(decode_from_server, frames):
                if isinstance(message, Welcome | Committed | Beat):
                    self.seen_seq = max(self.seen_seq, message.seq)

    def gone(self, socket: int, code: int, reason: str) -> None:
        """One of its sockets is closed, and the browser knows."""
        self._order("gone", socket=socket, code=code, reason=reason)

    def does(self, what: str, **details: Any) -> None:
        """The person does something."""
        self._order(what, **details)

    def look(self) -> dict[str, Any]:
        """All that it shows now."""
        seen: dict[str, Any] = self._order("look")
        return seen

    @property
    def is_asleep(self) -> bool:
        return self._slept_over is not None

    def sleep(self) -> None:
        """The lid is shut: nothing runs, and what arrives waits."""
        if self._slept_over is None:
            self._slept_over = []

    def wake(self) -> None:
        """All that waited happens at once; timers that came due meanwhile fire."""
        slept_over, self._slept_over = self._slept_over or [], None
        for do, details in slept_over:
            self._order(do, **details)

    def shut(self) -> None:
        """The tab is closed or reloaded; its memory is gone."""
        self.is_open = False
        if self._timer is not None:
            self._timer.cancel()

    def _order(self, do: str, **details: Any) -> Any:
        if not self.is_open:
            return None
        if self._slept_over is not None and do != "look":
            self._slept_over.append((do, details))
            return None
        now_ms = self._loop.time() * 1000
        answer = self._browser.ask(page=self.number, now_ms=now_ms, do=do, **details)
        self.unsaved, self.phase = answer["unsaved"], answer["phase"]
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (next_ms := answer["next_ms"]) is not None:
            self._timer = self._loop.after(max(0.0, next_ms - now_ms) / 1000, self._order, "tick")
        for deed, *rest in answer["deeds"]:
            if deed in ("made", "send"):
                rest[-1] = base64.b64decode(rest[-1])
            self._deed(deed, rest)
        return answer.get("seen")
