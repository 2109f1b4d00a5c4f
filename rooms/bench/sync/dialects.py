"""How the servers want to be spoken to: what a client says first, and what stands around a Yjs message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from rooms.bench.sync.updates import NotAnUpdate, read_varint, varint

SYNC, AWARENESS, AUTH = 0, 1, 2
STEP_1, STEP_2, UPDATE = 0, 1, 2
COMMITTED = 54
"""Anteroom's "saved", rooms/wire.py."""
EMPTY_VECTOR = b"\x00"


def sync(step: int, body: bytes) -> bytes:
    """One message of the y-protocols' sync."""
    return bytes((SYNC, step)) + varint(len(body)) + body


def awareness(body: bytes) -> bytes:
    """One awareness message."""
    return bytes((AWARENESS,)) + varint(len(body)) + body


class Dialect(Protocol):
    """What a message starts with, and what a client says first. Names in one run are of one length."""

    def prefix(self, name: str) -> bytes: ...

    def hello(self, name: str, vector: bytes) -> list[bytes]: ...


@dataclass(frozen=True)
class Plain:
    """The y-protocols as they are; the address names the room."""

    def prefix(self, name: str) -> bytes:
        return b""

    def hello(self, name: str, vector: bytes = EMPTY_VECTOR) -> list[bytes]:
        return [sync(STEP_1, vector)]


@dataclass(frozen=True)
class Hocuspocus:
    """Each message names its document, and one has to introduce oneself first."""

    def prefix(self, name: str) -> bytes:
        return varint(len(name.encode())) + name.encode()

    def hello(self, name: str, vector: bytes = EMPTY_VECTOR) -> list[bytes]:
        token = b"anybody"
        introduction = bytes((AUTH, 0)) + varint(len(token)) + token
        return [self.prefix(name) + each for each in (introduction, sync(STEP_1, vector))]


def sync_body(message: bytes) -> tuple[int, bytes] | None:
    """(step, body) of a sync message behind its prefix; None for any other."""
    if len(message) < 3 or message[0] != SYNC or message[1] > UPDATE:
        return None
    size, at = read_varint(message, 2)
    if at + size > len(message):
        raise NotAnUpdate("a message is cut short")
    return message[1], message[at : at + size]
