"""One socket of a seat and what waits to be sent to it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from anteroom.errors import Refusal
from rooms.errors import TooSlow
from rooms.live.presence import Connection
from rooms.passes import Pass

OUTBOX_BYTES = 4 * 1024 * 1024
"""Waiting for one connection. A document of a long interview is some 300 kB."""


@dataclass(eq=False, slots=True)
class Socket(Connection):
    """A connection with what waits to be sent to it."""

    permit: Pass | None = None
    outbox: list[bytes] = field(default_factory=list)
    outbox_bytes: int = 0
    has_news: asyncio.Event = field(default_factory=asyncio.Event)
    closing: Refusal | None = None
    told_seq: int | None = None
    """Up to where this connection knows the log; None before its Welcome."""
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
        self.has_news.set()

    def close(self, refusal: Refusal) -> None:
        """End it once what waits has been sent."""
        if self.closing is None:
            self.closing = refusal
            self.has_news.set()

    async def take(self) -> list[bytes]:
        """The frames to send next; none of them means that it is closing."""
        if not self.outbox and self.closing is None:
            self.has_news.clear()
            await self.has_news.wait()
        frames, self.outbox, self.outbox_bytes = self.outbox, [], 0
        return frames
