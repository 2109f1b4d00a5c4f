"""A WebSocket whose every byte is ours: for what no client library would send. RFC 6455."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
from collections.abc import Sequence
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

DEADLINE_S = 10.0
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
MASK = bytes((1, 2, 3, 4))


def frame(
    payload: bytes, opcode: int = BINARY, *, fin: bool = True, rsv: int = 0, masked: bool = True
) -> bytes:
    """One frame as a client sends it."""
    head = bytes(((fin << 7) | (rsv << 4) | opcode,))
    mark = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes((mark | len(payload),))
    elif len(payload) < 1 << 16:
        head += bytes((mark | 126,)) + len(payload).to_bytes(2, "big")
    else:
        head += bytes((mark | 127,)) + len(payload).to_bytes(8, "big")
    if not masked:
        return head + payload
    return head + MASK + bytes(byte ^ MASK[at % 4] for at, byte in enumerate(payload))


class Wire:
    """A connection after its handshake, or after the refusal of one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.status = ""
        self.headers: dict[str, str] = {}

    @classmethod
    async def open(cls, url: str, headers: Sequence[tuple[str, str]], *, with_it: bytes = b"") -> Self:
        """Connect to ws://host:port/path and shake hands. with_it: sent in the same breath."""
        at = urlsplit(url)
        reader, writer = await asyncio.open_connection("127.0.0.1", at.port)
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire = cls(reader, writer)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {at.path} HTTP/1.1", f"Host: {at.netloc}", "Upgrade: websocket",
            f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13",
            *(f"{name}: {value}" for name, value in headers),
        ]  # fmt: skip
        if not any(name == "Connection" for name, _ in headers):
            lines.append("Connection: Upgrade")
        writer.write("\r\n".join([*lines, "", ""]).encode() + with_it)
        async with asyncio.timeout(DEADLINE_S):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        wire.status = head[0]
        for line in head[1:]:
            name, _, value = line.partition(":")
            wire.headers[name.lower()] = value.strip()
        return wire

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.transport.abort()

    async def send(self, data: bytes) -> None:
        """These bytes, as far as the other end takes them."""
        self._writer.write(data)
        async with asyncio.timeout(DEADLINE_S):
            await self._writer.drain()

    async def next(self) -> tuple[int, bytes]:
        """The next frame: opcode and payload. Raises asyncio.IncompleteReadError at the end."""
        async with asyncio.timeout(DEADLINE_S):
            first, second = await self._reader.readexactly(2)
            assert first & 0x80 and not first & 0x70, "a whole message without an extension"
            assert not second & 0x80, "servers do not mask"
            size = second
            if size == 126:
                size = int.from_bytes(await self._reader.readexactly(2), "big")
            elif size == 127:
                size = int.from_bytes(await self._reader.readexactly(8), "big")
            return first & 0x0F, await self._reader.readexactly(size)

    async def until(self, opcode: int, starts: bytes = b"") -> bytes:
        """The payload of the next frame of this kind."""
        while True:
            seen, payload = await self.next()
            if seen == opcode and payload.startswith(starts):
                return payload

    async def close_code(self) -> int:
        """Read on until the server says that it closes; why. 0: it closed without a word."""
        try:
            return int.from_bytes((await self.until(CLOSE))[:2], "big")
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0
