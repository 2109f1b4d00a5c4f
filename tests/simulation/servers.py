"""Server processes: a real keeper each, real sessions, and a shell that carries frames to and fro."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any, Protocol
from unittest.mock import patch

from django.conf import settings

from anteroom.errors import Refusal
from rooms.keeper import Keeper
from rooms.limits import Limits, Rate
from rooms.passes import Pass
from rooms.session import Session, farewell
from rooms.store import StoreError
from rooms.wire import (
    ClientMessage,
    Refused,
    ServerMessage,
    decode_from_client,
    decode_from_server,
)
from tests.simulation.clock import Process, VirtualLoop, current
from tests.simulation.layer import SimulatedLayer
from tests.simulation.network import Gone, Link
from tests.simulation.store import SimulatedStore

GENEROUS = Rate(messages=100.0, bytes=1_000_000.0)
TIGHT = Rate(messages=6.0, bytes=2_000.0)
"""So little that typing runs into it: people are slowed down, nothing is lost."""


class Server(Process):
    """A process of the service. `rate`: what one person may send."""

    def __init__(
        self, loop: VirtualLoop, name: str, store: SimulatedStore, layer: SimulatedLayer,
        *, skew_s: float, rate: Rate, window_ms: float,
    ) -> None:  # fmt: skip
        super().__init__(name, skew_s)
        self.loop = loop
        self.links: dict[Link, Shell] = {}
        self.keeper = Keeper(
            store=store, layer=layer, clock=lambda: self.now(loop), idle_room_s=6.0, window_ms=window_ms
        )
        self.limits = Limits(
            rate, sockets_per_person=settings.ROOM_SOCKETS_PER_PERSON,
            handshakes_per_minute=settings.ROOM_HANDSHAKES_PER_MINUTE,
        )  # fmt: skip

    def accept(self, link: Link, permit: Pass, seen_seq: int, referee: Referee) -> Shell:
        """A handshake arrives, of a page that has seen so much of the log."""
        shell = self.links[link] = Shell(self, link, permit, seen_seq, referee)
        self.start(shell.run())
        return shell

    def die(self) -> None:
        """kill -9."""
        self.kill()
        for link in list(self.links):
            link.server_dies()
        self.links.clear()

    def drain(self, within_s: float, ended: Callable[[Server], None]) -> None:
        """SIGTERM: it lets everybody go. ended: told when it has."""

        async def drain() -> None:
            await self.keeper.drain(within_s=within_s)
            self.loop.after(0.0, ended, self)

        self.start(drain())


class Referee(Protocol):
    """Looks at everything that a server lets out to one page."""

    def lets_out(self, shell: Shell, message: ServerMessage) -> None: ...


class Shell:
    """One connection at its server, as rooms/consumers.py and rooms/roomserver.py have it."""

    def __init__(self, server: Server, link: Link, permit: Pass, seen_seq: int, referee: Referee) -> None:
        self.server, self.link, self.permit, self.seen_seq = server, link, permit, seen_seq
        self.received: list[ClientMessage] = []
        """Durable messages, in order: `Committed.saved` counts them."""
        self.acknowledged = 0
        """How many of them were called saved."""
        self.refused = 0
        self._referee = referee
        self._inbox: asyncio.Queue[Any] = asyncio.Queue()
        self._session: Session | None = None
        self._is_closed = False

    def arrive(self, items: list[Any]) -> None:
        """From the network, on nobody's behalf."""
        for item in items:
            self.server.loop.call_soon(self._inbox.put_nowait, item, context=self.server.context())

    async def run(self) -> None:
        session = self._session = Session(self._notify)
        try:
            await session.enter(f"/sockets/rooms/{self.permit.room_id}", {"pass": self.permit.session_key})
            while not isinstance(item := await self._inbox.get(), Gone):
                message = decode_from_client(item)
                if message.mark == "durable" and session.closing is None:
                    self.received.append(message)
                if not session.receive(item):
                    await session.until_read_on()
        except Refusal as refusal:
            self._close(refusal)
        finally:
            session.leave()
            self.server.links.pop(self.link, None)

    def _notify(self) -> None:
        asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        assert self._session is not None
        for frame in self._session.take():
            self._let_out(frame)
        if self._session.closing is not None:
            self._close(self._session.closing)

    def _close(self, refusal: Refusal) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        words = farewell(refusal)
        self._let_out(words.frame)
        self.link.server_closes(words.code, words.reason)
        self._inbox.put_nowait(Gone())

    def _let_out(self, frame: bytes) -> None:
        message = decode_from_server(frame)
        if isinstance(message, Refused):
            self.refused += 1
        self._referee.lets_out(self, message)
        self.link.server_sends(frame)


@contextlib.contextmanager
def stood_in(loop: VirtualLoop, random: Random, admitted: Callable[[str], Pass]) -> Iterator[None]:
    """Where the engine reaches past its store: the door's queries, ids, the clock of the limits.

    admitted: whose session it is that a cookie names; raises SignedOut.
    """

    def admit(cookies: Mapping[str, str], room_id: str) -> Pass:
        return admitted(cookies["pass"])

    def beside(do: Callable[..., Any]) -> Callable[..., Any]:
        async def done(*arguments: Any) -> Any:
            await asyncio.sleep(random.expovariate(1.0) * 0.005)
            return do(*arguments)

        return done

    def unheard(do: Callable[..., Any]) -> Callable[..., Any]:
        return beside(lambda: None)

    with contextlib.ExitStack() as stack:
        for name, stand_in in {
            "rooms.session.admit": admit,
            "rooms.session.database_sync_to_async": beside,
            "rooms.session.keeper": lambda: _server().keeper,
            "rooms.session.limits": lambda: _server().limits,
            "rooms.limits.monotonic": loop.time,
            "rooms.keeper.database_sync_to_async": unheard,
            "uuid.uuid4": lambda: uuid.UUID(int=random.getrandbits(128), version=4),
        }.items():
            stack.enter_context(patch(name, stand_in))
        yield


def _server() -> Server:
    server = current()
    assert isinstance(server, Server)
    return server


class Complaints(logging.Handler):
    """What the engine logs: some of it is a bug by itself."""

    def __init__(self, heard: Callable[[str, bool], None]) -> None:
        """heard: the words, and whether an error that nobody expected is with them."""
        super().__init__()
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        is_bug = record.levelno >= logging.ERROR and error is not None and not isinstance(error, StoreError)
        self._heard(self.format(record), is_bug)
