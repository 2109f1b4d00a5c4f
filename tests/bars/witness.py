"""An innocent person in a process of their own, who types and looks while others attack.

What gets past the server may kill whoever loads it: then it is this process that dies, as a browser would,
and the bar is there to say so. A process of its own also has a clock that a busy attacker does not hold up.

`python -m tests.bars.witness` takes one order per line of JSON and answers each with one line.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Self

from anteroom.serving import ROOT
from rooms.client import RoomClient
from rooms.live.gate import read_vector
from rooms.wire import Edit, ServerMessage

DEADLINE_S = 10.0
LINE_BYTES = 1 << 26
EVERY_S = 0.05
"""Between two keystrokes that are timed: a fast typist."""
QUIET = ("Welcome", "Present", "Committed", "SyncStep1", "SyncStep2", "LanguageChosen", "Refused")


class Died(Exception):
    """The witness's process ended; the message says how."""


class Unable(Exception):
    """The witness could not do what was asked; the message says why."""


class Witness:
    """The process, as the bar sees it."""

    def __init__(self, url: str, cookies: tuple[str, str], origin: str) -> None:
        """url: the room's socket. cookies: of who types and of who looks; they may be the same person's."""
        self._hello: dict[str, Any] = {"url": url, "cookies": cookies, "origin": origin}
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        paths = os.pathsep.join([str(ROOT / "platform"), str(ROOT)])
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bars.witness", cwd=ROOT, env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=LINE_BYTES,
        )  # fmt: skip
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(DEADLINE_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def come(self, url: str = "", cookies: tuple[str, str] | None = None) -> dict[str, Any]:
        """Sit down, once with each cookie; in another room if one is given. `client_id`: of who types."""
        if url and cookies:
            self._hello |= {"url": url, "cookies": cookies}
        return await self.ask("come", **self._hello)

    async def type(self, words: str) -> dict[str, Any]:
        """Add words at the end; `text` once they are saved and seen by who looks, `heard` since last time."""
        return await self.ask("type", words=words)

    async def load(self) -> str:
        """The text, as somebody finds it who comes new."""
        return str((await self.ask("load"))["text"])

    async def watch(self) -> None:
        """Type all the time from now on, and time it."""
        await self.ask("watch")

    async def figures(self) -> list[float]:
        """Stop typing; how long each keystroke took to arrive, in ms."""
        return list((await self.ask("figures"))["took_ms"])

    async def ask(self, order: str, **details: Any) -> dict[str, Any]:
        """One order. Raises Died, Unable."""
        assert self._process is not None
        assert self._process.stdin is not None and self._process.stdout is not None
        with suppress(ConnectionError):
            self._process.stdin.write(json.dumps({"do": order, **details}).encode() + b"\n")
            await self._process.stdin.drain()
        try:
            async with asyncio.timeout(4 * DEADLINE_S):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise Unable(f"{order}: no answer") from None
        if not line:
            code = await self._process.wait()
            raise Died(f"whoever was in the room died ({'signal' if code < 0 else 'code'} {abs(code)})")
        answer: dict[str, Any] = json.loads(line)
        if problem := answer.get("problem"):
            raise Unable(f"{order}: {problem}")
        return answer


# --- inside -------------------------------------------------------------------------------------------


class _Person:
    """Whoever obeys: one client that types, one that looks."""

    def __init__(self) -> None:
        self._hello: dict[str, Any] = {}
        self._typing: RoomClient | None = None
        self._looking: RoomClient | None = None
        self._watching: asyncio.Task[None] | None = None
        self._took_ms: list[float] = []
        self._heard = 0

    def _client(self, place: int) -> RoomClient:
        return RoomClient(
            self._hello["url"], cookie=self._hello["cookies"][place], origin=self._hello["origin"]
        )

    async def come(self, url: str, cookies: list[str], origin: str) -> dict[str, Any]:
        await self.leave()
        self._hello, self._heard = {"url": url, "cookies": cookies, "origin": origin}, 0
        self._typing, self._looking = await self._client(0).connect(), await self._client(1).connect()
        return {"client_id": self._typing.doc.client_id}

    async def type(self, words: str) -> dict[str, Any]:
        typing, looking = self._typing, self._looking
        assert typing is not None and looking is not None
        await typing.edit((len(str(typing.text)), 0, words))
        await typing.until_saved(DEADLINE_S)
        await looking.until(lambda: str(looking.text) == str(typing.text), "the other's words", DEADLINE_S)
        heard = [_told(message) for message in looking.received[self._heard :]]
        self._heard = len(looking.received)
        return {"text": str(typing.text), "heard": [each for each in heard if each]}

    async def load(self) -> dict[str, Any]:
        async with self._client(1) as newcomer:
            return {"text": str(newcomer.text)}

    async def watch(self) -> dict[str, Any]:
        self._took_ms = []
        self._watching = asyncio.create_task(self._time_typing())
        return {}

    async def figures(self) -> dict[str, Any]:
        assert self._watching is not None
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)
        if not self._watching.cancelled() and (error := self._watching.exception()):
            raise error
        return {"took_ms": self._took_ms}

    async def _time_typing(self) -> None:
        """One character in, the one before it out, so that the text stays short."""
        typing, looking = self._typing, self._looking
        assert typing is not None and looking is not None
        while True:
            began = time.perf_counter()
            await typing.edit((0, 0, "."))
            wanted = _clock(typing, typing.doc.client_id)
            await looking.until(
                partial(_has, looking, typing.doc.client_id, wanted), "a keystroke", 2 * DEADLINE_S
            )
            self._took_ms.append(1000 * (time.perf_counter() - began))
            if len(self._took_ms) % 10 == 0:
                await typing.edit((0, 10, ""))
            await asyncio.sleep(max(0.0, EVERY_S - (time.perf_counter() - began)))

    async def leave(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        for client in (self._typing, self._looking):
            if client is not None:
                with suppress(Exception):
                    await client.close()
        self._typing = self._looking = None


def _clock(client: RoomClient, writer: int) -> int:
    """How much of this clientID's writing a client has."""
    return read_vector(client.doc.get_state()).get(writer, 0)


def _has(client: RoomClient, writer: int, clock: int) -> bool:
    return _clock(client, writer) >= clock


def _told(message: ServerMessage) -> str:
    """What was heard, but for what everybody hears all the time."""
    return "" if type(message).__name__ in QUIET or isinstance(message, Edit) else repr(message)


async def _obey() -> None:
    reader = asyncio.StreamReader(limit=LINE_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    person = _Person()
    orders: dict[str, Callable[..., Coroutine[Any, Any, dict[str, Any]]]] = {
        "come": person.come, "type": person.type, "load": person.load, "watch": person.watch,
        "figures": person.figures,
    }  # fmt: skip
    while line := await reader.readline():
        order = json.loads(line)
        try:
            answer = await orders[order.pop("do")](**order)
        except Exception as error:
            answer = {"problem": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
    await person.leave()


if __name__ == "__main__":
    asyncio.run(_obey())
