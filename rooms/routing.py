"""Socket paths, for every shell."""

from __future__ import annotations

import re
from urllib.parse import unquote

_ROOM = re.compile(r"/sockets/rooms/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


def room_at(path: str) -> str | None:
    """The id of the room whose socket is at this path; None for every other path."""
    found = _ROOM.fullmatch(unquote(path))
    return found[1] if found else None
