"""One person's socket without a transport: in at the door, what they send, what they get, and why it ends.

A shell (`consumers.py` under an ASGI server, `roomserver.py` over picows) carries bytes to and fro and knows
nothing of rooms; this knows nothing of sockets.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from channels.db import database_sync_to_async
from django.conf import settings
from django.db import DatabaseError

from anteroom.errors import NotFound, Refusal
from rooms.errors import BadFrame, FrameTooLarge, TryAgain
from rooms.held import HeldRoom
from rooms.keeper import keeper
from rooms.limits import Allowance, limits
from rooms.outbox import Socket
from rooms.passes import admit
from rooms.routing import room_at
from rooms.voice.desk import desk
from rooms.voice.errors import VoiceUnavailable
from rooms.wire import MAX_FRAME_BYTES, Answer, Malformed, Offer, Refused, decode_from_client

logger = logging.getLogger(__name__)

MAX_REASON_BYTES = 123
"""What a close frame can carry beside its code."""
MESSAGES_AT_ONCE = 64
"""Of one connection, before others have their turn."""
DRAIN_WITHIN_S = 5.0
"""How long a server that is told to stop waits for its sockets to go."""


@dataclass(frozen=True, slots=True)
class Farewell:
    """How a socket is told why it ends: in a frame, since not every server passes a close frame's reason on,
    and in the close frame."""

    frame: bytes
    code: int
    reason: str


def farewell(refusal: Refusal) -> Farewell:
    """Log that a socket ends, and what to tell it."""
    logger.info("a socket was closed: %s", refusal.code)
    reason = refusal.sentence.encode()[:MAX_REASON_BYTES].decode(errors="ignore")
    return Farewell(Refused(refusal.code, refusal.sentence).encode(), refusal.close_code, reason)


class Session:
    """A socket from its handshake to its end.

    The shell calls `enter`, then `receive` for each message and `take` whenever it was notified, in the end
    `leave`. Once `closing` says why, it sends what is left and the farewell, and receives no more.
    """

    __slots__ = ("_allowance", "_answering", "_held", "_keeper", "_notify", "_socket")

    def __init__(self, notify: Callable[[], None]) -> None:
        """notify: called when there is something to take, or it is to close."""
        self._keeper = keeper()
        self._notify = notify
        self._allowance: Allowance | None = None
        self._held: HeldRoom | None = None
        self._socket: Socket | None = None
        self._answering: set[asyncio.Task[None]] | None = None

    async def enter(self, path: str, cookies: Mapping[str, str]) -> None:
        """Come in: who this is, whether they may, and the room. Raises Refusal."""
        room_id = room_at(path)
        if room_id is None:
            raise NotFound
        try:
            async with limits().turn(cookies.get(settings.SESSION_COOKIE_NAME, "")):
                permit = await database_sync_to_async(admit)(cookies, room_id)
            self._allowance = limits().sit_down(permit.person_id)
            self._held, self._socket = await self._keeper.enter(permit, self._notify)
        except (DatabaseError, OSError) as error:
            logger.warning("the database does not answer: %s", type(error).__name__)
            raise TryAgain from error
        finally:
            if self._socket is None and self._allowance is not None:
                self._allowance.give_back()

    @property
    def closing(self) -> Refusal | None:
        """Why it is to be closed."""
        return self._socket.closing if self._socket is not None else None

    def take(self) -> list[bytes]:
        """The frames to send next, in order: one write's worth."""
        return self._socket.take() if self._socket is not None else []

    def receive(self, frame: bytes) -> bool:
        """Hand over one message; whether the next may be read at once, else see `until_read_on`."""
        held, socket, allowance = self._held, self._socket, self._allowance
        assert held is not None and socket is not None and allowance is not None
        if socket.closing is not None:
            return True
        try:
            if len(frame) > MAX_FRAME_BYTES:
                raise FrameTooLarge
            message = decode_from_client(frame)
            if type(message) is Offer:
                self._answer(held, socket, message)
            else:
                self._keeper.receive(held, socket, message)
        except Refusal as refusal:
            socket.close(refusal)
        except Malformed as problem:
            logger.info("a frame was refused: %s", problem)
            socket.close(BadFrame())
        return allowance.take(len(frame)) and not held.is_full

    def refuse(self, refusal: Refusal) -> None:
        """Close it for what the shell met: a text frame, a broken message."""
        if self._socket is not None:
            self._socket.close(refusal)

    async def until_read_on(self) -> None:
        """Wait until the room has room, and the person has not sent more than they may."""
        assert self._held is not None and self._allowance is not None
        while (wait_s := self._allowance.wait_s) > 0:  # noqa: ASYNC110 - tokens come back by themselves
            await asyncio.sleep(wait_s)
        await self._held.relieved.wait()

    def leave(self) -> None:
        """The socket is gone."""
        held, socket, allowance = self._held, self._socket, self._allowance
        if held is None or socket is None or allowance is None:
            return
        self._socket = None
        allowance.give_back()
        self._keeper.leave(held, socket)
        if self._answering is not None:
            # An offer answered after the socket has gone would hold the seat's line for nobody.
            for task in self._answering:
                task.cancel()
            beside(desk().hang_up(connection_id=socket.id))

    # --- voice ----------------------------------------------------------------------------------------

    def _answer(self, held: HeldRoom, socket: Socket, offer: Offer) -> None:
        """Beside the rest: finding a way for the voice takes a moment, and typing must not wait."""
        if self._answering is None:
            self._answering = set()
        task = beside(_answer(held, socket, offer))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)


async def _answer(held: HeldRoom, socket: Socket, offer: Offer) -> None:
    try:
        sdp = await desk().answer(
            room_id=held.room_id, connection_id=socket.id, role=socket.role, sdp=offer.sdp
        )
        socket.put(Answer(sdp).encode())
    except Refusal as refusal:
        socket.put(Refused(refusal.code, refusal.sentence).encode())
    except Exception:
        logger.exception("an offer failed")
        socket.put(Refused(VoiceUnavailable.code, VoiceUnavailable.sentence).encode())


async def drain() -> None:
    """The server stops: show what was received, tell everybody, let them go, hang up."""
    kept = keeper()
    await kept.drain(within_s=DRAIN_WITHIN_S)
    await desk().close()


_beside: set[asyncio.Task[None]] = set()


def beside(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Do this beside the rest: a task that nobody needs to hold on to."""
    task = asyncio.get_running_loop().create_task(work)
    _beside.add(task)
    task.add_done_callback(_ended)
    return task


def _ended(task: asyncio.Task[None]) -> None:
    _beside.discard(task)
    if not task.cancelled() and (error := task.exception()):
        logger.error("a task of a socket failed", exc_info=error)
