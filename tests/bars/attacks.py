"""What a person with one sign-in, or none, can do to the memory of a server."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from itertools import cycle
from urllib.parse import urlsplit

from pycrdt import Doc, Text
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from anteroom.serving import Site
from rooms.live.gate import ROOT
from rooms.roles import Role
from rooms.wire import Edit, SyncStep1
from tests.rooms.people import client_of, make_pair

PASTES = 16
PASTE_CHARACTERS = 60_000
QUESTIONS = 200
"""Each is answered with the whole document, a megabyte."""
FLOOD_S = 3.0
SOCKETS = 4
PINGS = 400_000
"""Their pongs take 50 MB."""
PINGS_WITHIN_S = 20.0
BODY_BYTES = 400 * 1024 * 1024
HALF_REQUESTS = 300
CUT_WITHIN_S = 20.0
"""A connection that brings no request has to go."""
GONE = (OSError, WebSocketException, EOFError)


class Attack(ABC):
    """One way to make a server hold more and more."""

    name = ""
    note = ""
    """What came of it, for people."""
    is_endured = False
    """The server should have put an end to it and did not."""

    def __init__(self, site: Site) -> None:
        self.site = site

    async def prepare(self) -> None:  # noqa: B027 - most need nothing
        """What is no attack yet."""

    @abstractmethod
    async def run(self) -> None:
        """Do it; returns when the harm is done or the server has put an end to it."""

    async def end(self) -> None:  # noqa: B027
        """Let go."""


class _FromARoom(Attack):
    """By somebody who has a seat."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.pair = make_pair()
        self.sockets: list[ClientConnection] = []

    async def open(self) -> ClientConnection:
        """A raw socket of the interviewer, from which nothing is read unless asked."""
        url = f"{self.site.socket_url}/sockets/rooms/{self.pair.room_id}"
        headers = {"Cookie": self.pair.interviewer, "Origin": self.site.url}
        socket = await connect(
            url, additional_headers=headers, max_queue=1, max_size=None, compression=None, ping_interval=None
        )
        self.sockets.append(socket)
        return socket

    async def end(self) -> None:
        for socket in self.sockets:
            socket.transport.abort()
        await asyncio.gather(*(socket.wait_closed() for socket in self.sockets), return_exceptions=True)


class SlowReader(_FromARoom):
    """Asks for the document again and again, and reads none of the answers."""

    name = "slow reader"

    async def prepare(self) -> None:
        async with client_of(self.site, self.pair, Role.CANDIDATE) as author:
            for _ in range(PASTES):
                await author.edit((0, 0, "x" * PASTE_CHARACTERS))
                await author.until_saved()
        async with client_of(self.site, self.pair, Role.INTERVIEWER) as reader:
            assert len(str(reader.text)) == PASTES * PASTE_CHARACTERS, "it comes to those who read"

    async def run(self) -> None:
        socket = await self.open()
        question = SyncStep1(b"\x00").encode()
        asked = 0
        socket.transport.pause_reading()
        with suppress(*GONE):
            while asked < QUESTIONS and not socket.transport.is_closing():
                await socket.send(question)
                asked += 1
                await asyncio.sleep(0.01)
        await asyncio.sleep(1)  # what was asked is answered meanwhile
        socket.transport.resume_reading()
        came = 0
        with suppress(*GONE, TimeoutError):
            async with asyncio.timeout(5):
                while True:
                    came += len(await socket.recv())
        self.note = f"asked {asked} times for a megabyte; {came / 1e6:.0f} MB came in the end"


class MessageFlood(_FromARoom):
    """Sends large edits from several tabs as fast as the network takes them."""

    name = "message flood"

    async def prepare(self) -> None:
        doc: Doc[Text] = Doc(client_id=77)
        text = doc.get(ROOT, type=Text)
        made: list[bytes] = []
        subscription = doc.observe(lambda event: made.append(event.update))
        for _ in range(PASTES):
            with doc.transaction():
                text.clear()
                text.insert(0, "y" * (PASTE_CHARACTERS // 2))
        doc.unobserve(subscription)
        # What came already may come again: a page that is not told "saved" does so.
        self.frames = [Edit(update).encode() for update in made]
        self.sent_bytes = 0
        for _ in range(SOCKETS):
            await self.open()

    async def run(self) -> None:
        await asyncio.gather(*(self._flood(socket) for socket in self.sockets))
        self.note = f"{self.sent_bytes / 1e6:.0f} MB got away in {FLOOD_S:g} s over {SOCKETS} sockets"

    async def _flood(self, socket: ClientConnection) -> None:
        reading = asyncio.create_task(_read_all(socket))
        try:
            async with asyncio.timeout(FLOOD_S):
                with suppress(*GONE):
                    for frame in cycle(self.frames):
                        await socket.send(frame)
                        self.sent_bytes += len(frame)
                        await asyncio.sleep(0)
        except TimeoutError:
            pass
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


class PingFlood(_FromARoom):
    """Sends pings and reads no pong."""

    name = "ping flood"

    async def run(self) -> None:
        socket = await self.open()
        socket.transport.pause_reading()
        ping = bytes((0x89, 0x80 | 125)) + bytes(4) + bytes(125)  # masked with zeros
        batch = ping * 500
        sent = 0
        deadline = time.monotonic() + PINGS_WITHIN_S
        while sent < PINGS and time.monotonic() < deadline and not socket.transport.is_closing():
            if socket.transport.get_write_buffer_size() < 4 * len(batch):
                socket.transport.write(batch)
                sent += 500
            await asyncio.sleep(0.001)
        self.note = f"{sent} pings"


class HugeBody(Attack):
    """An anonymous POST of 400 MB, once with its length told and once in chunks."""

    name = "400 MB body"

    async def run(self) -> None:
        notes = []
        told = b"Content-Length: %d" % BODY_BYTES
        for how, head in (("length", told), ("chunks", b"Transfer-Encoding: chunked")):
            sent, answer = await self._post(head, is_chunked=head != told)
            notes.append(f"{how}: {sent / 1e6:.0f} MB went, {answer}")
        self.note = "; ".join(notes)

    async def _post(self, head: bytes, *, is_chunked: bool) -> tuple[int, str]:
        reader, writer = await _connect(self.site)
        chunk = bytes(256 * 1024)
        framed = b"%x\r\n%s\r\n" % (len(chunk), chunk) if is_chunked else chunk
        sent = 0
        answer = asyncio.create_task(reader.readline())
        try:
            writer.write(_request_line("POST", self.site) + head + b"\r\n\r\n")
            while sent < BODY_BYTES and not answer.done():
                writer.write(framed)
                await writer.drain()
                sent += len(chunk)
            if is_chunked:
                writer.write(b"0\r\n\r\n")
            async with asyncio.timeout(30):
                said = (await answer).decode().strip() or "closed"
        except GONE as error:
            said = f"cut ({type(error).__name__})"
        finally:
            answer.cancel()
            await asyncio.gather(answer, return_exceptions=True)
            writer.transport.abort()
        return sent, said


class HalfRequests(Attack):
    """Opens hundreds of connections and sends a byte of a header now and then, for ever."""

    name = "slow headers"

    async def run(self) -> None:
        began = time.monotonic()
        connections = [await _connect(self.site) for _ in range(HALF_REQUESTS)]
        for _, writer in connections:
            writer.write(_request_line("GET", self.site) + b"X-Slow: ")
        trickling = [asyncio.create_task(_trickle(*each)) for each in connections]
        _, left = await asyncio.wait(trickling, timeout=CUT_WITHIN_S)
        for each in left:
            each.cancel()
        await asyncio.gather(*trickling, return_exceptions=True)
        for _, writer in connections:
            writer.transport.abort()
        self.is_endured = bool(left)
        self.note = (
            f"{HALF_REQUESTS - len(left)} of {HALF_REQUESTS} were cut after {time.monotonic() - began:.0f} s"
        )


ATTACKS: tuple[type[Attack], ...] = (SlowReader, MessageFlood, PingFlood, HugeBody, HalfRequests)


async def _connect(site: Site) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """To where the sockets are, without a word."""
    return await asyncio.open_connection("127.0.0.1", urlsplit(site.socket_url).port)


def _request_line(method: str, site: Site) -> bytes:
    return f"{method} /accounts/login/ HTTP/1.1\r\nHost: {urlsplit(site.url).netloc}\r\n".encode()


async def _trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A byte every second until the other end has had enough."""
    ending = asyncio.create_task(reader.read(1))
    try:
        while not (await asyncio.wait([ending], timeout=1))[0]:
            writer.write(b"x")
        with suppress(*GONE):
            ending.result()
    finally:
        ending.cancel()


async def _read_all(socket: ClientConnection) -> None:
    with suppress(*GONE):
        while True:
            await socket.recv()
