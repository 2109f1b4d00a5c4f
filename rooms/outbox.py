"""One socket of a seat and what waits to be sent to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from anteroom.errors import Refusal
from rooms.errors import TooSlow
from rooms.live.presence import Connection
from rooms.passes import Pass

OUTBOX_BYTES = 8 * 1024 * 1024
"""Waiting for one connection. What a room holds is bounded below it (code, talk and board together 6 MiB), so
that a newcomer's first answer always fits."""


def _nobody() -> None:
    """Nobody needs to be told."""


@dataclass(eq=False, slots=True)
class Socket(Connection):
    """A connection with what waits to be sent to it.

    All frames of one commit are put before the event loop runs on, so a shell that writes from a callback or
    a task of its own writes once for each commit.
    """

    permit: Pass | None = None
    notify: Callable[[], None] = _nobody
    """Called when there is something to take, once until it is taken."""
    outbox: list[bytes] = field(default_factory=list)
    outbox_bytes: int = 0
    closing: Refusal | None = None
    """To be closed for this, once what waits has been sent."""
    told_seq: int | None = None
    """Up to where this connection knows the log; None before its Welcome."""
    has_company: bool = False
    """Others' doings have gone to it lately: what has to be told to it alone can go with the next."""
    saved: int = 0
    told_saved: int = 0

    def put(self, frame: bytes) -> None:
        if self.closing is not None:
            return
        self.outbox.append(frame)
        self.outbox_bytes += len(frame)
        if self.outbox_bytes > OUTBOX_BYTES:
            self.outbox.clear()
            self.close(TooSlow())
        elif len(self.outbox) == 1:
            self.notify()

    def close(self, refusal: Refusal) -> None:
        """End it once what waits has been sent."""
        if self.closing is None:
            self.closing = refusal
            self.notify()

    def take(self) -> list[bytes]:
        """The frames to send next, in order."""
        frames, self.outbox, self.outbox_bytes = self.outbox, [], 0
        return frames
