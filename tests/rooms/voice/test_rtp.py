"""The forward path by itself: packets in, packets out, no network and no clock."""

from __future__ import annotations

import random
import struct
from itertools import pairwise

import pytest
from aiortc.rtp import RtcpPacket, RtcpRrPacket, RtcpSdesPacket, RtcpSrPacket, RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from rooms.voice.rtp import (
    BURST_PACKETS,
    FRAME_SAMPLES,
    MAX_LATE,
    MAX_PAYLOAD_BYTES,
    OTHER_SOURCE_AFTER_S,
    RATE_HZ,
    REPORTED_LOSS_FLOOR,
    Incoming,
    NotRtp,
    Packet,
    Slot,
    Sound,
    write_reports,
)

OPUS = 111
SSRC = 0xDEADBEEF


class Voice:
    """A speaker's packets, one every 20 ms of a clock that only this test moves."""

    def __init__(self, ssrc: int = SSRC, sequence: int = 65_500, timestamp: int = 2**32 - 5_000) -> None:
        self.ssrc, self.sequence, self.timestamp = ssrc, sequence, timestamp
        self.now_s = 100.0

    def packet(self, payload: bytes = b"opus", *, skip: int = 0) -> bytes:
        self.sequence = (self.sequence + 1 + skip) & 0xFFFF
        self.timestamp = (self.timestamp + FRAME_SAMPLES * (1 + skip)) & 0xFFFFFFFF
        self.now_s += 0.02 * (1 + skip)
        return Packet(OPUS, False, self.sequence, self.timestamp, self.ssrc, payload).write()


def heard(slot: Slot, sounds: list[Sound | None], now_s: float) -> list[Packet]:
    written = [slot.write(sound, now_s) for sound in sounds if sound]
    return [Packet.read(data) for data in written if data]


def test_a_packet_with_everything_in_it_is_read() -> None:
    header = struct.pack("!BBHII", 0x80 | 0x20 | 0x10 | 2, 0x80 | OPUS, 7, 8, 9)
    data = header + b"CSRCCSRC" + struct.pack("!HH", 0xBEDE, 1) + b"extn" + b"sound" + b"\0\0\x03"
    assert Packet.read(data) == Packet(OPUS, True, 7, 8, 9, b"sound")


def test_what_is_written_is_what_aiortc_reads() -> None:
    read = RtpPacket.parse(Packet(OPUS, True, 65_535, 2**32 - 1, SSRC, b"sound").write())
    assert (read.payload_type, read.marker, read.sequence_number, read.timestamp) == (
        OPUS,
        1,
        65_535,
        2**32 - 1,
    )
    assert (read.ssrc, read.payload, read.csrc) == (SSRC, b"sound", [])


@given(st.binary(max_size=64))
def test_any_bytes_are_a_packet_or_refused(data: bytes) -> None:
    try:
        packet = Packet.read(data)
    except NotRtp:
        return
    assert packet.payload in data


@given(st.binary(max_size=200))
def test_any_bytes_leave_the_speaker_standing(data: bytes) -> None:
    incoming, voice = Incoming(OPUS, 100.0), Voice()
    incoming.take(data, 100.0)
    incoming.take_report(data, 100.0)
    voice.now_s += OTHER_SOURCE_AFTER_S
    assert incoming.take(voice.packet(), voice.now_s)


def test_losses_stay_gaps_and_late_packets_find_their_place() -> None:
    voice, incoming, slot = Voice(), Incoming(OPUS, 100.0), Slot(96)
    data = [voice.packet(bytes([place])) for place in range(100)]
    del data[50:53]
    data[10], data[12] = data[12], data[10]
    packets = heard(slot, [incoming.take(each, voice.now_s) for each in data], voice.now_s)
    places = [(each.sequence - packets[0].sequence) & 0xFFFF for each in packets]
    assert places == [each.payload[0] for each in packets]
    assert len(packets) == 97
    times = [(each.timestamp - packets[0].timestamp) & 0xFFFFFFFF for each in packets]
    assert times == [FRAME_SAMPLES * place for place in places]
    assert {each.payload_type for each in packets} == {96}
    assert {each.ssrc for each in packets} == {slot.ssrc}


def test_nothing_of_the_speakers_header_goes_through() -> None:
    firsts = []
    for _ in range(50):
        voice, incoming, slot = Voice(), Incoming(OPUS, 100.0), Slot(OPUS)
        (packet,) = heard(slot, [incoming.take(voice.packet(), voice.now_s)], voice.now_s)
        firsts.append((packet.ssrc, packet.sequence, packet.timestamp))
    for column in zip(*firsts, strict=True):
        assert len(set(column)) > 45, "every listener's numbers start anew"
        assert SSRC not in column


def test_numbers_only_grow_when_the_speaker_comes_back() -> None:
    slot, random_numbers = Slot(OPUS), random.Random(5)
    packets: list[Packet] = []
    now_s = 100.0
    for _ in range(20):  # twenty connections, each with numbers of its own
        voice = Voice(*(random_numbers.randrange(2**bits) for bits in (32, 16, 32)))
        voice.now_s = now_s = now_s + random_numbers.uniform(0.1, 3)
        incoming = Incoming(OPUS, now_s)
        for _ in range(40):
            packets += heard(slot, [incoming.take(voice.packet(), voice.now_s)], voice.now_s)
        now_s = voice.now_s
    steps = [(b.sequence - a.sequence) & 0xFFFF for a, b in pairwise(packets)]
    assert set(steps) == {1}
    passed = (packets[-1].timestamp - packets[0].timestamp) & 0xFFFFFFFF
    assert passed == pytest.approx((now_s - 100.0) * RATE_HZ, rel=0.05)
    assert sum(each.marker for each in packets) == 20, "each return begins a talkspurt"


def test_a_number_is_never_used_twice_whatever_the_speaker_does() -> None:
    """Two different sounds under one number and SSRC would share a key stream of SRTP."""
    rough, slot = random.Random(7), Slot(OPUS)
    sequence, incoming, now_s = 0, Incoming(OPUS, 0.0), 0.0
    used: list[int] = []
    """Every number sent, its wraps counted as SRTP counts them."""
    taken: set[tuple[int, int]] = set()
    for step in range(20_000):
        now_s += 0.02
        sequence = (sequence + rough.choice([1, 1, 1, 1, 2, -1, -3, 40, -40, 900, 2_000, -700])) & 0xFFFF
        sound = incoming.take(Packet(OPUS, False, sequence, step * 960, SSRC, b"x").write(), now_s)
        if sound is None or (sound.stream, sound.index) in taken:  # SRTP drops repeats before we see them
            continue
        taken.add((sound.stream, sound.index))
        for packet in heard(slot, [sound], now_s):
            before = used[-1] if used else packet.sequence
            used.append(before + ((packet.sequence - before + 0x8000) & 0xFFFF) - 0x8000)
    assert len(used) > 5_000
    assert len(used) == len(set(used))


def test_what_comes_from_before_the_listener_or_the_stream_takes_no_number() -> None:
    slot = Slot(OPUS)
    gone, gone_incoming = Voice(), Incoming(OPUS, 100.0)
    used = heard(slot, [gone_incoming.take(gone.packet(), gone.now_s) for _ in range(10)], gone.now_s)
    voice, incoming = Voice(ssrc=1), Incoming(OPUS, 100.0)
    data = [voice.packet() for _ in range(30)]
    sounds = [incoming.take(each, voice.now_s) for each in data[1:18] + data[20:]]  # 18 and 19 are under way
    used += heard(slot, sounds[17:], voice.now_s)  # this listener comes when 20 has arrived
    late = [incoming.take(each, voice.now_s) for each in data[18:20]]
    assert all(late)
    assert heard(slot, late, voice.now_s) == []
    assert incoming.take(data[0], voice.now_s) is None, "from before the stream"
    assert len({each.sequence for each in used}) == len(used) == 20


def test_what_is_too_late_to_be_played_is_dropped() -> None:
    voice, incoming = Voice(), Incoming(OPUS, 100.0)
    first, second = voice.packet(), voice.packet()
    assert incoming.take(first, voice.now_s)
    for _ in range(MAX_LATE):
        assert incoming.take(voice.packet(), voice.now_s)
    assert incoming.take(second, voice.now_s)
    assert incoming.take(voice.packet(), voice.now_s)
    assert incoming.take(second, voice.now_s) is None


def test_another_source_waits_for_the_first_to_fall_silent() -> None:
    incoming, voice, other = Incoming(OPUS, 100.0), Voice(), Voice(ssrc=1)
    assert incoming.take(voice.packet(), voice.now_s)
    assert incoming.take(other.packet(), voice.now_s) is None
    assert incoming.take(voice.packet(), voice.now_s)
    assert incoming.take(other.packet(), voice.now_s + OTHER_SOURCE_AFTER_S)


def test_other_codecs_empty_and_oversized_payloads_do_not_pass() -> None:
    incoming, voice = Incoming(OPUS, 100.0), Voice()
    assert incoming.take(Packet(0, False, 1, 1, 1, b"x").write(), 100.0) is None
    assert incoming.take(voice.packet(b""), 100.0) is None
    assert incoming.take(voice.packet(bytes(MAX_PAYLOAD_BYTES + 1)), 100.0) is None
    assert incoming.take(voice.packet(bytes(MAX_PAYLOAD_BYTES)), 100.0)


def test_a_flood_is_cut_to_what_a_voice_needs() -> None:
    incoming, voice = Incoming(OPUS, 100.0), Voice()
    passed = sum(incoming.take(voice.packet(), 100.0 + i / 1_000) is not None for i in range(10_000))
    assert passed < BURST_PACKETS + 10 * 110 + 2
    voice.now_s = 200.0
    assert all(incoming.take(voice.packet(), voice.now_s) for _ in range(500)), "50 a second pass"


def test_reports_say_what_aiortc_reads() -> None:
    voice, incoming, slot = Voice(), Incoming(OPUS, 100.0), Slot(96)
    for place in range(100):
        sound = incoming.take(voice.packet(skip=place % 10 == 9), voice.now_s)
        if sound:
            last = slot.write(sound, voice.now_s)
    assert last
    ntp_middle = 0x12345678
    incoming.take_report(
        struct.pack("!BBHIIIIII", 0x80, 200, 6, SSRC, ntp_middle >> 16, (ntp_middle & 0xFFFF) << 16, 0, 0, 0),
        voice.now_s,
    )
    now_s = voice.now_s + 0.5
    data = write_reports([slot, Slot(96)], incoming, cname="neutral", now_s=now_s, wall_s=1_000.25)
    sender, receiver, names = RtcpPacket.parse(data)
    assert isinstance(sender, RtcpSrPacket)
    assert sender.ssrc == slot.ssrc
    assert sender.sender_info.packet_count == 100
    assert sender.sender_info.octet_count == 400
    assert sender.sender_info.ntp_timestamp >> 30 == (1_000 + 2_208_988_800) << 2 | 1
    ahead = (sender.sender_info.rtp_timestamp - Packet.read(last).timestamp) & 0xFFFFFFFF
    assert ahead == RATE_HZ // 2
    assert isinstance(receiver, RtcpRrPacket)
    (report,) = receiver.reports
    assert (report.ssrc, report.packets_lost, report.lsr) == (SSRC, 10, ntp_middle)
    assert report.fraction_lost == 256 * 10 // 110
    assert report.dlsr == 32_768
    assert report.highest_sequence == voice.sequence + 0x10000, "one wrap"
    assert isinstance(names, RtcpSdesPacket)
    assert [(chunk.ssrc, chunk.items) for chunk in names.chunks] == [(slot.ssrc, [(1, b"neutral")])]


def test_everybody_is_told_of_some_loss_so_that_correction_is_sent() -> None:
    voice, incoming = Voice(), Incoming(OPUS, 100.0)
    for _ in range(50):
        incoming.take(voice.packet(), voice.now_s)
    (receiver, _) = RtcpPacket.parse(
        write_reports([Slot(OPUS)], incoming, cname="n", now_s=voice.now_s, wall_s=0.0)
    )
    assert isinstance(receiver, RtcpRrPacket)
    assert receiver.reports[0].fraction_lost == REPORTED_LOSS_FLOOR
    assert receiver.reports[0].packets_lost == 0


def test_who_neither_speaks_nor_hears_anyone_yet_gets_an_empty_report() -> None:
    slot = Slot(OPUS)
    (receiver, names) = RtcpPacket.parse(write_reports([slot], None, cname="n", now_s=1.0, wall_s=1.0))
    assert isinstance(receiver, RtcpRrPacket)
    assert receiver.reports == []
    assert isinstance(names, RtcpSdesPacket)
