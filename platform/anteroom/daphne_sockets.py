"""Daphne's sockets with bounds: it queues without limit in both directions, and drops close reasons. And its
end with manners: it would cut everybody off."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from daphne.server import Server
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred

from rooms.outbox import OUTBOX_BYTES
from rooms.session import drain

logger = logging.getLogger(__name__)
reactor: Any = _reactor

MAX_WAITING_MESSAGES = 64
"""Received and not yet handled. Beyond it we stop reading, and TCP slows the sender down."""
LOOK_AGAIN_S = 0.005
MAX_UNSENT_BYTES = OUTBOX_BYTES
"""Handed to the network and not taken by the client: it is too slow and comes back by itself."""
FLUSH_WITHIN_S = 1.0
"""How long the last frames may take to leave when the server stops."""


class BoundedSocket(WebSocketProtocol):  # type: ignore[misc]
    """One WebSocket connection that holds a bounded amount of memory."""

    maxMessagePayloadSize: int
    _is_paused = False
    _is_cut = False

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        super().onMessage(payload, isBinary)
        if not self._is_paused and self.application_queue.qsize() > MAX_WAITING_MESSAGES:
            self._is_paused = True
            self.transport.pauseProducing()
            reactor.callLater(LOOK_AGAIN_S, self._look_again)

    def _look_again(self) -> None:
        if self.application_queue.qsize() > MAX_WAITING_MESSAGES // 2 and self.state == self.STATE_OPEN:
            reactor.callLater(LOOK_AGAIN_S, self._look_again)
            return
        self._is_paused = False
        self.transport.resumeProducing()

    def sendMessage(self, *arguments: Any, **options: Any) -> None:
        # Autobahn holds what we say to the limit of what we take, and a document may be longer than that.
        limit: int = self.maxMessagePayloadSize
        self.maxMessagePayloadSize = 0
        try:
            super().sendMessage(*arguments, **options)
        finally:
            self.maxMessagePayloadSize = limit

    def serverSend(self, content: Any, binary: bool = False) -> None:
        super().serverSend(content, binary)
        self._cut_if_slow()

    def onPing(self, payload: bytes) -> None:
        super().onPing(payload)
        self._cut_if_slow()  # pongs wait for the client as everything does

    def _cut_if_slow(self) -> None:
        if self._unsent_bytes() > MAX_UNSENT_BYTES and not self._is_cut:
            self._is_cut = True
            logger.info("a socket was cut: its client does not read")
            self.transport.abortConnection()

    def _unsent_bytes(self) -> int:
        transport: Any = self.transport
        if not hasattr(transport, "dataBuffer"):
            return 0  # TLS, which a proxy does for us
        return int(len(transport.dataBuffer) - transport.offset + transport._tempDataLen)

    def handle_reply(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.close" and self.state == self.STATE_OPEN:
            # sendClose, which Daphne calls, knows no reason and raises for 1009, 1012 and 1013.
            reason = (message.get("reason") or "").encode()
            self.sendCloseFrame(code=message.get("code") or 1000, reasonUtf8=reason or None, isReply=False)
            return
        super().handle_reply(message)


def _stop(server: Server) -> Deferred[Any]:
    """Before the reactor stops: let everybody in a room go, then end what is left of the applications."""
    return Deferred.fromFuture(asyncio.ensure_future(_let_go(server))).addBoth(lambda _: _end_all(server))


async def _let_go(server: Server) -> None:
    await drain()
    deadline = time.monotonic() + FLUSH_WITHIN_S
    while any(map(_is_open, server.connections)) and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(LOOK_AGAIN_S)


def _is_open(protocol: Any) -> bool:
    return isinstance(protocol, BoundedSocket) and protocol.state != protocol.STATE_CLOSED


_end_all = Server.kill_all_applications


def install() -> None:
    """Have Daphne use these from now on."""
    WebSocketFactory.protocol = BoundedSocket
    Server.kill_all_applications = _stop
