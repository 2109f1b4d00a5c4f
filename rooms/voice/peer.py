"""One browser's voice: SDP answered by us, ICE by aioice, DTLS by aiortc, sound through rtp.py.

aiortc's RTCPeerConnection is not used: its receivers decode (each in a thread of its own, behind a jitter
buffer that never shrinks again) and its senders encode. We take its DTLS transport alone and decrypt and
encrypt sound with the SRTP sessions it negotiated. Those are private names, which
tests/rooms/voice/test_contracts.py guards.

Importing this module loads aiortc, which takes most of a second: desk.py does so when first needed.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Callable, Hashable

import pylibsrtp
from aiortc.rtcdtlstransport import (
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
)

from rooms.voice.addresses import Listening
from rooms.voice.ice import Path
from rooms.voice.rtp import Incoming, Slot, Sound, write_reports
from rooms.voice.sdp import Candidate, Line, Offer, Transport, write_answer

CONNECT_SECONDS = 15.0
"""From the answer to a finished handshake. aioice alone would wait for ever."""
SPEAKER_SILENT_SECONDS = 5.0
"""Browsers send 50 packets a second even of silence. aioice alone would notice after half a minute."""
LISTENER_SILENT_SECONDS = 15.0
"""Who only listens sends checks alone, every five seconds at least."""
WATCH_SECONDS = 0.5
REPORT_SECONDS = 2.0

logger = logging.getLogger(__name__)


class _Carrier:
    """What aiortc's DTLS asks of an ICE transport, over our path."""

    role = "controlled"  # aiortc turns this into the client's part of the handshake: our answer says "active"

    def __init__(self, path: Path) -> None:
        self._recv = path.recv
        self._send = path.send


class Peer:
    """One connection to one browser, from its offer until it is closed.

    on_sound: gets everything this browser says; only called when `may_speak`.
    on_gone: called once when the connection ended by itself: never came about, or the browser left.
    """

    def __init__(
        self,
        offer: Offer,
        listening: Listening,
        *,
        may_speak: bool,
        on_sound: Callable[[Sound], None],
        on_gone: Callable[[], None],
    ) -> None:
        self._offer = offer
        self._listening = listening
        self._on_sound = on_sound
        self._on_gone = on_gone
        self._path = Path(listening, self._receive)
        self._certificate = RTCCertificate.generateCertificate()
        self._dtls = RTCDtlsTransport(_Carrier(self._path), [self._certificate])  # type: ignore[arg-type]
        self._cname = secrets.token_hex(8)
        speaking = next((each for each in offer.voice if each.speaks), None)
        self._incoming: Incoming | None = None
        if may_speak and speaking is not None and speaking.opus is not None:
            self._incoming = Incoming(speaking.opus, time.monotonic())
        self._slots = [Slot(each.opus) for each in offer.voice if each.hears and each.opus is not None]
        self._slot_of: dict[Hashable, Slot] = {}
        self._opening = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether sound can flow now."""
        return self._dtls.state == "connected" and self._closing is None

    async def open(self) -> str:
        """Open our sockets and start waiting for the browser; the SDP answer.

        Raises OSError when no socket can be opened.
        """
        async with self._opening:
            try:
                await self._path.gather_candidates()
            except BaseException:
                await self._shut(goodbye=False)
                raise
            self._task = asyncio.create_task(self._live(), name="voice peer")
        return write_answer(self._offer, self._transport(), self._lines(), self._cname)

    def _transport(self) -> Transport:
        fingerprints = RTCDtlsParameters(self._certificate.getFingerprints()).fingerprints
        return Transport(
            ice_name=self._path.local_username,
            ice_password=self._path.local_password,
            fingerprint=next(each.value for each in fingerprints if each.algorithm == "sha-256"),
            candidates=[
                # aioice's own foundation is a hash of the address, which may be one that is not announced.
                Candidate(
                    str(place), each.priority - place, self._listening.announced_as or each.host, each.port
                )
                for place, each in enumerate(self._path.local_candidates)
            ],
        )

    def _lines(self) -> list[Line]:
        slots = iter(self._slots)
        listens = self._incoming is not None
        lines = []
        for section in self._offer.voice:
            speaks = section.speaks and listens
            lines.append(Line(listens=speaks, ssrc=next(slots).ssrc if section.hears else None))
            listens = listens and not speaks  # one voice for one browser: the first that is offered
        return lines

    # --- sound ----------------------------------------------------------------------------------------

    def _receive(self, datagram: bytes) -> None:
        """A datagram that looks like SRTP. Whoever sent it: only what decrypts counts."""
        srtp = self._dtls._rx_srtp
        if srtp is None or self._closing is not None:
            return
        now_s = time.monotonic()
        try:
            if len(datagram) > 1 and 192 <= datagram[1] <= 223:  # RTCP, by RFC 5761
                report = srtp.unprotect_rtcp(datagram)
                if self._incoming:
                    self._incoming.take_report(report, now_s)
                sound = None
            else:
                packet = srtp.unprotect(datagram)
                sound = self._incoming.take(packet, now_s) if self._incoming else None
        except pylibsrtp.Error:
            return
        self._path.heard_at_s = now_s
        if sound is not None:
            self._on_sound(sound)

    def play(self, speaker: Hashable, sound: Sound) -> None:
        """Let this browser hear a piece of somebody's voice, now or never."""
        if not self.connected:
            return
        slot = self._slot_of.get(speaker) or self._assign(speaker)
        if slot is None:
            return
        packet = slot.write(sound, time.monotonic())
        if packet is not None:
            try:
                self._path.send_now(self._dtls._tx_srtp.protect(packet))
            except pylibsrtp.Error as error:
                logger.warning("a packet of sound could not be encrypted: %s", error)

    def _assign(self, speaker: Hashable) -> Slot | None:
        """A free slot for this speaker, else the one that has been quiet for longest and is not in use."""
        taken = set(map(id, self._slot_of.values()))
        free = next((slot for slot in self._slots if id(slot) not in taken), None)
        if free is None and self._slot_of:
            quiet = min(self._slot_of, key=lambda each: self._slot_of[each].sent_at_s)
            if time.monotonic() - self._slot_of[quiet].sent_at_s > SPEAKER_SILENT_SECONDS:
                free = self._slot_of.pop(quiet)
        if free is not None:
            self._slot_of[speaker] = free
        return free

    def _report(self) -> None:
        report = write_reports(
            self._slots, self._incoming, cname=self._cname, now_s=time.monotonic(), wall_s=time.time()
        )
        try:
            self._path.send_now(self._dtls._tx_srtp.protect_rtcp(report))
        except pylibsrtp.Error as error:
            logger.warning("a report could not be encrypted: %s", error)

    # --- life -----------------------------------------------------------------------------------------

    async def _live(self) -> None:
        try:
            await self._connect()
            await self._watch()
        except (TimeoutError, ConnectionError) as error:
            logger.info("a voice connection ended: %s", error)
            # Without a goodbye, so that a browser that was merely cut off comes back by itself.
            await self._shut(goodbye=False)
        else:
            await self._shut(goodbye=True)
        self._on_gone()

    async def _connect(self) -> None:
        self._path.remote_username = self._offer.ice_name
        self._path.remote_password = self._offer.ice_password
        fingerprints = [RTCDtlsFingerprint(*each) for each in self._offer.fingerprints]
        async with asyncio.timeout(CONNECT_SECONDS):
            await self._path.connect()
            await self._dtls.start(RTCDtlsParameters(fingerprints))
        if self._dtls.state != "connected":
            raise ConnectionError("no handshake")

    async def _watch(self) -> None:
        """Until the browser says goodbye. Raises ConnectionError when it vanished."""
        report_at_s = 0.0
        while self._dtls.state == "connected":
            now_s = time.monotonic()
            speaks = self._incoming is not None and self._incoming.speaks
            limit = SPEAKER_SILENT_SECONDS if speaks else LISTENER_SILENT_SECONDS
            if now_s - self._path.heard_at_s > limit:
                raise ConnectionError("vanished")
            if now_s >= report_at_s:
                self._report()
                # RFC 3550, 6.2: varied, so that reports of many do not fall together.
                report_at_s = now_s + REPORT_SECONDS * (0.5 + random.random())
            await asyncio.sleep(WATCH_SECONDS)

    async def close(self) -> None:
        """End the connection and everything it holds, even if the caller is cancelled meanwhile."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(), name="voice peer ending")
        await asyncio.shield(self._ending)

    async def _end(self) -> None:
        async with self._opening:  # sockets opened after this would stay open
            if self._task is not None:
                self._task.cancel()
                await asyncio.wait([self._task])
            await self._shut(goodbye=True)

    async def _shut(self, *, goodbye: bool) -> None:
        if self._closing is None:
            self._closing = asyncio.create_task(self._close_transports(goodbye), name="voice peer closing")
        await asyncio.shield(self._closing)

    async def _close_transports(self, goodbye: bool) -> None:
        if goodbye:
            await self._dtls.stop()
        await self._path.close()  # wakes the reader of DTLS, which ends
        self._dtls.remove_all_listeners()
