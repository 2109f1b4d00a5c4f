"""A room as its log tells it up to one place, in bytes: opening a room need not read the whole log.

A shortcut and nothing more: what is in it can always be made again from the log, and a snapshot that cannot
be read (another version's, say) costs time alone. It says what the log says, so it is as secret as the log;
deleted text is not in it.

Layout: the length of the head as a varint, the head (JSON, UTF-8), the compact state of the code document
(one Yjs V1 update).
"""

from __future__ import annotations

import json

from rooms.live.lifecycle import Phase
from rooms.live.presence import Presence
from rooms.live.room import Facts, LiveRoom
from rooms.roles import Role
from rooms.wire import Malformed, read_varint, write_varint

VERSION = 1
"""Grows with every change of the layout; others' snapshots are not read."""


class Unreadable(Exception):
    """Not a snapshot of this version."""


def write(room: LiveRoom) -> bytes:
    """The room as it is now; only what the log tells."""
    head = {
        "version": VERSION,
        "seq": room.seq,
        "at_ms": room.at_ms,
        "phase": room.phase.value,
        "phase_at_ms": room.phase_at_ms,
        "live_at_ms": room.live_at_ms,
        "language": room.language,
        "consents": {role.word: given for role, given in room.consents.items()},
        "came": sorted(role.word for role in room.came),
        "choices": sorted(room.choices),
        "chat": room.chat.write(),
        "board": room.board.write(),
        "owners": {str(client): role.word for client, role in room.document.owners.items()},
        "halves": {str(client): sorted(clocks) for client, clocks in room.document.halves.items()},
    }
    written = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()
    return write_varint(len(written)) + written + room.document.state


def read(body: bytes, facts: Facts, presence: Presence | None = None) -> LiveRoom:
    """The room that was written. presence: who is here, when it is made again around them.

    Raises Unreadable.
    """
    try:
        size, start = read_varint(body, 0)
        head = json.loads(body[start : start + size])
        if head["version"] != VERSION:
            raise Unreadable(f"version {head['version']}")
        room = LiveRoom(facts, presence)
        room.seq, room.at_ms = head["seq"], head["at_ms"]
        room.phase, room.phase_at_ms = Phase(head["phase"]), head["phase_at_ms"]
        room.live_at_ms, room.language = head["live_at_ms"], head["language"]
        room.consents = {Role.of(word): given for word, given in head["consents"].items()}
        room.came = {Role.of(word) for word in head["came"]}
        room.choices = set(head["choices"])
        room.chat.read(head["chat"])
        room.board.read(head["board"])
        owners = {int(client): Role.of(word) for client, word in head["owners"].items()}
        halves = {int(client): set(clocks) for client, clocks in head["halves"].items()}
        room.document.restore(body[start + size :], owners, halves)
    except (Malformed, ValueError, LookupError, TypeError, AttributeError) as error:
        raise Unreadable(type(error).__name__) from error
    return room
