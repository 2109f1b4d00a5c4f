"""The end of a server that speaks ASGI's lifespan protocol: uvicorn and granian. Daphne does not."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from types import FrameType
from typing import Any

from rooms.session import drain

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def lifespan(receive: Receive, send: Send) -> None:
    """Nothing to do at the start; at the end everybody in a room is told."""
    while True:
        event = await receive()
        if event["type"] == "lifespan.startup":
            _drain_before_the_server_hears()
            await send({"type": "lifespan.startup.complete"})
        elif event["type"] == "lifespan.shutdown":
            await drain()
            await send({"type": "lifespan.shutdown.complete"})
            return


def _drain_before_the_server_hears() -> None:
    """On SIGTERM let people go before the server does.

    uvicorn asks for the end of the lifespan only after it has cut every socket, which then has no time to
    say why or to show what was received. So its own handler is called when we are done.
    """
    theirs = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or not callable(theirs):
        return
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    def told(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(begin, number, frame)

    def begin(number: int, frame: FrameType | None) -> None:
        if tasks:
            return
        task = loop.create_task(drain())
        tasks.add(task)
        task.add_done_callback(lambda _: theirs(number, frame))

    signal.signal(signal.SIGTERM, told)
