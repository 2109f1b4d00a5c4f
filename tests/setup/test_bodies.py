"""A request may bring a megabyte, whatever it says of itself."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from anteroom.bodies import MAX_BODY_BYTES, BoundedBodies

HALF = MAX_BODY_BYTES // 2


async def ask(chunks: list[int], told: bytes | None = None) -> tuple[int, int | None]:
    """The status of the answer, and how many bytes the application was given, None when it was not asked."""
    given: list[int] = []
    waiting = deque(chunks)
    sent: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        given.append(0)
        more = True
        while more:
            message = await receive()
            given[0] += len(message["body"])
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": bytes(waiting.popleft()), "more_body": bool(waiting)}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [] if told is None else [(b"content-length", told)]
    await BoundedBodies(application)({"type": "http", "headers": headers}, receive, send)
    assert [each["type"] for each in sent] == ["http.response.start", "http.response.body"]
    return sent[0]["status"], given[0] if given else None


@pytest.mark.parametrize(
    ("chunks", "told", "status", "given"),
    [
        ([0], None, 200, 0),
        ([HALF, HALF], None, 200, MAX_BODY_BYTES),
        ([MAX_BODY_BYTES], b"%d" % MAX_BODY_BYTES, 200, MAX_BODY_BYTES),
        ([HALF, HALF, 1, HALF], None, 413, MAX_BODY_BYTES),
        ([HALF, HALF, 1], b"7", 413, MAX_BODY_BYTES),
        ([HALF, HALF, 1], b"a lie", 413, MAX_BODY_BYTES),
        ([1], b"%d" % (MAX_BODY_BYTES + 1), 413, None),
    ],
)
async def test_more_is_refused(chunks: list[int], told: bytes | None, status: int, given: int | None) -> None:
    assert await ask(chunks, told) == (status, given)
