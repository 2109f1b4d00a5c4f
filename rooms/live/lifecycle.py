"""The phases of a room and who may move it from one to the next. All transitions live in this file."""

from __future__ import annotations

from enum import StrEnum

from rooms.roles import PEOPLE, Role


class Phase(StrEnum):
    SCHEDULED = "scheduled"
    LOBBY = "lobby"
    LIVE = "live"
    WRAP_UP = "wrap_up"
    FEEDBACK = "feedback"
    REVEALED = "revealed"
    LAPSED = "lapsed"
    CANCELLED = "cancelled"
    NO_SHOW = "no_show"

    @property
    def label(self) -> str:
        return self.value.replace("_", "-")

    @property
    def is_open(self) -> bool:
        """People can be in the room."""
        return self in _OPEN

    @property
    def is_writable(self) -> bool:
        """Code, board and chat take changes."""
        return self in _WRITABLE


_WRITABLE = (Phase.LOBBY, Phase.LIVE, Phase.WRAP_UP)
_OPEN = (Phase.SCHEDULED, *_WRITABLE)

WRAP_UP_MS = 3 * 60_000
"""How long people can say goodbye before the room closes by itself."""
NO_SHOW_MS = 10 * 60_000
"""How long after the start one waits for the other before being freed."""
NUDGE_MS = 5 * 60_000
"""How long before the end the clock says so."""

ROOM_ONLY = (Role.ROOM,)

MOVES: dict[tuple[Phase, Phase], tuple[Role, ...]] = {
    (Phase.SCHEDULED, Phase.LOBBY): ROOM_ONLY,  # the first person entered
    (Phase.SCHEDULED, Phase.CANCELLED): PEOPLE,
    (Phase.SCHEDULED, Phase.NO_SHOW): ROOM_ONLY,  # nobody came
    (Phase.LOBBY, Phase.LIVE): PEOPLE,  # either starts, once both are here
    (Phase.LOBBY, Phase.CANCELLED): PEOPLE,
    (Phase.LOBBY, Phase.NO_SHOW): ROOM_ONLY,
    (Phase.LIVE, Phase.WRAP_UP): (Role.ROOM, *PEOPLE),  # either ends, or the time is up
    (Phase.WRAP_UP, Phase.FEEDBACK): (Role.ROOM, *PEOPLE),
    (Phase.FEEDBACK, Phase.REVEALED): ROOM_ONLY,  # feedback says so
    (Phase.FEEDBACK, Phase.LAPSED): ROOM_ONLY,
}


def due_move(
    now: Phase,
    now_ms: int,
    *,
    phase_at_ms: int,
    starts_ms: int,
    ends_ms: int | None,
    waiting_since_ms: int | None,
) -> Phase | None:
    """Where time alone brings a room that is in phase `now` since `phase_at_ms`; None while it stays.

    All times are on the room's clock. waiting_since_ms: since when one of the two waits for the other.
    """
    if now is Phase.LOBBY and waiting_since_ms is not None:
        return Phase.NO_SHOW if now_ms >= max(starts_ms, waiting_since_ms) + NO_SHOW_MS else None
    if now is Phase.LIVE and ends_ms is not None:
        return Phase.WRAP_UP if now_ms >= ends_ms else None
    if now is Phase.WRAP_UP:
        return Phase.FEEDBACK if now_ms >= phase_at_ms + WRAP_UP_MS else None
    return None


def may_move(role: Role, now: Phase, to: Phase) -> bool:
    """Whether this seat may bring the room from phase `now` to phase `to`."""
    return role in MOVES.get((now, to), ())
