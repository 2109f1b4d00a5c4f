"""Packets in and out: one voice's RTP becomes a listener's own RTP, without decoding. Plain Python.

`Incoming` guards what a speaker sends and counts it; `Slot` is one place in one listener's ear and writes
every header anew: SSRC, sequence numbers and timestamps start at random and carry nothing of the speaker's.
Losses stay visible as gaps, so that the listener's browser conceals them and uses Opus' error correction.
A slot's numbers only ever grow, also when its speaker leaves, comes back or is another person: browsers
take a number that falls back for a late packet and drop the voice.

No queue anywhere: a packet is passed on in the moment it arrives, or not at all. Units: seconds (of a
monotonic clock) in `now_s`; timestamps count samples at 48 kHz, modulo 2**32.
Sources: RFC 3550 (RTP, RTCP), RFC 7587 (Opus).
"""

from __future__ import annotations

import itertools
import secrets
import struct
from dataclasses import dataclass

RATE_HZ = 48_000
FRAME_SAMPLES = 960
"""20 ms: what browsers put into one packet."""
MAX_PAYLOAD_BYTES = 1_275
"""The largest Opus frame."""
MAX_JUMP = 1_000
"""Packets. A longer leap ahead is a new beginning, not a loss (20 s of sound)."""
MAX_LATE = 500
"""Packets. Older ones are past use; the window of SRTP against repeats is longer than this."""
PACKETS_PER_SECOND = 110
"""Twice the usual 50, so that 10 ms packets pass. What comes faster on average is dropped."""
BURST_PACKETS = 150
OTHER_SOURCE_AFTER_S = 1.0
"""A connection speaks with one source; another one may take its place once the first fell silent."""
REPORTED_LOSS_FLOOR = 13
"""Of 256, about 5%. Browsers add error correction only when told of losses. The listener's real losses
stay with us, since they would tell the speaker about the listener's network; so everyone is told this much.
"""

_HEADER = struct.Struct("!BBHII")
_sources = itertools.count(1)

_NTP_EPOCH_S = 2_208_988_800
_SENDER_REPORT, _RECEIVER_REPORT, _SOURCE_DESCRIPTION = 200, 201, 202


class NotRtp(ValueError):
    """These bytes are no RTP packet."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One RTP packet without its extensions, contributing sources and padding."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes

    @classmethod
    def read(cls, data: bytes) -> Packet:
        """The packet in these bytes. Raises NotRtp."""
        if len(data) < _HEADER.size:
            raise NotRtp("too short")
        first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
        if first >> 6 != 2:
            raise NotRtp("not version 2")
        at, end = _HEADER.size + 4 * (first & 0x0F), len(data)
        if first & 0x10:
            if at + 4 > end:
                raise NotRtp("the extension is cut off")
            at += 4 + 4 * int.from_bytes(data[at + 2 : at + 4])
        if first & 0x20:
            end -= data[-1]
        if at > end or (first & 0x20 and not data[-1]):
            raise NotRtp("lengths do not fit")
        return cls(second & 0x7F, bool(second & 0x80), sequence, timestamp, ssrc, data[at:end])

    def write(self) -> bytes:
        """The packet as bytes with the plainest of headers."""
        second = self.payload_type | (0x80 if self.marker else 0)
        return _HEADER.pack(0x80, second, self.sequence, self.timestamp, self.ssrc) + self.payload


@dataclass(frozen=True, slots=True)
class Sound:
    """20 ms of a voice, still encoded, in its place within one unbroken stream of packets."""

    stream: int
    """Names the stream within this process; a new one begins a new count."""
    index: int
    """Place in the stream: the sequence number without its wrap."""
    timestamp: int
    marker: bool
    opus: bytes


class Incoming:
    """What one connection sends: which packets pass, and how well they arrive."""

    def __init__(self, payload_type: int, now_s: float) -> None:
        self._payload_type = payload_type
        self._ssrc: int | None = None
        self._stream = 0
        self._highest = 0
        self._first = 0
        self._received = 0
        self._heard_at_s = now_s
        self._allowance = float(BURST_PACKETS)
        self._allowance_at_s = now_s
        self._transit: float | None = None
        self._jitter = 0.0
        self._expected_before = self._received_before = 0
        self._report_ntp = 0
        self._report_at_s = 0.0

    @property
    def speaks(self) -> bool:
        """Whether anything has passed yet."""
        return self._ssrc is not None

    def take(self, data: bytes, now_s: float) -> Sound | None:
        """The sound in one decrypted packet; None if it is not to be passed on."""
        try:
            packet = Packet.read(data)
        except NotRtp:
            return None
        if packet.payload_type != self._payload_type or not 0 < len(packet.payload) <= MAX_PAYLOAD_BYTES:
            return None
        if not self._allow(now_s) or not self._follow(packet, now_s):
            return None
        ahead = ((packet.sequence - self._highest + 0x8000) & 0xFFFF) - 0x8000
        index = self._highest + ahead
        if ahead < -MAX_LATE or index < self._first:
            return None
        self._highest = max(self._highest, index)
        self._received += 1
        self._heard_at_s = now_s
        self._note_jitter(packet, now_s)
        return Sound(self._stream, index, packet.timestamp, packet.marker, packet.payload)

    def _allow(self, now_s: float) -> bool:
        grown = self._allowance + (now_s - self._allowance_at_s) * PACKETS_PER_SECOND
        self._allowance = min(grown, BURST_PACKETS)
        self._allowance_at_s = now_s
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    def _follow(self, packet: Packet, now_s: float) -> bool:
        """Whether the packet is of the voice we follow; begins a new stream where one begins."""
        if packet.ssrc == self._ssrc:
            ahead = (packet.sequence - self._highest) & 0xFFFF
            if not MAX_JUMP < ahead < 0x8000:
                return True
        elif self._ssrc is not None and now_s - self._heard_at_s < OTHER_SOURCE_AFTER_S:
            return False
        self._ssrc = packet.ssrc
        self._stream = next(_sources)
        # One turn ahead of zero, so that packets just before the first one have numbers too.
        self._highest = self._first = packet.sequence + 0x10000
        self._received = self._expected_before = self._received_before = 0
        self._transit, self._jitter = None, 0.0
        self._report_ntp = 0
        return True

    def _note_jitter(self, packet: Packet, now_s: float) -> None:
        transit = now_s * RATE_HZ - packet.timestamp
        if self._transit is not None:
            change = abs(transit - self._transit)
            if change < 0x7FFFFFFF:  # else the timestamp wrapped
                self._jitter += (change - self._jitter) / 16
        self._transit = transit

    def take_report(self, data: bytes, now_s: float) -> None:
        """Remember when the speaker's last sender report came; its content matters to no one else."""
        if len(data) >= 20 and data[1] == _SENDER_REPORT and int.from_bytes(data[4:8]) == self._ssrc:
            self._report_ntp = int.from_bytes(data[10:14])
            self._report_at_s = now_s

    def report_block(self, now_s: float) -> bytes:
        """How the voice arrives here, as one RTCP report block; empty before anything arrived."""
        if self._ssrc is None:
            return b""
        expected = self._highest - self._first + 1
        expected_now, received_now = expected - self._expected_before, self._received - self._received_before
        self._expected_before, self._received_before = expected, self._received
        lost_now = max(0, expected_now - received_now)
        fraction = min(255, (lost_now << 8) // expected_now) if expected_now > 0 else 0
        since_report = min(now_s - self._report_at_s, 65_535.0) if self._report_ntp else 0.0
        return struct.pack(
            "!IIIIII",
            self._ssrc,
            max(fraction, REPORTED_LOSS_FLOOR) << 24 | min(0x7FFFFF, max(0, expected - self._received)),
            (self._highest - 0x10000) & 0xFFFFFFFF,
            int(self._jitter) & 0xFFFFFFFF,
            self._report_ntp,
            int(since_report * 65_536),
        )


class Slot:
    """One place in one listener's ear: the header of every packet is written here, anew."""

    def __init__(self, payload_type: int) -> None:
        self.ssrc = secrets.randbits(32)
        self.sent_at_s = 0.0
        self.packets = 0
        self._octets = 0
        self._payload_type = payload_type
        self._stream = 0
        self._shift = 0
        self._first = 0
        self._highest = secrets.randbits(15)  # low, since SRTP guesses the wrap from the first number it sees
        self._timestamp = secrets.randbits(32)
        self._timestamp_shift = 0

    def write(self, sound: Sound, now_s: float) -> bytes | None:
        """This sound as a packet for this listener; None if it comes from before the listener's time."""
        marker = sound.marker
        if sound.stream != self._stream:
            passed = round((now_s - self.sent_at_s) * RATE_HZ) if self.packets else 0
            self._stream = sound.stream
            self._first = sound.index
            self._shift = self._highest + 1 - sound.index
            self._timestamp_shift = self._timestamp + max(FRAME_SAMPLES, passed) - sound.timestamp
            marker = True
        elif sound.index < self._first:
            return None  # its number belongs to the stream before this one
        index = sound.index + self._shift
        timestamp = (sound.timestamp + self._timestamp_shift) & 0xFFFFFFFF
        if index >= self._highest:
            self._highest, self._timestamp = index, timestamp
            self.sent_at_s = now_s
        self.packets += 1
        self._octets += len(sound.opus)
        return Packet(self._payload_type, marker, index & 0xFFFF, timestamp, self.ssrc, sound.opus).write()

    def sender_report(self, now_s: float, wall_s: float) -> bytes:
        """Where this slot's timestamps stand on the wall clock (seconds since 1970), as RTCP."""
        since = round((now_s - self.sent_at_s) * RATE_HZ)
        seconds, fraction = divmod(wall_s + _NTP_EPOCH_S, 1)
        return struct.pack(
            "!BBHIIIIII",
            0x80,
            _SENDER_REPORT,
            6,
            self.ssrc,
            int(seconds) & 0xFFFFFFFF,
            int(fraction * 2**32),
            (self._timestamp + since) & 0xFFFFFFFF,
            self.packets & 0xFFFFFFFF,
            self._octets & 0xFFFFFFFF,
        )


def write_reports(
    slots: list[Slot], incoming: Incoming | None, *, cname: str, now_s: float, wall_s: float
) -> bytes:
    """One compound RTCP packet for a listener: our sender reports, what we hear of them, our name.

    `slots` are those of the listener, the first one speaks for us; `cname` is ours and random.
    """
    block = incoming.report_block(now_s) if incoming else b""
    me = slots[0].ssrc if slots else 0
    receiver = (
        struct.pack("!BBHI", 0x81 if block else 0x80, _RECEIVER_REPORT, 1 + len(block) // 4, me) + block
    )
    spoken = [slot for slot in slots if slot.packets]
    reports = b"".join(slot.sender_report(now_s, wall_s) for slot in spoken)
    return reports + receiver + _describe([slot.ssrc for slot in spoken] or [me], cname)


def _describe(ssrcs: list[int], cname: str) -> bytes:
    name = cname.encode()
    item = bytes((1, len(name))) + name
    padding = bytes(4 - len(item) % 4)  # at least one zero ends the list of items
    chunks = b"".join(struct.pack("!I", ssrc) + item + padding for ssrc in ssrcs)
    return struct.pack("!BBH", 0x80 | len(ssrcs), _SOURCE_DESCRIPTION, len(chunks) // 4) + chunks
