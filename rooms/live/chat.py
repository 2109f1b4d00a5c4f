"""Lines of talk: ordered by the server, attributed by the server."""

from __future__ import annotations

from typing import Any

from rooms.errors import BadLine
from rooms.live.entry import Entry
from rooms.roles import Role
from rooms.wire import MAX_CHAT_CHARACTERS, MAX_KEY_CHARACTERS, Said, Say

MAX_BYTES = 512 * 1024
"""Of all lines as they are sent: some ten thousand ordinary ones."""


class Chat:
    """Everything said in the room, in order."""

    def __init__(self) -> None:
        self._lines: list[Said] = []
        self._keys: set[tuple[str, str]] = set()
        """Seat and key."""
        self._bytes = 0

    def accept(self, role: Role, message: Say) -> bool:
        """Whether the line is to be kept; False for one that was sent before. Raises BadLine."""
        if not message.key or len(message.key) > MAX_KEY_CHARACTERS:
            raise BadLine
        if not message.text.strip():
            raise BadLine
        if len(message.text) > MAX_CHAT_CHARACTERS:
            raise BadLine(f"A line holds up to {MAX_CHAT_CHARACTERS:,} characters. Send it in parts.")
        if "\x00" in message.text or not _is_unicode(message.text + message.key):
            raise BadLine
        if (role.word, message.key) in self._keys:
            return False
        if self._bytes > MAX_BYTES:
            raise BadLine("The talk has grown as long as a room can hold.")
        return True

    def take(self, entry: Entry) -> Said:
        """Add a line from the log; what is shown of it."""
        event = entry.event
        return self._keep(Said(entry.seq, entry.at_ms, entry.role.word, event["key"], event["text"]))

    def _keep(self, line: Said) -> Said:
        self._lines.append(line)
        self._bytes += len(line.encode())
        self._keys.add((line.seat, line.key))
        return line

    def after(self, seq: int) -> list[Said]:
        """The lines behind this place in the log."""
        first = len(self._lines)
        while first and self._lines[first - 1].seq > seq:
            first -= 1
        return self._lines[first:]

    def write(self) -> list[Any]:
        """Everything, for a snapshot."""
        return [[line.seq, line.at_ms, line.seat, line.key, line.text] for line in self._lines]

    def read(self, written: list[Any]) -> None:
        """What `write` gave."""
        for fields in written:
            self._keep(Said(*fields))


def _is_unicode(text: str) -> bool:
    """JSON can name half a surrogate pair, which no UTF-8 can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
