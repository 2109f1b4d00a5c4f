"""People who call: aiortc as the browser's part, with real ICE, DTLS, SRTP and Opus on the loopback."""

from __future__ import annotations

import asyncio
import fractions
import math
import time
from array import array
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcpeerconnection import RTCRtpReceiver
from av import AudioFrame

from rooms.roles import Role
from rooms.voice.desk import Desk

RATE_HZ = 48_000
FRAME_SAMPLES = 960
LOUDNESS = 8_000


async def until(true: Callable[[], Any], *, within_s: float = 10.0) -> None:
    """Wait until this is true; fail when it takes too long."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


def as_aiortc_reads(answer: str) -> str:
    """The answer with its candidates in every section: of a bundle aiortc looks at the last one alone."""
    candidates = "\r\n".join(line for line in answer.split("\r\n") if line.startswith("a=candidate:"))
    head, first, *others = answer.split("m=audio ")
    return "m=audio ".join([head, first, *(f"{other}{candidates}\r\n" for other in others)])


class Mouth(MediaStreamTrack):  # type: ignore[misc]
    """A microphone that hums one pure tone; muted it gives silence, as a browser's does."""

    kind = "audio"

    def __init__(self, tone_hz: int) -> None:
        super().__init__()
        self.tone_hz = tone_hz
        self.muted = False
        self._at = 0
        self._started_s = time.monotonic()

    async def recv(self) -> AudioFrame:
        due_s = self._started_s + self._at / RATE_HZ
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        turn = 2 * math.pi * self.tone_hz / RATE_HZ
        loud = 0 if self.muted else LOUDNESS
        samples = array("h", (int(loud * math.sin(turn * (self._at + i))) for i in range(FRAME_SAMPLES)))
        frame = AudioFrame(format="s16", layout="mono", samples=FRAME_SAMPLES)
        frame.planes[0].update(samples.tobytes())
        frame.pts, frame.sample_rate, frame.time_base = self._at, RATE_HZ, fractions.Fraction(1, RATE_HZ)
        self._at += FRAME_SAMPLES
        return frame


class Ear:
    """Listens to one remote track and keeps the last half second."""

    def __init__(self, track: MediaStreamTrack) -> None:
        self.samples = array("h")
        self._task = asyncio.create_task(self._listen(track), name="ear")

    async def _listen(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame = await track.recv()
                left = array("h", bytes(frame.planes[0])[: 4 * frame.samples])[::2]
                self.samples = (self.samples + left)[-RATE_HZ // 2 :]
        except MediaStreamError:
            pass

    def forget(self) -> None:
        """From now on only what comes now counts."""
        self.samples = array("h")

    @property
    def loudness(self) -> float:
        """Root mean square of the last half second; 0 while there is less than a fifth of one."""
        if len(self.samples) < RATE_HZ // 5:
            return 0.0
        return math.sqrt(sum(each * each for each in self.samples) / len(self.samples))

    def share_of(self, tone_hz: int) -> float:
        """How much of the sound's energy lies at this tone, 0 to 1 (Goertzel's algorithm)."""
        samples = self.samples[-RATE_HZ // 5 :]
        if len(samples) < RATE_HZ // 5:
            return 0.0
        turn = 2 * math.cos(2 * math.pi * tone_hz / RATE_HZ)
        before = now = 0.0
        for each in samples:
            before, now = now, each + turn * now - before
        power = now * now + before * before - turn * now * before
        energy = sum(each * each for each in samples)
        return 2 * power / (energy * len(samples)) if energy else 0.0

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


class Caller:
    """One person's browser: says a tone, hears the others."""

    def __init__(
        self, desk: Desk, room_id: str, role: Role, connection_id: str, *, tone_hz: int = 0, slots: int = 1
    ) -> None:
        self.desk, self.room_id, self.role, self.connection_id = desk, room_id, role, connection_id
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.mouth = Mouth(tone_hz) if tone_hz else None
        self.ears: list[Ear] = []
        self.packets: list[Any] = []
        """Every RTP packet that arrived, decrypted."""
        self.reports: list[Any] = []
        """Every RTCP packet that arrived, decrypted and parsed."""
        self.pc.on("track", lambda track: self.ears.append(Ear(track)))
        if self.mouth:
            self.pc.addTrack(self.mouth)
        else:
            self.pc.addTransceiver("audio", direction="recvonly")
        for _ in range(slots - 1):
            self.pc.addTransceiver("audio", direction="recvonly")
        self.offer = self.answer = ""

    async def __aenter__(self) -> Self:
        await self.call()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave()

    async def make_offer(self) -> str:
        await self.pc.setLocalDescription(await self.pc.createOffer())
        self.offer = self.pc.localDescription.sdp
        return self.offer

    async def call(self, change: Callable[[str], str] = lambda offer: offer) -> None:
        """Offer, take the answer, wait until sound can flow."""
        offer = change(await self.make_offer())
        self.answer = await self.desk.answer(
            room_id=self.room_id, connection_id=self.connection_id, role=self.role, sdp=offer
        )
        await self.pc.setRemoteDescription(RTCSessionDescription(as_aiortc_reads(self.answer), "answer"))
        self._overhear()
        await until(lambda: self.pc.connectionState == "connected")

    def _overhear(self) -> None:
        for receiver in self.pc.getReceivers():
            self._overhear_one(receiver)

    def _overhear_one(self, receiver: RTCRtpReceiver) -> None:
        hear, read = receiver._handle_rtp_packet, receiver._handle_rtcp_packet

        async def heard(packet: Any, arrival_time_ms: int) -> None:
            self.packets.append(packet)
            await hear(packet, arrival_time_ms=arrival_time_ms)

        async def was_read(packet: Any) -> None:
            self.reports.append(packet)
            await read(packet)

        receiver._handle_rtp_packet, receiver._handle_rtcp_packet = heard, was_read

    async def hears(self, tone_hz: int) -> None:
        """Wait until this tone is what one of the ears hears."""
        await until(lambda: any(ear.loudness > 500 and ear.share_of(tone_hz) > 0.7 for ear in self.ears))

    async def vanish(self) -> None:
        """Be gone without a word: the machine fell asleep, the network is away."""
        for transceiver in self.pc.getTransceivers():
            for protocol in list(transceiver.receiver.transport.transport._connection._protocols):
                protocol.transport.close()

    async def leave(self) -> None:
        await self.pc.close()
        for ear in self.ears:
            await ear.stop()
