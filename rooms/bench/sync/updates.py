"""What stands in a Yjs update: which characters it brings, which it deletes. Reads, shifts, merges nothing.

The format is that of https://github.com/yjs/yjs/blob/main/src/utils/encoding.js, version 1. The benchmark
reads updates by itself, so that no server is judged by code that it may share.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

GARBAGE, DELETED, STRING, FORMAT, SKIP = 0, 1, 4, 6, 10
HAS_ORIGIN, HAS_RIGHT_ORIGIN, HAS_KEY, CONTENT = 0x80, 0x40, 0x20, 0x1F

Run = tuple[int, int, int]
"""clientID, first clock, how many clocks."""


class NotAnUpdate(ValueError):
    """These bytes are no update of a text."""


@dataclass(frozen=True, slots=True)
class Struct:
    """One piece of an update as it is written; ids are (clientID, clock)."""

    clock: int
    length: int
    info: int
    origin: tuple[int, int] | None
    right_origin: tuple[int, int] | None
    body: bytes
    """What follows the neighbours: the parent if it is named, and the content."""


@dataclass(slots=True)
class Update:
    """A parsed update."""

    structs: dict[int, list[Struct]] = field(default_factory=dict)
    deletions: list[Run] = field(default_factory=list)

    @property
    def inserted(self) -> list[Run]:
        """The runs of clocks it brings, garbage and deleted ones too."""
        return [
            (client, struct.clock, struct.length)
            for client, structs in self.structs.items()
            for struct in structs
            if struct.info & CONTENT != SKIP or struct.info & ~CONTENT
        ]


def varint(number: int) -> bytes:
    """As lib0 writes an unsigned number."""
    out = bytearray()
    while number > 0x7F:
        out.append(0x80 | (number & 0x7F))
        number >>= 7
    out.append(number)
    return bytes(out)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at this offset and the offset behind it. Raises NotAnUpdate."""
    number = shift = 0
    try:
        while data[at] > 0x7F:
            number |= (data[at] & 0x7F) << shift
            shift += 7
            at += 1
        return number | data[at] << shift, at + 1
    except IndexError:
        raise NotAnUpdate("it ends within a number") from None


def read_update(data: bytes) -> Update:
    """Parse an update of plain text. Raises NotAnUpdate."""
    update = Update()
    writers, at = read_varint(data, 0)
    for _ in range(writers):
        count, at = read_varint(data, at)
        client, at = read_varint(data, at)
        clock, at = read_varint(data, at)
        structs = update.structs.setdefault(client, [])
        for _ in range(count):
            struct, at = _read_struct(data, at, clock)
            structs.append(struct)
            clock += struct.length
    writers, at = read_varint(data, at)
    for _ in range(writers):
        client, at = read_varint(data, at)
        count, at = read_varint(data, at)
        for _ in range(count):
            clock, at = read_varint(data, at)
            length, at = read_varint(data, at)
            update.deletions.append((client, clock, length))
    if at != len(data):
        raise NotAnUpdate("bytes follow it")
    return update


def _read_struct(data: bytes, at: int, clock: int) -> tuple[Struct, int]:  # noqa: C901 - one flat format
    info = data[at]
    at += 1
    content = info & CONTENT
    if content in (GARBAGE, SKIP):
        length, end = read_varint(data, at)
        return Struct(clock, length, info, None, None, data[at:end]), end
    origin = right_origin = None
    if info & HAS_ORIGIN:
        origin, at = _read_id(data, at)
    if info & HAS_RIGHT_ORIGIN:
        right_origin, at = _read_id(data, at)
    start = at
    if not info & (HAS_ORIGIN | HAS_RIGHT_ORIGIN):
        is_named, at = read_varint(data, at)
        if is_named:
            size, at = read_varint(data, at)
            at += size
        else:
            _, at = _read_id(data, at)
        if info & HAS_KEY:
            size, at = read_varint(data, at)
            at += size
    if content == DELETED:
        length, at = read_varint(data, at)
    elif content == STRING:
        size, at = read_varint(data, at)
        length = len(data[at : at + size].decode().encode("utf-16-le")) // 2
        at += size
    elif content == FORMAT:
        for _ in range(2):
            size, at = read_varint(data, at)
            at += size
        length = 1
    else:
        raise NotAnUpdate(f"content of kind {content} is no text")
    return Struct(clock, length, info, origin, right_origin, data[start:at]), at


def _read_id(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    client, at = read_varint(data, at)
    clock, at = read_varint(data, at)
    return (client, clock), at


def shifted(update: Update, client: int, by: int) -> bytes:
    """The same edit by `client`, typed again after `by` clocks of an earlier text of that client alone.

    What began its text now follows the character typed last.
    """
    out = bytearray(varint(len(update.structs)))
    for structs in update.structs.values():
        out += varint(len(structs)) + varint(client) + varint(structs[0].clock + by)
        for struct in structs:
            origin = (client, struct.origin[1] + by) if struct.origin else (client, by - 1)
            body = struct.body
            if not struct.info & (HAS_ORIGIN | HAS_RIGHT_ORIGIN):
                size, at = read_varint(body, 1)
                body = body[at + size :]
            out.append(struct.info | HAS_ORIGIN)
            out += varint(origin[0]) + varint(origin[1])
            if struct.right_origin:
                out += varint(client) + varint(struct.right_origin[1] + by)
            out += body
    deletions = update.deletions
    out += varint(bool(deletions))
    if deletions:
        out += varint(client) + varint(len(deletions))
        for _, clock, length in deletions:
            out += varint(clock + by) + varint(length)
    return bytes(out)


class Runs:
    """A set of (clientID, clock), kept as sorted runs, to be asked whether it holds a run."""

    def __init__(self, runs: Iterable[Run]) -> None:
        self._by_client: dict[int, list[tuple[int, int]]] = {}
        for client, clock, length in sorted(runs):
            mine = self._by_client.setdefault(client, [])
            if mine and clock <= mine[-1][1]:
                mine[-1] = (mine[-1][0], max(mine[-1][1], clock + length))
            else:
                mine.append((clock, clock + length))

    def __contains__(self, run: Run) -> bool:
        client, clock, length = run
        return any(start <= clock and clock + length <= end for start, end in self._by_client.get(client, ()))
