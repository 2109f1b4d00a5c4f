"""What processes tell each other over the channel layer. It may drop messages, so each says only what the
other could find out by itself, a little later. Nothing of a client's bytes goes in as a type."""

from __future__ import annotations

import uuid
from typing import Any

from rooms.roles import Role

GROWN, HERE, POINTS = "room.grown", "room.here", "room.points"


def group_of(room_id: uuid.UUID) -> str:
    """The layer's group of the processes in which a room is alive."""
    return f"room.{room_id.hex}"


def has_grown(room_id: uuid.UUID, seq: int, process: str = "") -> dict[str, Any]:
    """The log of a room has grown up to here."""
    return {"type": GROWN, "room": room_id.hex, "seq": seq, "process": process}


def is_here(room_id: uuid.UUID, role: Role, microphone: str, process: str) -> dict[str, Any]:
    """Somebody of this seat is connected to that process."""
    return {
        "type": HERE, "room": room_id.hex, "role": role.value, "microphone": microphone, "process": process,
    }  # fmt: skip


def points(room_id: uuid.UUID, states: dict[int, str], process: str) -> dict[str, Any]:
    """Cursors of people connected to that process, as everybody may see them. states: JSON by clientID."""
    return {
        "type": POINTS, "room": room_id.hex, "process": process,
        "states": {str(client): state for client, state in states.items()},
    }  # fmt: skip
