"""What may enter the code document: every update is parsed here before pycrdt sees it.

Yjs itself trusts whoever writes. A nested value overflows the parser's stack and takes the process with it,
anybody can write under another's clientID, and an update whose predecessor is missing is kept for ever. So
only what a text editor produces passes: one V1 update, inserted strings, formats, and deletions, in the root
"code", under a clientID that belongs to the writer's seat, next to what the document has.

The format is that of https://github.com/yjs/yjs/blob/main/src/utils/encoding.js, version 1.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from rooms.errors import BadFrame, FrameTooLarge
from rooms.roles import Role
from rooms.wire import MAX_FRAME_BYTES, write_varint

ROOT = "code"
MAX_ID = 1 << 53
MAX_CLOCK = 1 << 30
"""Per clientID. yrs counts in 32 bits, and nobody types a thousand million characters."""
MAX_GARBAGE_LENGTH = 1 << 20
"""Of one deleted or collected run; it costs its writer a few bytes and the clock its whole length."""
MAX_CLIENT_IDS = 2_000
"""Per seat and room: each opened page uses one."""
MAX_FORMAT_CHARACTERS = 64

GARBAGE, DELETED, STRING, FORMAT = 0, 1, 4, 6
HAS_ORIGIN, HAS_RIGHT_ORIGIN, HAS_KEY, CONTENT = 0x80, 0x40, 0x20, 0x1F
_ROOT_BYTES = ROOT.encode()

LAST_OF_ONE_UNIT = "\uffff"
"""Characters beyond it are a pair of UTF-16 units."""

Vector = dict[int, int]
"""Next clock by clientID."""


@dataclass(slots=True)
class Passed:
    """What an update that passed will change, should the document take it."""

    ends: Vector
    """The next clock of each clientID that wrote something, whether new or known."""
    is_next: bool
    """Every struct continues exactly where the document stands: the bytes can be kept as they are."""
    deletes: bool
    halves: dict[int, set[int]]
    """By clientID, the clocks of second halves of surrogate pairs that it brings."""
    is_keystroke: bool = field(default=False, compare=False)
    """One string next to what its clientID wrote, or one deletion in what is known, and nothing else: no
    document can choke on it."""

    @property
    def is_new(self) -> bool:
        return bool(self.ends) and self.is_next


_NO_HALVES: dict[int, set[int]] = {}

_VARINT = rb"([\x00-\x7f]|[\x80-\xff]{1,6}[\x01-\x7f])"
_ID = _VARINT * 2
_INSERTION = re.compile(
    rb"\x01\x01" + _ID + rb"(?:\x84" + _ID + rb"|\xc4" + _ID * 2 + rb"|\x44" + _ID
    # a length of one byte, ASCII, no deletions
    + rb"|\x04\x01\x04code)([\x01-\x7f])([\x00-\x7f]+)\x00",
    re.DOTALL,
)  # fmt: skip
_DELETION = re.compile(rb"\x00\x01" + _VARINT + rb"\x01" + _ID, re.DOTALL)


def _number(varint: bytes) -> int:
    if len(varint) == 1:
        return varint[0]
    number = 0
    for byte in reversed(varint):
        number = number << 7 | byte & 0x7F
    return number


@dataclass(slots=True)
class Gate:
    """Knows how far each clientID has written and which seat it belongs to."""

    clocks: Vector = field(default_factory=dict)
    owners: dict[int, Role] = field(default_factory=dict)
    halves: dict[int, set[int]] = field(default_factory=dict)
    """By clientID, the clocks of second halves of surrogate pairs. Yjs counts UTF-16 units, and an edit
    between the halves leaves different texts at yrs and at Yjs, for ever."""
    _ids: dict[bytes, int] = field(default_factory=dict)
    """Every clientID that has written, by its bytes on the wire."""

    def restore(self, clocks: Vector, owners: dict[int, Role], halves: dict[int, set[int]]) -> None:
        """Know what a gate knew before. Raises ValueError when a clientID has no owner."""
        if clocks.keys() - owners.keys():
            raise ValueError("a clientID without an owner")
        self.clocks, self.owners, self.halves = clocks, owners, halves
        self._ids = {write_varint(client): client for client in clocks}

    def check(self, role: Role, update: bytes) -> Passed:
        """Parse an update of this seat. Changes nothing. Raises BadFrame, FrameTooLarge."""
        if len(update) > MAX_FRAME_BYTES:
            raise FrameTooLarge
        if not self.halves and (passed := self._keystroke(role, update)):
            return passed
        return self._parse(role, update)

    def _keystroke(self, role: Role, update: bytes) -> Passed | None:  # noqa: PLR0911 - one for each doubt
        """The most of what comes, read in a third of the time; None for all that needs the full parse.

        Passes nothing that `_parse` would not pass alike.
        """
        if found := _INSERTION.fullmatch(update):
            writer, first, *neighbours, size, text = found.groups()
            client = self._ids.get(writer)
            if client is None or self.owners[client] is not role or len(text) != size[0]:
                return None
            known = self.clocks[client]
            end = known + len(text)
            if _number(first) != known or end > MAX_CLOCK:
                return None
            for at in range(0, len(neighbours), 2):
                if neighbours[at] is not None:
                    other = self._ids.get(neighbours[at])
                    if other is None or _number(neighbours[at + 1]) >= self.clocks[other]:
                        return None
            return Passed({client: end}, True, False, _NO_HALVES, True)
        if found := _DELETION.fullmatch(update):
            writer, first, length = found.groups()
            client, deleted = self._ids.get(writer), _number(length)
            if client is None or not deleted or _number(first) + deleted > self.clocks[client]:
                return None
            return Passed({}, True, True, _NO_HALVES, True)
        return None

    def _parse(self, role: Role, update: bytes) -> Passed:
        reader = _Reader(update)
        ends: Vector = {}
        is_next = True
        for _ in range(reader.number()):
            is_next &= self._structs(reader, role, ends)
        for client, clock in reader.ids:
            if clock >= max(self.clocks.get(client, 0), ends.get(client, 0)):
                raise BadFrame
        deletes = self._deletions(reader, ends)
        if reader.at != len(update):
            raise BadFrame
        if self.halves or reader.halves:
            for client, clock in reader.cuts:
                if clock in self.halves.get(client, ()) or clock in reader.halves.get(client, ()):
                    raise BadFrame
        fresh = sum(client not in self.owners for client in ends)
        if fresh and fresh + sum(owner is role for owner in self.owners.values()) > MAX_CLIENT_IDS:
            raise BadFrame
        return Passed(ends, is_next, deletes, reader.halves)

    def admit(self, role: Role, passed: Passed) -> None:
        """The document took it."""
        for client, end in passed.ends.items():
            if end > self.clocks.get(client, 0):
                self.clocks[client] = end
                if client not in self.owners:
                    self.owners[client] = role
                    self._ids[write_varint(client)] = client
        for client, halves in passed.halves.items():
            self.halves.setdefault(client, set()).update(halves)

    def learn(self, role: Role, update: bytes) -> None:
        """An update of this seat from the log, which passed when it was written."""
        reader = _Reader(update)
        ends: Vector = {}
        for _ in range(reader.number()):
            structs, client, clock = reader.number(), reader.number(), reader.number()
            for _ in range(structs):
                clock += self._struct(reader, client, clock)
            ends[client] = clock
        self.admit(role, Passed(ends, True, False, reader.halves))

    def _structs(self, reader: _Reader, role: Role, ends: Vector) -> bool:
        """Parse what one clientID wrote; whether it begins where the document stands."""
        count, client, first = reader.number(), reader.number(), reader.number()
        known = self.clocks.get(client, 0)
        if client in ends or not count or first > known:
            raise BadFrame
        clock = first
        for _ in range(count):
            clock += self._struct(reader, client, clock)
        if clock > MAX_CLOCK or (clock > known and self.owners.get(client, role) is not role):
            raise BadFrame
        if first < known and (halves := reader.halves.get(client)):
            # Of what is known nothing counts, whatever it says here; and it must not end within a pair.
            if known in halves:
                raise BadFrame
            reader.halves[client] = {half for half in halves if half > known}
            if not reader.halves[client]:
                del reader.halves[client]
        ends[client] = clock
        return first == known

    def _struct(self, reader: _Reader, client: int, clock: int) -> int:
        """Parse one struct; its length on the clock."""
        info = reader.byte()
        content = info & CONTENT
        if content == GARBAGE:
            # Never written for a text at the root; yrs and Yjs differ about what stands next to it.
            raise BadFrame
        if info & HAS_KEY:
            raise BadFrame
        if info & HAS_ORIGIN:
            reader.id_before(client, clock, cuts_behind=1)
        if info & HAS_RIGHT_ORIGIN:
            reader.id_before(client, clock, cuts_behind=0)
        if not info & (HAS_ORIGIN | HAS_RIGHT_ORIGIN) and (
            reader.byte() != 1 or reader.bytes() != _ROOT_BYTES
        ):
            raise BadFrame
        if content == STRING:
            return reader.text_length(client, clock)
        if content == DELETED:
            return reader.length()
        if content == FORMAT:
            reader.format()
            return 1
        raise BadFrame

    def _deletions(self, reader: _Reader, ends: Vector) -> bool:
        seen = set()
        for _ in range(reader.number()):
            client, ranges = reader.number(), reader.number()
            end = max(self.clocks.get(client, 0), ends.get(client, 0))
            if client in seen or not ranges:
                raise BadFrame
            seen.add(client)
            for _ in range(ranges):
                clock, length = reader.number(), reader.number()
                if not length or clock + length > end:
                    raise BadFrame
                reader.cuts += ((client, clock), (client, clock + length))
        return bool(seen)


class _Reader:
    """Reads an update front to back; everything it does not expect is a BadFrame."""

    __slots__ = ("at", "cuts", "halves", "ids", "update")

    def __init__(self, update: bytes) -> None:
        self.update = update
        self.at = 0
        self.ids: list[tuple[int, int]] = []
        """Neighbours named by structs that do not come earlier in the same run."""
        self.cuts: list[tuple[int, int]] = []
        """Where text may be split: before this clock of this clientID."""
        self.halves: dict[int, set[int]] = {}

    def byte(self) -> int:
        try:
            byte = self.update[self.at]
        except IndexError:
            raise BadFrame from None
        self.at += 1
        return byte

    def number(self) -> int:
        """A varint below 2**53 in its shortest form."""
        byte = self.byte()
        if byte < 0x80:
            return byte
        number, shift = byte & 0x7F, 7
        while True:
            byte = self.byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 49:
                raise BadFrame
        if not byte or number >= MAX_ID:
            raise BadFrame
        return number

    def length(self) -> int:
        length = self.number()
        if not 0 < length <= MAX_GARBAGE_LENGTH:
            raise BadFrame
        return length

    def id_before(self, client: int, clock: int, *, cuts_behind: int) -> None:
        """The id of a neighbour: earlier in this run, or to be looked up.

        cuts_behind: 1 for the neighbour on the left, else 0.
        """
        other, other_clock = self.number(), self.number()
        self.cuts.append((other, other_clock + cuts_behind))
        if other != client or other_clock >= clock:
            if other == client:
                raise BadFrame
            self.ids.append((other, other_clock))

    def bytes(self) -> bytes:
        length = self.number()
        end = self.at + length
        if end > len(self.update):
            raise BadFrame
        taken = self.update[self.at : end]
        self.at = end
        return taken

    def text(self) -> str:
        try:
            return self.bytes().decode()
        except UnicodeDecodeError:
            raise BadFrame from None

    def text_length(self, client: int, clock: int) -> int:
        """Of a string in UTF-16 units, which is how Yjs counts."""
        text = self.text()
        length = len(text)
        if not length:
            raise BadFrame
        if not text.isascii() and max(text) > LAST_OF_ONE_UNIT:
            halves = self.halves.setdefault(client, set())
            for character in text:
                clock += 1
                if character > LAST_OF_ONE_UNIT:
                    halves.add(clock)
                    clock += 1
                    length += 1
        return length

    def format(self) -> None:
        """A key and a plain value: anything nested is refused unread."""
        key, value = self.text(), self.text()
        if not key or len(key) > MAX_FORMAT_CHARACTERS or len(value) > MAX_FORMAT_CHARACTERS:
            raise BadFrame
        try:
            plain = json.loads(value, parse_constant=_refuse) if value[:1] not in "[{" else []
        except ValueError:
            raise BadFrame from None
        if isinstance(plain, list | dict):
            raise BadFrame


def _refuse(_: str) -> None:
    raise BadFrame


def read_vector(vector: bytes) -> Vector:
    """A state vector as clocks by clientID. Raises BadFrame."""
    reader = _Reader(vector)
    clocks: Vector = {}
    for _ in range(reader.number()):
        client = reader.number()
        clocks[client] = reader.number()
    if reader.at != len(vector):
        raise BadFrame
    return clocks
