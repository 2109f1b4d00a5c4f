"""The ASGI shell by itself: servers of which each sends in its own time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.conf import settings

from anteroom.errors import Refusal
from rooms import consumers
from rooms.errors import RoomEnded
from rooms.wire import Refused, decode_from_server


class Ending:
    """A session whose room ends while its last frames are being sent."""

    def __init__(self, notify: Callable[[], None]) -> None:
        self.notify = notify
        self.closing: Refusal | None = None
        self.frames = [b"first"]
        self.has_left = False

    async def enter(self, path: str, cookies: Mapping[str, str]) -> None:
        self.notify()

    def take(self) -> list[bytes]:
        frames, self.frames = self.frames, []
        return frames

    def end(self) -> None:
        self.frames.append(b"it has ended")
        self.closing = RoomEnded()
        self.notify()

    def leave(self) -> None:
        self.has_left = True


async def test_what_is_put_while_it_sends_goes_out_before_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions: list[Ending] = []

    def made(notify: Callable[[], None]) -> Ending:
        sessions.append(Ending(notify))
        return sessions[0]

    async def nothing() -> None: ...

    monkeypatch.setattr(consumers, "Session", made)
    monkeypatch.setattr(consumers, "desk", lambda: type("Desk", (), {"warm_up": staticmethod(nothing)}))
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        if not sent:
            return {"type": "websocket.connect"}
        return await asyncio.get_running_loop().create_future()

    async def send(event: Any) -> None:
        sent.append(event)
        if event.get("bytes") == b"first":
            sessions[0].end()
            await asyncio.sleep(0)

    headers = [(b"origin", settings.ALLOWED_ORIGINS[0].encode())]
    async with asyncio.timeout(5):
        await consumers.room_socket({"path": "/", "headers": headers}, receive, send)
    frames = [event["bytes"] for event in sent if event["type"] == "websocket.send"]
    assert frames[:2] == [b"first", b"it has ended"]
    assert isinstance(decode_from_server(frames[2]), Refused)
    assert sent[-1] == {"type": "websocket.close", "code": 4410, "reason": RoomEnded.sentence}
    assert sessions[0].has_left
