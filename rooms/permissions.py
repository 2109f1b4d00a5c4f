"""Who may do what with a room: plain questions about a seat, answered from the seat and its room alone.

tests/access.py holds the table of everybody and everything; whatever is not said here is not allowed.
"""

from __future__ import annotations

from rooms.live.lifecycle import Phase, may_move
from rooms.models import Seat
from rooms.roles import PEOPLE, Role


def may_enter(seat: Seat) -> bool:
    """Be in the lobby and the room: while it is open."""
    return Phase(seat.room.phase).is_open


def may_write(seat: Seat) -> bool:
    """Change code, board and chat: the two people, while the room takes changes."""
    return Role(seat.role) in PEOPLE and Phase(seat.room.phase).is_writable


def may_invite(seat: Seat) -> bool:
    """Make a link for the other seat: who opened the room, while it is open."""
    room = seat.room
    return room.created_by_id is not None and room.created_by_id == seat.person_id and may_enter(seat)


def may_cancel(seat: Seat) -> bool:
    """Call the interview off: either person, before it has begun."""
    return may_move(Role(seat.role), Phase(seat.room.phase), Phase.CANCELLED)


def may_read_transcript(seat: Seat) -> bool:
    """Read what happened: the two people, once the room is over."""
    return Role(seat.role) in PEOPLE and Phase(seat.room.phase) in (
        Phase.FEEDBACK,
        Phase.REVEALED,
        Phase.LAPSED,
    )
