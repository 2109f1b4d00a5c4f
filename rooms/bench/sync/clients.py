"""The two clients of a room: how they get in, what they send, and what they have seen of each other."""

from __future__ import annotations

import socket
from array import array
from dataclasses import dataclass, field

from rooms.bench.sync import sockets
from rooms.bench.sync.dialects import UPDATE, awareness, sync
from rooms.bench.sync.edits import Typing
from rooms.bench.sync.updates import read_varint, varint


@dataclass(frozen=True)
class Door:
    """How the two clients get into one room."""

    name: str
    path: str
    headers: tuple[dict[str, str], dict[str, str]] = ({}, {})


@dataclass
class Script:
    """One side's messages as they go out, split around the room's prefix."""

    typing: Typing
    prefix_size: int
    heads: list[bytes] = field(default_factory=list)
    tails: list[bytes] = field(default_factory=list)
    cursor_heads: list[bytes] = field(default_factory=list)
    cursor_tails: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cursor_tails = [awareness(each) for each in self.typing.cursors]
        self.cursor_heads = [sockets.head(self.prefix_size + len(tail)) for tail in self.cursor_tails]
        self.reserve(1)

    def reserve(self, count: int) -> None:
        """Have at least so many edits ready."""
        self.typing.reserve(count)
        for update in self.typing.updates[len(self.tails) :]:
            tail = sync(UPDATE, update)
            self.tails.append(tail)
            self.heads.append(sockets.head(self.prefix_size + len(tail)))


class Client:
    """One socket."""

    __slots__ = (
        "ahead", "committed", "cursor", "data", "door", "doubled", "echoed", "own_id", "peer", "prefix",
        "problem", "script", "seen", "sent", "sent_at", "side", "socket", "state", "unsent",
    )  # fmt: skip

    def __init__(self, door: Door, side: int, prefix: bytes, script: Script) -> None:
        self.door = door
        self.side = side
        self.prefix = prefix
        self.script = script
        self.own_id = varint(script.typing.client_id)
        self.peer: Client = self
        self.socket = socket.socket()
        self.state = "new"
        self.data = b""
        self.unsent = b""
        self.problem = ""
        self.sent = 0
        """Edits sent, so the number of the next."""
        self.sent_at = array("d")
        self.seen = 0
        """The other's edits that are here, all before this number."""
        self.ahead: set[int] = set()
        """The other's edits beyond `seen` that are here: only if a server changes their order."""
        self.echoed = 0
        """Own edits that the server sent back, as some do."""
        self.doubled = 0
        self.cursor = 0
        self.committed = b""

    def has_seen(self, number: int) -> bool:
        """Whether this edit of the other side is here."""
        return number < self.seen or number in self.ahead

    @property
    def saved(self) -> int:
        """Own durable messages the server promised to have saved; Anteroom alone says so."""
        if not self.committed:
            return 0
        _, at = read_varint(self.committed, 1)
        _, at = read_varint(self.committed, at)
        return read_varint(self.committed, at)[0]
