"""Who sits where. Plain Python: the live room, the models and the wire all name seats alike."""

from __future__ import annotations

from enum import IntEnum


class Role(IntEnum):
    """A seat in a room; the number is what the log stores."""

    ROOM = 0  # the room itself: timers, the start of the clock
    CANDIDATE = 1
    INTERVIEWER = 2
    OBSERVER = 3

    @property
    def word(self) -> str:
        """The lower-case name used on the wire, in columns and on screen."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> Role:
        """The role with this word. Raises ValueError for any other word."""
        try:
            return cls[word.upper()]
        except KeyError:
            raise ValueError(f"{word!r} is not a role") from None


PEOPLE = (Role.CANDIDATE, Role.INTERVIEWER)
"""The two seats every room has."""
