"""What a live room asks to be done, in order. The keeper carries it out; everything behind an Append waits
for that Append's commit."""

from __future__ import annotations

from dataclasses import dataclass

from anteroom.errors import Refusal
from rooms.live.entry import Entry
from rooms.live.presence import Connection
from rooms.wire import ServerMessage


@dataclass(slots=True)
class Append:
    """Write this to the log; once it is committed its author is told "saved" (None: the room itself), and
    everybody else who joined before sees `shown`."""

    entry: Entry
    author: Connection | None = None
    shown: ServerMessage | None = None


@dataclass(slots=True)
class Show:
    """Everybody who joined before `seq` sees this, but for one."""

    seq: int
    message: ServerMessage
    but: Connection | None = None


@dataclass(slots=True)
class Send:
    """These connections get this."""

    to: tuple[Connection, ...]
    message: ServerMessage


@dataclass(slots=True)
class Noted:
    """A durable message of this connection needed no place in the log: refused, or known already."""

    connection: Connection


@dataclass(slots=True)
class Close:
    """This connection ends, with the refusal's code and sentence."""

    connection: Connection
    refusal: Refusal


Effect = Append | Show | Send | Noted | Close
