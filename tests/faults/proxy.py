"""A bad network between clients and a server: TCP connections that lag, stall, break and fall silent.

What TCP promises holds: the bytes of one connection arrive in order or not at all. Different connections
overtake each other, so what was sent on one that was given up may arrive after what was sent on the next.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

CHUNK_BYTES = 64 * 1024
GONE = (ConnectionError, OSError)
Way = Literal["up", "down"]
"""To the server, to the client."""


@dataclass(frozen=True, slots=True)
class Weather:
    """What happens to the connections for a while."""

    name: str = "fair"
    latency_ms: tuple[float, float] = (0, 0)
    """Of a piece, drawn anew each time between these two."""
    piece_bytes: int | None = None
    """What is read at once is passed on in pieces of up to so many bytes."""
    blocked: frozenset[Way] = frozenset()
    """Nothing passes this way until the weather changes."""
    cut_chance: float = 0
    """Of each piece: a part of it arrives, then the connection is reset."""
    refuses: bool = False
    """New connections are reset at once."""
    holds: bool = False
    """Whatever is open now is stuck until the weather changes; new connections pass it by."""
    silences: bool = False
    """Whatever is open now falls silent for good: neither end hears that the other is gone."""


FAIR = Weather()
KINDS: tuple[Weather, ...] = (
    Weather("slow", latency_ms=(20, 60)),
    Weather("uneven", latency_ms=(0, 120)),
    Weather("torn", piece_bytes=7, latency_ms=(0, 4)),
    Weather("nothing up", blocked=frozenset({"up"})),
    Weather("nothing down", blocked=frozenset({"down"})),
    Weather("nothing at all", blocked=frozenset({"up", "down"})),
    Weather("cuts", cut_chance=0.2, piece_bytes=40),
    Weather("slow and cut", cut_chance=0.08, latency_ms=(5, 40)),
    Weather("refusing", cut_chance=1, refuses=True),
    Weather("stuck", holds=True),
    Weather("silent", silences=True),
)


@dataclass(slots=True)
class Counts:
    """What the proxy did."""

    connections: int = 0
    refused: int = 0
    cut: int = 0
    cut_inside: int = 0
    """Of these: within what was sent at once, so in the middle of a frame or of several."""
    silenced: int = 0
    late: int = 0
    """Pieces that reached the server after the client had left their connection."""
    spells: dict[str, int] = field(default_factory=dict)


class Proxy:
    """Listens on a free port and carries what comes to the server, through the weather."""

    def __init__(self, host: str, port: int, seed: int) -> None:
        """host, port: of the server. seed: of the storms, and of each piece on its own."""
        self._upstream = (host, port)
        self._storms = random.Random(seed)
        self.rng = random.Random(-1 - seed)
        self._lines: set[_Line] = set()
        self._server: asyncio.Server | None = None
        self.changed = asyncio.Condition()
        self.weather = FAIR
        self.port = 0
        self.counts = Counts()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=CHUNK_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        lines = list(self._lines)
        for line in lines:
            line.reset()
        await self.set(FAIR)
        await asyncio.gather(*(line.ended.wait() for line in lines))

    async def set(self, weather: Weather) -> None:
        """Change the weather."""
        self.weather = weather
        self.counts.spells[weather.name] = self.counts.spells.get(weather.name, 0) + 1
        for line in self._lines:
            line.is_held = weather.holds
            line.is_silent = line.is_silent or weather.silences
        self.counts.silenced += weather.silences * len(self._lines)
        async with self.changed:
            self.changed.notify_all()

    async def storm(self, spells: int, spell_s: tuple[float, float]) -> None:
        """So many kinds of bad weather, one after the other, each for a time between these two; then heal."""
        for _ in range(spells):
            await self.set(self._storms.choice(KINDS))
            await asyncio.sleep(self._storms.uniform(*spell_s))
        await self.heal()

    async def heal(self) -> None:
        """Fair weather. A connection that had fallen silent is reset, as by a router that forgot it."""
        await self.set(FAIR)
        for line in list(self._lines):
            if line.is_silent:
                line.reset()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counts.connections += 1
        if self.weather.refuses:
            self.counts.refused += 1
            _reset(writer)
            return
        try:
            up_reader, up_writer = await asyncio.open_connection(*self._upstream, limit=CHUNK_BYTES)
        except OSError:
            _reset(writer)
            return
        line = _Line(self, writer, up_writer)
        self._lines.add(line)
        await line.carry(reader, up_reader)
        self._lines.discard(line)


class _Line:
    """One connection through the proxy: a socket to either end."""

    def __init__(self, proxy: Proxy, down: asyncio.StreamWriter, up: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._writers: dict[Way, asyncio.StreamWriter] = {"down": down, "up": up}
        self.is_held = self.is_silent = False
        self._is_over = False
        self.ended = asyncio.Event()

    async def carry(self, reader: asyncio.StreamReader, up_reader: asyncio.StreamReader) -> None:
        """Both ways, until both have ended: what one end sent before it left still reaches the other."""
        try:
            await asyncio.gather(self._one_way("up", reader), self._one_way("down", up_reader))
        finally:
            self.reset()
            self.ended.set()

    def reset(self) -> None:
        """End both sides at once, as if the network had forgotten them."""
        self._is_over = True
        for writer in self._writers.values():
            _reset(writer)

    async def _one_way(self, way: Way, reader: asyncio.StreamReader) -> None:
        with suppress(*GONE):
            while data := await reader.read(CHUNK_BYTES):
                await self._pass_on(way, data)
            await self._until_passable(way)
        if not self._is_over and not self.is_silent:
            self._writers[way].close()  # sends what is left, then says that this end is gone

    async def _pass_on(self, way: Way, data: bytes) -> None:
        """What was read at once, as the weather lets it. Raises ConnectionError."""
        writer, rng, counts = self._writers[way], self._proxy.rng, self._proxy.counts
        at = 0
        while at < len(data):
            low, high = self._proxy.weather.latency_ms
            if high:
                await asyncio.sleep(rng.uniform(low, high) / 1000)
            await self._until_passable(way)
            weather = self._proxy.weather
            piece = data[at : at + (weather.piece_bytes or len(data))]
            at += len(piece)
            if self.is_silent:
                continue  # swallowed
            if rng.random() < weather.cut_chance:
                part = piece[: rng.randrange(len(piece) + 1)]
                counts.cut += 1
                counts.cut_inside += 0 < len(part) < len(piece) or at < len(data)
                writer.write(part)
                await asyncio.sleep(0)  # let the part go before the reset takes it along
                self.reset()
                raise ConnectionResetError
            counts.late += way == "up" and self._writers["down"].is_closing()
            writer.write(piece)
            await writer.drain()

    async def _until_passable(self, way: Way) -> None:
        async with self._proxy.changed:
            await self._proxy.changed.wait_for(
                lambda: self._is_over or not (self.is_held or way in self._proxy.weather.blocked)
            )


def _reset(writer: asyncio.StreamWriter) -> None:
    """RST instead of FIN: what was not delivered yet is lost."""
    inner = writer.get_extra_info("socket")
    if inner is not None:
        with suppress(OSError):
            inner.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
