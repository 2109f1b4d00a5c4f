"""What a client may send as the body of a request: bounded before Django reads a byte of it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 1024 * 1024
"""The longest form has a few thousand characters; nginx has the same limit (platform/deploy)."""
TOO_LARGE = b"This is more than the megabyte that a request may have."

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class _TooLarge(Exception):
    """More came than was announced, or nothing was announced."""


class BoundedBodies:
    """An HTTP application that never sees more than MAX_BODY_BYTES of a request."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _announced_bytes(scope) > MAX_BODY_BYTES:
            await _refuse(send)
            return
        taken = 0
        has_begun = False

        async def receive_some() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > MAX_BODY_BYTES:
                raise _TooLarge
            return message

        async def send_on(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._application(scope, receive_some, send_on)
        except _TooLarge:
            if not has_begun:
                await _refuse(send)


def _announced_bytes(scope: Scope) -> int:
    """What the client says it will send; 0 when it says nothing that counts."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0


async def _refuse(send: Send) -> None:
    logger.info("a request was refused: its body is too large")
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(TOO_LARGE)),
        (b"connection", b"close"),
    ]  # fmt: skip
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": TOO_LARGE})
