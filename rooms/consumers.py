"""One room's socket: authenticate, decode, hand over, send.

A plain ASGI application on purpose: Channels' AsyncConsumer costs a thread hop and a task for every message,
and a room's messages come a keystroke at a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from channels.db import database_sync_to_async
from django.http import parse_cookie

from anteroom.errors import NotFound, Refusal
from rooms.errors import BadFrame, FrameTooLarge
from rooms.held import HeldRoom
from rooms.keeper import keeper
from rooms.outbox import Socket
from rooms.passes import admit
from rooms.voice.desk import desk
from rooms.voice.errors import VoiceUnavailable
from rooms.wire import MAX_FRAME_BYTES, Answer, Malformed, Offer, Refused, decode_from_client

logger = logging.getLogger(__name__)

MAX_REASON_BYTES = 123
"""What a close frame can carry beside its code."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def room_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """A person's socket to a room, from the first byte to the last."""
    if (await receive())["type"] != "websocket.connect":
        return
    # Accepted before it is refused: a browser sees a close code only then.
    await send({"type": "websocket.accept"})
    kept = keeper()
    try:
        room_id = scope["url_route"]["kwargs"]["room_id"]
        permit = await database_sync_to_async(admit)(_cookies(scope), room_id)
        held, socket = await kept.enter(permit)
    except Refusal as refusal:
        await _close(send, refusal)
        return
    sender = asyncio.create_task(_send_all(socket, send))
    # Loading what voice needs takes most of a second; better now than when somebody wants to speak.
    beside = {asyncio.create_task(desk().warm_up())}
    try:
        await _receive_all(held, socket, receive, beside)
    finally:
        kept.leave(held, socket)
        # An offer answered after the socket has gone would hold the seat's line for nobody.
        ended = [sender, *beside]
        for task in ended:
            task.cancel()
        await asyncio.gather(*ended, return_exceptions=True)
        await desk().hang_up(connection_id=socket.id)


async def no_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """Every path that is no room's."""
    if (await receive())["type"] == "websocket.connect":
        await send({"type": "websocket.accept"})
        await _close(send, NotFound())


async def _receive_all(
    held: HeldRoom, socket: Socket, receive: Receive, beside: set[asyncio.Task[None]]
) -> None:
    """Hand over what comes, until the other end is gone. beside: takes the tasks that answer offers."""
    kept = keeper()
    while True:
        event = await receive()
        if event["type"] == "websocket.disconnect":
            return
        if socket.closing is not None:
            continue
        await held.relieved.wait()
        try:
            message = decode_from_client(_frame(event))
            if isinstance(message, Offer):
                # Beside the rest: finding a way for the voice takes a moment, and typing must not wait.
                answering = asyncio.create_task(_answer(held, socket, message))
                beside.add(answering)
                answering.add_done_callback(beside.discard)
            else:
                kept.receive(held, socket, message)
        except Refusal as refusal:
            socket.close(refusal)
        except Malformed as problem:
            logger.info("a frame was refused: %s", problem)
            socket.close(BadFrame())


def _frame(event: MutableMapping[str, Any]) -> bytes:
    frame = event.get("bytes")
    if frame is None:
        raise BadFrame
    if len(frame) > MAX_FRAME_BYTES:
        raise FrameTooLarge
    return bytes(frame)


async def _send_all(socket: Socket, send: Send) -> None:
    while frames := await socket.take():
        for frame in frames:
            await send({"type": "websocket.send", "bytes": frame})
    assert socket.closing is not None
    await _close(send, socket.closing)


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


async def _close(send: Send, refusal: Refusal) -> None:
    """Say why in a frame of its own, since not every server passes a close frame's reason on; then close."""
    logger.info("a socket was closed: %s", refusal.code)
    await send({"type": "websocket.send", "bytes": Refused(refusal.code, refusal.sentence).encode()})
    reason = refusal.sentence.encode()[:MAX_REASON_BYTES].decode(errors="ignore")
    await send({"type": "websocket.close", "code": refusal.close_code, "reason": reason})


def _cookies(scope: Scope) -> dict[str, str]:
    for name, value in scope["headers"]:
        if name == b"cookie":
            return parse_cookie(value.decode("latin-1"))
    return {}
