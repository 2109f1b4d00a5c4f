"""The other processes in which the same rooms may be alive, as far as one hears of them.

The channel layer may drop messages, so a notice says only what the other could find out by itself a little
later: a room's log has grown, somebody is here, cursors stand there. Processes usually share no room (a proxy
sends both sides to the same one), so nothing is sent for a room until a neighbour was heard or its writing
was found in the log; then the notices go on as long as the neighbour repeats itself.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from typing import TYPE_CHECKING, Any

from channels.layers import InMemoryChannelLayer

from rooms import wakeups
from rooms.held import HeldRoom
from rooms.live.presence import ELSEWHERE_MS
from rooms.live.room import LiveRoom
from rooms.roles import Role

if TYPE_CHECKING:
    from rooms.keeper import Keeper

logger = logging.getLogger(__name__)

REPEAT_S = 5.0
TURNS = 12
"""In so many repetitions every room is announced once, lest a layer forgot its groups and told nobody. One in
memory forgets nothing, and looks through all it knows whenever it is asked."""
SHARED_S = ELSEWHERE_MS / 1000
"""Without a word for so long, a neighbour no longer holds the room."""
RETRY_S = 0.5
ANSWERS_WITHIN_S = 2.0
"""Nobody waits longer for a layer that hangs: entering a room does not need it."""


class Neighbours:
    """Says and hears what processes tell each other of the rooms of one keeper."""

    def __init__(self, keeper: Keeper, layer: Any) -> None:
        """layer: a channel layer, or None."""
        self._keeper = keeper
        self._layer = layer
        self._may_forget = not isinstance(layer, InMemoryChannelLayer)
        self._channel = ""
        self._shared_until: dict[uuid.UUID, float] = {}
        self._grown: dict[HeldRoom, None] = {}
        self._has_failed = False
        self._has_news = asyncio.Event()

    # --- said by the keeper ---------------------------------------------------------------------------

    def somebody_came(self, held: HeldRoom) -> None:
        """A socket joined the room: neighbours that hold it should know, and answer."""
        self._spawn(self._tell_who_is_here(held))

    def grown(self, held: HeldRoom) -> None:
        """The room's log has grown by our hand; soon, and once for many commits."""
        if self._shared_until and self._is_shared(held.room_id):
            self._grown[held] = None
            self._has_news.set()

    def pointed(self, held: HeldRoom, states: dict[int, str]) -> None:
        """Cursors of people here have moved. states: by clientID, as the others see them."""
        if self._shared_until and self._is_shared(held.room_id):
            self._spawn(self._tell(held, wakeups.points(held.room_id, states, self._keeper.id)))

    def suspect(self, held: HeldRoom) -> None:
        """Another process wrote to this room and we were not told."""
        self._spawn(self._meet(held))

    async def listen_to(self, room_id: uuid.UUID) -> None:
        """Hear of this room from now on."""
        await self._ask("group_add", wakeups.group_of(room_id))

    async def stop_listening_to(self, room_id: uuid.UUID) -> None:
        if room_id not in self._keeper.rooms:
            self._shared_until.pop(room_id, None)
            await self._ask("group_discard", wakeups.group_of(room_id))

    # --- tasks ----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Hear, announce and repeat until cancelled."""
        if self._layer is not None:
            async with asyncio.TaskGroup() as tasks:
                for work in (self._hear_all, self._announce, self._repeat):
                    tasks.create_task(work())

    async def _hear_all(self) -> None:
        while True:
            try:
                notice = await self._layer.receive(await self._own_channel())
                await self._hear(notice)
            except Exception:
                self._failed()
                await asyncio.sleep(RETRY_S)

    async def _hear(self, notice: dict[str, Any]) -> None:
        held = self._keeper.rooms.get(uuid.UUID(notice["room"]))
        if held is None or notice["process"] == self._keeper.id:
            return
        if notice["process"]:  # else it comes from a view or a task, which holds no room
            is_new = not self._is_shared(held.room_id)
            self._shared_until[held.room_id] = self._keeper.time() + SHARED_S
            if is_new:
                await self._tell_who_is_here(held)
                await self._tell_how_far(held)
        if notice["type"] == wakeups.GROWN and notice["seq"] > held.committed_seq:
            await self._keeper.attempt(held.catch_up())
        elif notice["type"] == wakeups.HERE:
            held.do(LiveRoom.hear, Role(notice["role"]), notice["microphone"], held.now_ms, is_fixed=True)
        elif notice["type"] == wakeups.POINTS:
            states = {int(client): state for client, state in notice["states"].items()}
            held.do(LiveRoom.hear_cursors, states, held.now_ms, is_fixed=True)

    async def _announce(self) -> None:
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            grown, self._grown = self._grown, {}
            for held in grown:
                await self._tell_how_far(held)

    async def _repeat(self) -> None:
        """Rooms that are shared each time, the others in turn; all of them after the layer failed."""
        turn = 0
        while True:
            await asyncio.sleep(REPEAT_S)
            turn += 1
            is_new, self._has_failed = self._has_failed, False
            for held in list(self._keeper.rooms.values()):
                is_its_turn = self._may_forget and (held.place + turn) % TURNS == 0
                if is_new or is_its_turn or self._is_shared(held.room_id):
                    await self._meet(held)

    async def _meet(self, held: HeldRoom) -> None:
        await self.listen_to(held.room_id)  # a layer that forgot its groups learns them again
        await self._tell_who_is_here(held)

    async def _tell_who_is_here(self, held: HeldRoom) -> None:
        microphones = {socket.role: socket.microphone for socket in held.sockets}
        for role, microphone in microphones.items():
            await self._tell(held, wakeups.is_here(held.room_id, role, microphone, self._keeper.id))
        if states := held.live.presence.cursors_of(held.sockets):
            await self._tell(held, wakeups.points(held.room_id, states, self._keeper.id))

    async def _tell_how_far(self, held: HeldRoom) -> None:
        await self._tell(held, wakeups.has_grown(held.room_id, held.committed_seq, self._keeper.id))

    # --- the layer ------------------------------------------------------------------------------------

    def _is_shared(self, room_id: uuid.UUID) -> bool:
        return self._shared_until.get(room_id, 0.0) > self._keeper.time()

    def _spawn(self, work: Any) -> None:
        self._keeper.spawn(work)

    async def _own_channel(self) -> str:
        if not self._channel:
            self._channel = await self._layer.new_channel()
        return self._channel

    async def _tell(self, held: HeldRoom, notice: dict[str, Any]) -> None:
        await self._ask("group_send", wakeups.group_of(held.room_id), notice)

    async def _ask(self, verb: str, group: str, *notice: dict[str, Any]) -> None:
        """Of the layer; without it neighbours find out by looking."""
        if self._layer is None:
            return
        try:
            async with asyncio.timeout(ANSWERS_WITHIN_S):
                if notice:
                    await self._layer.group_send(group, *notice)
                else:
                    await getattr(self._layer, verb)(group, await self._own_channel())
        except Exception:
            self._failed()

    def _failed(self) -> None:
        if not self._has_failed:  # once between two repetitions
            logger.warning("the channel layer does not answer", exc_info=True)
        self._has_failed = True
