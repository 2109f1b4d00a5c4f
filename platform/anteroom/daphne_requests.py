"""Daphne's requests with bounds: it takes bodies of any size into memory before anybody is asked, and waits
for whoever sends a byte now and then.

Connections on which no whole request has come yet are few and short-lived: when there are too many, the
oldest goes, so that who comes next is served.
"""

# mypy: disable-error-code="no-untyped-call"
# Twisted's web part has no types.
from __future__ import annotations

import logging
from typing import Any

import daphne.server
from daphne.http_protocol import HTTPFactory, WebRequest
from twisted.internet.protocol import connectionDone
from twisted.web.http import HTTPChannel

from anteroom.bodies import MAX_BODY_BYTES, TOO_LARGE

logger = logging.getLogger(__name__)

HEADERS_WITHIN_S = 10
"""From the first moment of a connection until the headers of its first request are there."""
BODY_WITHIN_S = 60
"""From the headers to the end of the body: a megabyte over a bad mobile network."""
NEXT_REQUEST_WITHIN_S = 60
"""From the end of an answer until the next request on the same connection is there, headers and all."""
MAX_WAITING = 512
"""Connections that have not brought a whole request yet. Each takes a descriptor and a few kilobytes."""

_ANSWER = (
    b"HTTP/1.1 413 Content Too Large\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(TOO_LARGE), TOO_LARGE)
)


class BoundedRequest(WebRequest):  # type: ignore[misc]
    """One request whose body is refused as soon as it is known to be too large."""

    _body_bytes = 0
    _is_refused = False

    def gotLength(self, length: int | None) -> None:
        if length is not None and length > MAX_BODY_BYTES:
            super().gotLength(0)
            self._refuse()
        else:
            super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:
        self._body_bytes += len(data)
        if self._is_refused:
            return  # what was on its way
        if self._body_bytes > MAX_BODY_BYTES:
            self._refuse()
        else:
            super().handleContentChunk(data)

    def _refuse(self) -> None:
        self._is_refused = True
        logger.info("a request was refused: its body is too large")
        self.channel.transport.write(_ANSWER)
        self.channel.loseConnection()


class BoundedChannel(HTTPChannel):
    """One connection that has to bring a whole request within a time, however slowly it speaks."""

    factory: BoundedFactory
    transport: Any
    callLater: Any
    requestFactory = BoundedRequest
    _deadline: Any = None

    def connectionMade(self) -> None:
        super().connectionMade()
        self.factory.begins_to_wait(self)
        self._expect_within(HEADERS_WITHIN_S)

    def allHeadersReceived(self) -> None:
        self._expect_within(BODY_WITHIN_S)
        super().allHeadersReceived()

    def allContentReceived(self) -> None:
        self.factory.waits_no_more(self)
        self._expect_within(None)
        super().allContentReceived()

    def requestDone(self, request: WebRequest) -> None:
        self._expect_within(NEXT_REQUEST_WITHIN_S)
        super().requestDone(request)

    def connectionLost(self, reason: Any = connectionDone) -> None:
        self.factory.waits_no_more(self)
        self._expect_within(None)
        super().connectionLost(reason)

    def cut(self) -> None:
        """It has had its time."""
        logger.info("a connection was cut: no request came on it")
        self.transport.abortConnection()

    def _expect_within(self, seconds: float | None) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.callLater(seconds, self.cut)


class BoundedFactory(HTTPFactory):  # type: ignore[misc]
    """Makes such connections, and knows on which of them no whole request has come yet."""

    protocol = BoundedChannel

    def __init__(self, server: daphne.server.Server) -> None:
        super().__init__(server)
        self._waiting: dict[BoundedChannel, None] = {}

    def buildProtocol(self, addr: Any) -> Any:
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = BoundedRequest  # Daphne has set its own
        return protocol

    def begins_to_wait(self, channel: BoundedChannel) -> None:
        self._waiting[channel] = None
        if len(self._waiting) > MAX_WAITING:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            oldest.cut()

    def waits_no_more(self, channel: BoundedChannel) -> None:
        self._waiting.pop(channel, None)


def install() -> None:
    """Have Daphne use these from now on."""
    daphne.server.HTTPFactory = BoundedFactory
