"""Where voices meet: who is on the line in which room, and who hears whom.

One desk per process, called from the event loop of the sockets. Later the same class can stand before workers
of their own: what goes in and comes out is text and ids.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections import deque
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING
from uuid import UUID

from rooms.roles import PEOPLE, Role
from rooms.voice.errors import TooManyOffers, VoiceElsewhere, VoiceFull, VoiceUnavailable
from rooms.voice.rtp import Sound
from rooms.voice.sdp import read_offer

if TYPE_CHECKING:
    from rooms.voice.addresses import Listening
    from rooms.voice.peer import Peer

MAX_LINES_PER_ROOM = 6
MAX_OFFERS = 8
OFFERS_WINDOW_SECONDS = 20.0
"""A browser that reconnects by itself makes at most one offer every two or three seconds."""

logger = logging.getLogger(__name__)

Seat = Role | str
"""Who speaks: a role, since it has one seat; an observer's connection, since there may be several."""


@dataclass(eq=False, slots=True)
class _Line:
    """One connection on the line in a room."""

    room_id: str
    seat: Seat
    connection_id: str
    peer: Peer | None = None


@dataclass(eq=False, slots=True)
class _Caller:
    """What is remembered of a socket's connection until it hangs up."""

    offers: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_OFFERS))
    displaced: bool = False
    """Its seat went on the line elsewhere, and it has not been told yet."""


class Desk:
    """Answers offers and lets the people of a room hear each other."""

    def __init__(self, listening: Listening | None = None) -> None:
        """`listening`: where voice arrives; None: as the settings say."""
        self._listening = listening
        self._rooms: dict[str, dict[Seat, _Line]] = {}
        self._callers: dict[str, _Caller] = {}

    async def warm_up(self) -> None:
        """Load what the first offer would have to wait for: aiortc and its kin, in a thread."""
        if not _load.cache_info().currsize:
            await asyncio.to_thread(_load)

    async def answer(self, *, room_id: UUID | str, connection_id: str, role: Role, sdp: str) -> str:
        """The SDP answer to a browser's offer; from then on this connection speaks and hears for its seat.

        An older connection of the same seat is hung up; when it asks again by itself it is refused once with
        VoiceElsewhere, and when a person asks for it, it takes the voice back.
        Raises BadOffer, TooManyOffers, VoiceElsewhere, VoiceFull, VoiceUnavailable.
        """
        caller = self._admit(connection_id)
        offer = read_offer(sdp)
        await self.warm_up()
        if self._callers.get(connection_id) is not caller:
            raise VoiceUnavailable  # hung up meanwhile

        from rooms.voice.peer import Peer  # late: see peer.py

        line = _Line(str(room_id), role if role in PEOPLE else connection_id, connection_id)
        self._check_place(line, caller)
        listening = self._listen()
        before = self._take_place(line)
        line.peer = peer = Peer(
            offer,
            listening,
            may_speak=role in PEOPLE,
            on_sound=partial(self._spread, line),
            on_gone=partial(self._leave, line),
        )
        try:
            answer = await peer.open()
        except OSError as error:
            self._leave(line)
            logger.error("voice has no socket to listen on: %s", error.strerror)
            raise VoiceUnavailable from error
        finally:
            if before is not None and before.peer is not None:
                await before.peer.close()
        holder = self._rooms.get(line.room_id, {}).get(line.seat)
        if holder is None or holder.connection_id != connection_id:
            await peer.close()  # hung up while the answer was made
            raise VoiceUnavailable
        return answer

    async def hang_up(self, *, connection_id: str) -> None:
        """This connection is over: its voice too, if it is on the line. Nothing happens when it is not."""
        self._callers.pop(connection_id, None)
        for line in [each for lines in self._rooms.values() for each in lines.values()]:
            if line.connection_id == connection_id:
                await self._drop(line)

    async def close_room(self, *, room_id: UUID | str) -> None:
        """Hang up everybody in this room."""
        for line in list(self._rooms.get(str(room_id), {}).values()):
            await self._drop(line)

    async def close(self) -> None:
        """Hang up everybody."""
        for room_id in list(self._rooms):
            await self.close_room(room_id=room_id)
        self._callers.clear()

    # --- who is on the line -----------------------------------------------------------------------------

    def _admit(self, connection_id: str) -> _Caller:
        caller = self._callers.setdefault(connection_id, _Caller())
        now_s = time.monotonic()
        if len(caller.offers) == MAX_OFFERS and now_s - caller.offers[0] < OFFERS_WINDOW_SECONDS:
            raise TooManyOffers
        caller.offers.append(now_s)
        return caller

    def _check_place(self, line: _Line, caller: _Caller) -> None:
        lines = self._rooms.get(line.room_id, {})
        holder = lines.get(line.seat)
        if caller.displaced:
            caller.displaced = False
            if holder is not None and holder.connection_id != line.connection_id:
                raise VoiceElsewhere
        if holder is None and len(lines) >= MAX_LINES_PER_ROOM:
            raise VoiceFull

    def _take_place(self, line: _Line) -> _Line | None:
        """Put the line in its seat's place; the one that was there before."""
        lines = self._rooms.setdefault(line.room_id, {})
        before = lines.get(line.seat)
        lines[line.seat] = line
        if before is not None and before.connection_id != line.connection_id:
            caller = self._callers.get(before.connection_id)
            if caller is not None:
                caller.displaced = True
        return before

    async def _drop(self, line: _Line) -> None:
        self._leave(line)
        if line.peer is not None:
            await line.peer.close()

    def _leave(self, line: _Line) -> None:
        lines = self._rooms.get(line.room_id, {})
        if lines.get(line.seat) is line:
            del lines[line.seat]
            if not lines:
                del self._rooms[line.room_id]

    def _spread(self, line: _Line, sound: Sound) -> None:
        """Everybody else in the room hears this. Runs fifty times a second for each speaker."""
        lines = self._rooms.get(line.room_id)
        if lines is None or lines.get(line.seat) is not line:
            return
        for other in lines.values():
            if other is not line and other.peer is not None:
                other.peer.play(line.seat, sound)

    def _listen(self) -> Listening:
        if self._listening is None:
            self._listening = _listening_by_settings()
        return self._listening


@cache
def _load() -> None:
    import rooms.voice.peer  # noqa: F401

    # What is loaded by now stays for good: sparing the collector those objects takes the longest pauses,
    # which would be heard, from some 7 ms to below 1.
    gc.collect()
    gc.freeze()


def _listening_by_settings() -> Listening:
    from django.conf import settings  # late: everything else here works without Django

    from rooms.voice.addresses import BadAddress, choose_listening, machine_addresses

    try:
        return choose_listening(
            site_url=settings.SITE_URL,
            addresses=settings.VOICE_ADDRESSES,
            host=settings.VOICE_HOST,
            ports=settings.VOICE_PORTS,
            machine=machine_addresses(),
        )
    except BadAddress as error:
        logger.error("voice cannot listen: %s (VOICE_ADDRESSES, VOICE_HOST, VOICE_PORTS)", error)
        raise VoiceUnavailable from error


_desk = Desk()


def desk() -> Desk:
    """The one desk of this process."""
    return _desk
