"""Shell two: sockets over picows and uvloop, for many rooms. No task per message, one write per commit.

Bounded both ways: nobody is read from while their room has no room or they owe, and nothing is handed to a
connection that does not take what it was given; then its outbox fills, and it is cut and catches up.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import socket
from collections import deque
from http import HTTPStatus
from typing import Any, cast

import uvloop
from django.db import connections
from django.http import parse_cookie
from picows import (
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from anteroom import collector, descriptors
from anteroom.errors import Refusal
from anteroom.origins import may_open_sockets
from rooms.errors import BadFrame, FrameTooLarge
from rooms.keeper import keeper
from rooms.session import MESSAGES_AT_ONCE, Session, beside, drain, farewell
from rooms.voice.desk import desk
from rooms.wire import MAX_FRAME_BYTES

logger = logging.getLogger(__name__)

CUT_OFF_BYTES = 2 * MAX_FRAME_BYTES
"""Where picows ends a connection by itself; the room refuses half of that already, with a sentence."""
HANDSHAKE_WITHIN_S = 5.0
PING_EVERY_S = 20.0
"""Whoever is silent is asked, and cut when they have not answered by the next time."""
CLOSE_WITHIN_S = 3.0
"""How long the other end may take to answer a close frame, and to take what was sent before it."""
BACKLOG = 1024
READ_BUFFER_BYTES = 2048
"""At the start; picows doubles it whenever one read fills it."""
KERNEL_BUFFER_BYTES = 64 * 1024
"""What the kernel keeps for us of one connection (Linux: twice that), and so about what that can grow to."""
NORMAL, PROTOCOL_ERROR = 1000, 1002
HEALTH_PATH = "/healthz"

_BINARY, _TEXT, _CONTINUATION = WSMsgType.BINARY, WSMsgType.TEXT, WSMsgType.CONTINUATION
_PING, _CLOSE = WSMsgType.PING, WSMsgType.CLOSE

# --- frames -------------------------------------------------------------------------------------------

_HEADS = [bytes((0x82, size)) for size in range(126)]
"""Of a binary message, by its size."""


def framed(messages: list[bytes]) -> bytes:
    """These messages as WebSocket frames, for one write. Source: RFC 6455, section 5.2."""
    parts: list[bytes] = []
    for message in messages:
        size = len(message)
        if size < 126:
            parts.append(_HEADS[size])
        elif size < 1 << 16:
            parts.append(b"\x82\x7e" + size.to_bytes(2, "big"))
        else:
            parts.append(b"\x82\x7f" + size.to_bytes(8, "big"))
        parts.append(message)
    return b"".join(parts)


# --- one connection -----------------------------------------------------------------------------------


class Connection(WSListener):
    """One socket: picows calls it with frames, the room's outbox with news."""

    __slots__ = (
        "_deadline",
        "_fragments",
        "_in_a_row",
        "_is_blocked",
        "_is_ending",
        "_is_gone",
        "_is_in",
        "_request",
        "_server",
        "_session",
        "_stream",
        "_transport",
        "_waiting",
        "is_dirty",
        "was_heard",
    )  # fmt: skip

    def __init__(self, server: RoomServer, request: WSUpgradeRequest) -> None:
        self._server = server
        self._request: WSUpgradeRequest | None = request
        self._session = Session(self._notified)
        self._transport: WSTransport = None  # type: ignore[assignment]  # until on_ws_connected
        self._stream: Any = None
        self._fragments: bytearray | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._is_in = False
        self._is_blocked = False
        self._is_ending = False
        self._is_gone = False
        self._in_a_row = 0
        self._waiting: deque[bytes] | None = None
        """What came and has to wait; nothing is read meanwhile."""
        self.is_dirty = False
        self.was_heard = True

    # --- coming and going -----------------------------------------------------------------------------

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport, self._stream = transport, transport.underlying_transport
        self._server.connections.add(self)
        self._stream.pause_reading()
        beside(self._come_in())

    async def _come_in(self) -> None:
        request, self._request = self._request, None
        assert request is not None
        try:
            cookies = parse_cookie("; ".join(request.headers.getall("cookie", [])))
            await self._session.enter(_path(request), cookies)
        except Refusal as refusal:
            self._end(refusal)
            self._stream.resume_reading()  # for the answer to our close frame
            return
        if self._is_gone:
            self._session.leave()
            return
        self._is_in = True
        self._stream.resume_reading()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._is_gone = True
        self._server.connections.discard(self)
        if self._deadline is not None:
            self._deadline.cancel()
        self._session.leave()

    def abort(self) -> None:
        """Cut it."""
        self._stream.abort()

    # --- what comes in --------------------------------------------------------------------------------

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self.was_heard = True
        try:
            if frame.rsv1 or frame.rsv2 or frame.rsv3:
                self._fail()  # we agreed on no extension
            elif frame.msg_type == _BINARY and frame.fin and self._fragments is None:
                self._in_a_row = 0 if frame.last_in_buffer else self._in_a_row + 1
                self._receive(frame.get_payload_as_bytes())
            else:
                self._unusual(frame)
        except Exception:
            logger.exception("a frame failed")
            self._fail()

    def _receive(self, message: bytes) -> None:
        if self._transport.is_close_frame_sent:  # by us, or by picows, which goes on parsing what it refused
            return
        if self._waiting is not None:
            self._waiting.append(message)
        elif not self._is_in:
            self._fail()  # sent before we had answered: nothing is read until then
        elif not self._session.receive(message):
            self._hold_up()
            beside(self._read_on())
        elif self._in_a_row >= MESSAGES_AT_ONCE:
            self._hold_up()
            self._server.loop.call_soon(self._go_on)

    def _unusual(self, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind == _CLOSE:
            self._answer_close(frame)
        elif kind == _PING:
            if not self._is_blocked and not self._is_ending:
                self._transport.send_pong(frame.get_payload_as_bytes())
        elif self._session.closing is not None:
            pass  # what follows a refusal does not count
        elif kind == _CONTINUATION:
            if self._fragments is None:
                self._fail()
            else:
                self._gather(frame)
        elif kind in (_BINARY, _TEXT) and self._fragments is not None:
            self._fail()  # a message inside another
        elif kind == _TEXT:
            self._session.refuse(BadFrame())
        elif kind == _BINARY:
            self._fragments = bytearray()
            self._gather(frame)

    def _gather(self, frame: WSFrame) -> None:
        """One more piece of a message that comes in several."""
        assert self._fragments is not None
        self._fragments += frame.get_payload_as_memoryview()
        if len(self._fragments) > MAX_FRAME_BYTES:
            self._session.refuse(FrameTooLarge())
        elif frame.fin:
            message, self._fragments = bytes(self._fragments), None
            self._receive(message)

    def _hold_up(self) -> None:
        """Read no more; what this read has brought already waits with us."""
        self._waiting = deque()
        self._stream.pause_reading()

    async def _read_on(self) -> None:
        """Go on when the room has room and nothing is owed."""
        await self._session.until_read_on()
        self._go_on()

    def _go_on(self) -> None:
        """Hand over what waits, some at a time, then read again."""
        waiting = self._waiting
        assert waiting is not None
        for _ in range(min(len(waiting), MESSAGES_AT_ONCE)):
            if self._is_gone:
                return
            if not self._session.receive(waiting.popleft()):
                beside(self._read_on())
                return
        if waiting:
            self._server.loop.call_soon(self._go_on)
        elif not self._is_gone:
            self._waiting = None
            self._in_a_row = 0
            self.was_heard = True
            self._stream.resume_reading()

    # --- what goes out --------------------------------------------------------------------------------

    def _notified(self) -> None:
        if not self.is_dirty:
            self.is_dirty = True
            self._server.flush_soon(self)

    def flush(self) -> None:
        """Everything that waits, in one write; nothing while the last has not been taken."""
        self.is_dirty = False
        if self._is_gone or self._is_ending:
            return
        session = self._session
        closing = session.closing
        if not self._is_blocked:
            messages = session.take()
            if messages:
                self._stream.write(framed(messages))
        if closing is not None:
            self._end(closing)

    def pause_writing(self) -> None:
        self._is_blocked = True

    def resume_writing(self) -> None:
        self._is_blocked = False
        self._notified()

    # --- the end --------------------------------------------------------------------------------------

    def _end(self, refusal: Refusal) -> None:
        """Say why, then close, and wait a little for the other end to do so too."""
        if not self._is_ending and not self._is_gone:
            last = farewell(refusal)
            self._stream.write(framed([last.frame]))
            self._close(last.code, last.reason)

    def _fail(self) -> None:
        """It does not speak WebSocket as agreed."""
        if not self._is_ending and not self._is_gone:
            logger.info("a socket was closed: not as the protocol says")
            self._close(PROTOCOL_ERROR, "")

    def _close(self, code: int, reason: str) -> None:
        self._is_ending = True
        self._transport.send_close(cast(WSCloseCode, code), reason.encode())  # any code will do
        self._deadline = self._server.loop.call_later(CLOSE_WITHIN_S, self._stream.abort)

    def _answer_close(self, frame: WSFrame) -> None:
        if not self._is_ending:
            code = int.from_bytes(frame.get_payload_as_bytes()[:2], "big")
            self._close(code or NORMAL, "")
        self._transport.disconnect()

    def check(self) -> None:
        """Ask whether the other end is still there; cut it when it did not answer the last time."""
        if self.was_heard or self._waiting is not None:
            self.was_heard = False
            if not self._is_blocked and not self._is_ending:
                self._transport.send_ping()
        else:
            self.abort()


# --- one process --------------------------------------------------------------------------------------


class RoomServer:
    """The sockets of this process, on one listening socket."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.connections: set[Connection] = set()
        self.is_draining = False
        self._dirty: list[Connection] = []

    def flush_soon(self, connection: Connection) -> None:
        """Write what waits for it once the loop has finished what it is at: all frames of a commit."""
        if not self._dirty:
            self.loop.call_soon(self._flush)
        self._dirty.append(connection)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for connection in dirty:
            try:
                connection.flush()
            except Exception:
                logger.exception("a connection could not be written to")
                connection.abort()

    async def serve(self, listening: socket.socket, stop: asyncio.Event) -> None:
        """Serve until told to stop; then let everybody go."""
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BUFFER_BYTES)  # theirs inherit it
        server = await ws_create_server(
            self._answer, sock=listening, backlog=BACKLOG, max_frame_size=CUT_OFF_BYTES,
            websocket_handshake_timeout=HANDSHAKE_WITHIN_S, enable_auto_pong=False,
            read_buffer_init_size=READ_BUFFER_BYTES, logger_name=_Quiet(logger, {}),
        )  # fmt: skip
        pinging = asyncio.create_task(self._ping())
        await stop.wait()
        self.is_draining = True
        server.close()
        pinging.cancel()
        await drain()
        for connection in list(self.connections):
            connection.abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await server.wait_closed()
        await keeper().close()

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(PING_EVERY_S)
            for connection in list(self.connections):
                connection.check()

    def _answer(self, request: WSUpgradeRequest) -> Connection | WSUpgradeResponseWithListener:
        """A handshake, or the question whether we are well."""
        if _path(request) == HEALTH_PATH and "upgrade" not in request.headers:
            return _plain(503 if self.is_draining else 200, {"rooms": not self.is_draining})
        if not may_open_sockets(request.headers.getall("origin", [])):
            return _plain(403, {"detail": "another origin"})
        # Firefox says "keep-alive, Upgrade", which RFC 6455 allows and picows does not take.
        words = request.headers.get("connection", "").lower().split(",")
        if "upgrade" in [word.strip() for word in words]:
            request.headers["connection"] = "upgrade"
        return Connection(self, request)


def _path(request: WSUpgradeRequest) -> str:
    return request.path.decode("latin-1").partition("?")[0]


def _plain(status: int, body: dict[str, object]) -> WSUpgradeResponseWithListener:
    response = WSUpgradeResponse()
    response.version = b"HTTP/1.1"
    response.status = HTTPStatus(status)
    response.headers = WSUpgradeResponse.create_101_response().headers
    response.headers.clear()
    response.headers["Content-Type"] = "application/json"
    response.headers["Cache-Control"] = "no-store"
    response.body = json.dumps(body).encode()
    return WSUpgradeResponseWithListener(response, None)


class _Quiet(logging.LoggerAdapter[logging.Logger]):
    """What picows would log of each connection holds its address, or what a stranger sent."""

    def isEnabledFor(self, level: int) -> bool:
        return False

    def log(self, level: int, msg: object, *args: object, **kwargs: object) -> None:
        if kwargs.get("exc_info"):
            self.logger.log(level, msg, exc_info=True)

    def error(self, msg: object, *args: object, **kwargs: object) -> None:
        self.logger.info("a socket was closed: not as the protocol says")


def serve(listening: socket.socket) -> None:
    """Serve rooms on this listening socket until SIGTERM or SIGINT."""

    descriptors.allow_many()
    # One thread asks Django's database here, at the door: a connection for each handshake would cost more
    # than all that the handshake asks.
    connections.databases["default"] |= {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}

    async def work() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await desk().warm_up()
        collector.settle()
        await RoomServer().serve(listening, stop)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work())
