"""Shell one: sockets under an ASGI server (Daphne, uvicorn, granian).

A plain ASGI application on purpose: Channels' AsyncConsumer costs a thread hop and a task for each message,
and a room's messages come a keystroke at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from itertools import count
from typing import Any

from django.http import parse_cookie

from anteroom.errors import Refusal
from anteroom.origins import may_open_sockets
from rooms.errors import BadFrame
from rooms.session import MESSAGES_AT_ONCE, Session, beside, farewell
from rooms.voice.desk import desk

CLOSE_WITHIN_S = 3.0
"""How long somebody may take to be told that they are to go."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def room_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """A person's socket to a room, from the first byte to the last."""
    if (await receive())["type"] != "websocket.connect":
        return
    if not may_open_sockets(_headers(scope, b"origin")):
        await send({"type": "websocket.close"})  # before it is accepted: the handshake is refused
        return
    # Accepted before anything else is refused: a browser sees a close code only then.
    await send({"type": "websocket.accept"})
    has_news = asyncio.Event()
    patience = asyncio.timeout(None)
    session = Session(lambda: _hurry(session, has_news, patience))
    try:
        await session.enter(scope["path"], parse_cookie("; ".join(_headers(scope, b"cookie"))))
    except Refusal as refusal:
        await _close(send, refusal)
        return
    # Loading what voice needs takes most of a second; better now than when somebody wants to speak.
    beside(desk().warm_up())
    receiving = asyncio.create_task(_receive_all(session, receive))
    receiving.add_done_callback(lambda _: has_news.set())
    try:
        async with patience:
            await _send_all(session, has_news, receiving, send)
    except (_Gone, TimeoutError):
        pass
    finally:
        session.leave()
        await _end(receiving)


def _hurry(session: Session, has_news: asyncio.Event, patience: asyncio.Timeout) -> None:
    """There is something to send. Who is to go and takes nothing any more is not waited for."""
    has_news.set()
    if session.closing is not None and patience.when() is None:
        patience.reschedule(asyncio.get_running_loop().time() + CLOSE_WITHIN_S)


async def _receive_all(session: Session, receive: Receive) -> None:
    """Hand over what comes, until the other end is gone."""
    for number in count(1):
        if number % MESSAGES_AT_ONCE == 0:
            await asyncio.sleep(0)  # who sends much lets others have their turn
        event = await receive()
        if event["type"] == "websocket.disconnect":
            return
        frame = event.get("bytes")
        if frame is None:
            session.refuse(BadFrame())
        elif not session.receive(bytes(frame)):
            await session.until_read_on()


async def _send_all(
    session: Session, has_news: asyncio.Event, receiving: asyncio.Task[None], send: Send
) -> None:
    """Send what there is, until the other end is gone or is to go. Raises _Gone."""
    while not receiving.done():
        await has_news.wait()
        has_news.clear()
        closing = session.closing  # asked before taking: sending may let others put more and close only then
        for frame in session.take():
            await _send(send, {"type": "websocket.send", "bytes": frame})
        if closing is not None:
            await _end(receiving)  # granian closes nothing while somebody waits to receive
            await _close(send, closing)
            return


async def _close(send: Send, refusal: Refusal) -> None:
    last = farewell(refusal)
    with suppress(_Gone):
        await _send(send, {"type": "websocket.send", "bytes": last.frame})
        await _send(send, {"type": "websocket.close", "code": last.code, "reason": last.reason})


class _Gone(Exception):
    """The other end left before the server could tell us."""


async def _send(send: Send, event: MutableMapping[str, Any]) -> None:
    try:
        await send(event)
    except (OSError, RuntimeError) as error:  # uvicorn raises the first then, granian the second
        raise _Gone from error


async def _end(task: asyncio.Task[None]) -> None:
    """Stop it; a bug that ended it is raised here."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _headers(scope: Scope, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == wanted]
