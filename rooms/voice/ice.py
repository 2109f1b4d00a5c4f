"""The way to one browser: aioice under our rules. Below it nothing is aiortc's, above it DTLS is.

Compared with aioice alone: sockets are opened on chosen addresses and ports only; no candidate of the
client is ever used, the browser's authenticated checks tell where it is; packets of sound leave the queue
and are handed on in the moment they arrive; what queues is bounded; `heard_at_s` says when the browser gave a
sign of life. aioice hides five names we need, underscored: tests/rooms/voice/test_contracts.py guards them.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from typing import Any

import aioice
from aioice.candidate import Candidate, candidate_foundation, candidate_priority
from aioice.ice import StunProtocol
from aioice.stun import Message

from rooms.voice.addresses import Listening

MAX_WAITING_DATAGRAMS = 64
"""Of the handshake; sound never waits."""
PORT_TRIES = 20
MAX_UNSENT_BYTES = 16 * 1024

# Both log addresses of peers below this level.
for _name in ("aioice", "aiortc"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class _Socket(StunProtocol):
    """One of a path's sockets. Sound goes by aioice, which would try to read each packet as STUN."""

    def __init__(self, path: Path, on_sound: Callable[[bytes], None]) -> None:
        super().__init__(path)
        self._on_sound = on_sound

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        if isinstance(data, bytes) and data and 127 < data[0] < 192:
            self._on_sound(data)
        else:
            super().datagram_received(data, addr)


class Path(aioice.Connection):
    """One ICE connection as the answering side.

    on_sound: gets each datagram that looks like SRTP or SRTCP, still encrypted.
    """

    def __init__(self, listening: Listening, on_sound: Callable[[bytes], None]) -> None:
        super().__init__(ice_controlling=False)
        self.heard_at_s = time.monotonic()
        self._listening = listening
        self._on_sound = on_sound

    async def gather_candidates(self) -> None:
        """Open one socket for each chosen address. Raises OSError when none can be opened."""
        failure: OSError | None = None
        for address in self._listening.addresses:
            try:
                self._local_candidates.append(await self._listen(address))
            except OSError as error:
                failure = error
        if not self._local_candidates:
            raise failure or OSError("no address to listen on")
        self._local_candidates_start = self._local_candidates_end = True

    async def _listen(self, address: str) -> Candidate:
        ports = self._listening.ports
        tries = random.sample(ports, min(PORT_TRIES, len(ports))) if ports else [0]
        protocol = await self._open(address, tries)
        self._protocols.append(protocol)
        protocol.local_candidate = Candidate(
            foundation=candidate_foundation("host", "udp", address),
            component=1,
            transport="udp",
            priority=candidate_priority(1, "host"),
            host=address,
            port=protocol.transport.get_extra_info("sockname")[1],
            type="host",
        )
        return protocol.local_candidate

    async def _open(self, address: str, ports: list[int]) -> StunProtocol:
        loop = asyncio.get_running_loop()
        for left, port in zip(range(len(ports) - 1, -1, -1), ports, strict=True):
            try:
                _, protocol = await loop.create_datagram_endpoint(
                    lambda: _Socket(self, self._on_sound), local_addr=(address, port)
                )
                return protocol
            except OSError:
                if not left:
                    raise
        raise OSError("no port to try")

    def data_received(self, data: bytes, component: int) -> None:
        """A datagram of a handshake, from anyone: it waits its turn."""
        if self._queue.qsize() < MAX_WAITING_DATAGRAMS:
            super().data_received(data, component)

    def check_incoming(self, message: Message, addr: tuple[str, int], protocol: StunProtocol) -> None:
        """A check that proved to come from the browser of this offer."""
        self.heard_at_s = time.monotonic()
        # aioice takes a missing priority for granted.
        message.attributes.setdefault("PRIORITY", 0)
        super().check_incoming(message, addr, protocol)

    def send_now(self, datagram: bytes) -> bool:
        """Hand the datagram to the socket without waiting; False when it was dropped instead.

        That is so before there is a way to the browser, and while the kernel takes no more.
        """
        pair = self._nominated.get(1)
        if pair is None:
            return False
        transport = pair.protocol.transport
        unsent_bytes = transport.get_write_buffer_size()  # type: ignore[attr-defined]  # unknown to typeshed
        if unsent_bytes > MAX_UNSENT_BYTES:
            return False
        transport.sendto(datagram, pair.remote_addr)
        return True
