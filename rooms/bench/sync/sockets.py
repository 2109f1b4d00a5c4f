"""A WebSocket from the client's side as cheap as it gets: no masking to compute, no objects per message."""

from __future__ import annotations

import base64
import os
import socket
from collections.abc import Iterator

BINARY, TEXT, CLOSE, PING, PONG = 0x82, 0x81, 0x88, 0x89, 0x8A
NO_MASK = bytes(4)
"""A client's frames must be masked; with a key of zeros the payload stands as it is."""
READ_BYTES = 1 << 18


class Refused(Exception):
    """The server did not open a WebSocket, or closed it; the message is what it said."""


def head(size: int, kind: int = BINARY) -> bytes:
    """What stands before a client's payload of this size."""
    if size < 126:
        return bytes((kind, 0x80 | size)) + NO_MASK
    if size < 1 << 16:
        return bytes((kind, 0x80 | 126)) + size.to_bytes(2, "big") + NO_MASK
    return bytes((kind, 0x80 | 127)) + size.to_bytes(8, "big") + NO_MASK


def frame(payload: bytes, kind: int = BINARY) -> bytes:
    """One frame of a client."""
    return head(len(payload), kind) + payload


def upgrade(host: str, path: str, headers: dict[str, str]) -> bytes:
    """The request that opens a WebSocket."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        f"GET {path} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]  # fmt: skip
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def split(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Whole frames of a server as (first byte, payload), and what is left of the next."""
    frames: list[tuple[int, bytes]] = []
    at, end = 0, len(data)
    while end - at >= 2:
        size, start = data[at + 1], at + 2
        if size == 126:
            size, start = int.from_bytes(data[start : start + 2], "big"), start + 2
        elif size == 127:
            size, start = int.from_bytes(data[start : start + 8], "big"), start + 8
        if start + size > end:
            break
        frames.append((data[at], data[start : start + size]))
        at = start + size
    return frames, data[at:]


class Wire:
    """One blocking WebSocket with deadlines, for what needs no speed: opening a history, asking for it."""

    def __init__(
        self, address: tuple[str, int], path: str, headers: dict[str, str], timeout_s: float
    ) -> None:
        """Raises Refused, OSError."""
        self.bytes_in = 0
        self._data = b""
        self._socket = socket.create_connection(address, timeout=timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(upgrade(f"{address[0]}:{address[1]}", path, headers))
        while b"\r\n\r\n" not in self._data:
            self._read()
        answer, _, self._data = self._data.partition(b"\r\n\r\n")
        self.bytes_in = len(self._data)
        if b" 101 " not in answer[:20]:
            raise Refused(answer.split(b"\r\n", 1)[0].decode("latin-1"))

    def send(self, payload: bytes) -> None:
        self._socket.sendall(frame(payload))

    def messages(self) -> Iterator[bytes]:
        """What comes, one binary message after another. Raises Refused when closed, TimeoutError."""
        while True:
            frames, self._data = split(self._data)
            for kind, payload in frames:
                if kind == CLOSE:
                    raise Refused(f"closed with {int.from_bytes(payload[:2], 'big')}")
                if kind == PING:
                    self._socket.sendall(frame(payload, PONG))
                elif kind == BINARY:
                    yield payload
            self._read()

    def close(self) -> None:
        self._socket.close()

    def _read(self) -> None:
        data = self._socket.recv(READ_BYTES)
        if not data:
            raise Refused("the server hung up")
        self.bytes_in += len(data)
        self._data += data
