"""A socket of the keeper without a transport."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from rooms.held import HeldRoom
from rooms.keeper import Keeper
from rooms.outbox import Socket
from rooms.passes import Pass


@dataclass(eq=False)
class Inbox:
    """What arrives at one connection."""

    held: HeldRoom = field(init=False)
    socket: Socket = field(init=False)
    has_news: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    async def enter(cls, keeper: Keeper, permit: Pass) -> Inbox:
        inbox = cls()
        inbox.held, inbox.socket = await keeper.enter(permit, inbox.has_news.set)
        return inbox

    async def take(self) -> list[bytes]:
        """The next frames; none of them means that the connection is closing."""
        while not self.socket.outbox and self.socket.closing is None:
            await self.has_news.wait()
            self.has_news.clear()
        return self.socket.take()
