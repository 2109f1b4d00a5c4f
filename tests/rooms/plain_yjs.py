"""An ordinary Yjs client, y-websocket in Node, driven from a test."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from anteroom.serving import Site
from rooms.roles import Role
from tests.rooms.people import Pair

PROGRAM = Path(__file__).resolve().parents[2] / "frontend" / "tests" / "plain-client.mjs"
DEADLINE_S = 15.0
LINE_BYTES = 1 << 24


class PlainClient:
    """A Node process with a WebsocketProvider in it; `state` is what it last said of itself."""

    def __init__(self, site: Site, pair: Pair, role: Role) -> None:
        self._hello = {
            "serverUrl": f"{site.socket_url}/sockets/rooms",
            "room": str(pair.room_id),
            "cookie": pair.candidate if role is Role.CANDIDATE else pair.interviewer,
            "origin": site.url,
        }
        self.state: dict[str, Any] = {}
        self._changed = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        node = shutil.which("node")
        if node is None:
            pytest.skip("Node is not on the path")
        self._process = await asyncio.create_subprocess_exec(
            node, str(PROGRAM), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            limit=LINE_BYTES,
        )  # fmt: skip
        self._reading = asyncio.create_task(self._read_all())
        await self._write(self._hello)
        await self.until(lambda state: state["synced"], "the first sync")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None and self._process.stdin is not None and self._reading is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(DEADLINE_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reading

    @property
    def text(self) -> str:
        return str(self.state.get("text", ""))

    async def do(self, order: str, **details: Any) -> None:
        """Have the client do one of the `orders` of its program."""
        await self._write({"do": order, **details})

    async def until(self, is_so: Callable[[dict[str, Any]], object], what: str) -> None:
        """Wait for a state of the client. Raises TimeoutError, ConnectionError when its process ended."""
        assert self._reading is not None
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not self.state or not is_so(self.state):
                    if self._reading.done():
                        raise ConnectionError(f"the client's process ended while waiting for {what}")
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"{what} did not come in {DEADLINE_S} s; last: {self.state}") from None

    async def _write(self, message: dict[str, Any]) -> None:
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        await self._process.stdin.drain()

    async def _read_all(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        while line := await self._process.stdout.readline():
            self.state = json.loads(line)
            self._changed.set()
        self._changed.set()
