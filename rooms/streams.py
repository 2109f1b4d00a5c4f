"""The streams of a room's log. Plain Python; the number is what the log stores."""

from __future__ import annotations

from enum import IntEnum


class Stream(IntEnum):
    CODE = 1  # payload: a Yjs V1 update
    BOARD = 2  # from here on: the JSON body of the durable message
    CHAT = 3
    RUN = 4
    SPEECH = 5
    QUESTION = 6
    LIFECYCLE = 7  # phases, the code's language, consents
    PRESENCE = 8  # who came and went

    @property
    def word(self) -> str:
        return self.name.lower()
