"""People call through the desk and hear each other, through real ICE, DTLS, SRTP and Opus on the loopback."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest
from aiortc.rtp import RtcpSdesPacket, RtcpSrPacket

from rooms.roles import Role
from rooms.voice import errors, peer
from rooms.voice.addresses import Listening
from rooms.voice.desk import MAX_LINES_PER_ROOM, MAX_OFFERS, Desk
from rooms.voice.ice import _Socket
from rooms.voice.peer import SPEAKER_SILENT_SECONDS, Peer
from tests.rooms.voice.callers import Caller, until

ROOM = "a0e1d9bc-7b1b-4ca3-8f5d-3b0e9a1c2d3e"
LOW_HZ, HIGH_HZ, OTHER_HZ = 440, 1_000, 1_700


def candidate(desk: Desk, connection_id: str = "one", **more: Any) -> Caller:
    return Caller(desk, ROOM, Role.CANDIDATE, connection_id, **({"tone_hz": LOW_HZ} | more))


def interviewer(desk: Desk, connection_id: str = "two", **more: Any) -> Caller:
    return Caller(desk, ROOM, Role.INTERVIEWER, connection_id, **({"tone_hz": HIGH_HZ} | more))


def peers(desk: Desk) -> list[Peer]:
    return [line.peer for lines in desk._rooms.values() for line in lines.values() if line.peer]


# --- speaking and hearing -------------------------------------------------------------------------------


async def test_each_hears_the_other_and_nobody_themselves(desk: Desk) -> None:
    async with candidate(desk) as one, interviewer(desk) as two:
        await one.hears(HIGH_HZ)
        await two.hears(LOW_HZ)
        assert one.ears[0].share_of(LOW_HZ) < 0.01
        assert two.ears[0].share_of(HIGH_HZ) < 0.01


async def test_alone_there_is_nothing_to_hear(desk: Desk) -> None:
    async with candidate(desk) as one:
        (server,) = peers(desk)
        await until(lambda: server._incoming and server._incoming._received > 25)
        assert one.packets == []


async def test_rooms_do_not_hear_each_other(desk: Desk) -> None:
    async with (
        candidate(desk) as one,
        interviewer(desk) as two,
        Caller(desk, "another room", Role.INTERVIEWER, "three", tone_hz=OTHER_HZ) as three,
    ):
        await one.hears(HIGH_HZ)
        await two.hears(LOW_HZ)
        assert three.packets == []
        assert one.ears[0].share_of(OTHER_HZ) < 0.01


async def test_muted_means_silence_on_the_other_side(desk: Desk) -> None:
    async with candidate(desk) as one, interviewer(desk) as two:
        await two.hears(LOW_HZ)
        assert one.mouth
        one.mouth.muted = True
        await until(lambda: len(two.ears[0].samples) and max(map(abs, two.ears[0].samples[-4_800:])) < 50)
        await one.hears(HIGH_HZ)
        one.mouth.muted = False
        two.ears[0].forget()
        await two.hears(LOW_HZ)


async def test_who_comes_late_is_heard_without_a_new_offer(desk: Desk) -> None:
    async with candidate(desk, slots=2) as one, interviewer(desk) as two:
        await one.hears(HIGH_HZ)
        offer = one.offer
        observer = Caller(desk, ROOM, Role.OBSERVER, "three", tone_hz=OTHER_HZ, slots=2)
        async with observer:
            await observer.hears(LOW_HZ)
            await observer.hears(HIGH_HZ)
            observed = {packet.ssrc for packet in observer.packets}
            assert len(observed) == 2, "each voice comes in a place of its own"
            for person in (one, two):
                assert all(ear.share_of(OTHER_HZ) < 0.01 for ear in person.ears), "an observer only listens"
        assert one.offer == offer


async def test_who_comes_back_is_heard_again_in_the_same_place(desk: Desk) -> None:
    async with interviewer(desk) as two:
        for connection_id in ("first", "second"):
            async with candidate(desk, connection_id):
                two.ears[0].forget()
                await two.hears(LOW_HZ)
            await desk.hang_up(connection_id=connection_id)
        numbers = [packet.sequence_number for packet in two.packets]
        assert len({packet.ssrc for packet in two.packets}) == 1
        assert numbers == [(numbers[0] + place) & 0xFFFF for place in range(len(numbers))]


async def test_lost_packets_stay_gaps_and_the_voice_goes_on(desk: Desk) -> None:
    dice = random.Random(3)
    async with candidate(desk), interviewer(desk) as two:
        server = desk._rooms[ROOM][Role.CANDIDATE].peer
        assert server
        (socket_of_one,) = server._path._protocols
        assert isinstance(socket_of_one, _Socket)
        receive, lost = socket_of_one._on_sound, 0

        def lossy(datagram: bytes) -> None:
            nonlocal lost
            if dice.random() < 0.05 and two.packets:
                lost += 1
            else:
                receive(datagram)

        socket_of_one._on_sound = lossy
        await until(lambda: len(two.packets) > 150)
        numbers = [packet.sequence_number for packet in two.packets]
        missing = ((numbers[-1] - numbers[0]) & 0xFFFF) + 1 - len(numbers)
        assert 0 < missing <= lost
        two.ears[0].forget()
        await two.hears(LOW_HZ)


async def test_reports_come_with_our_name(desk: Desk) -> None:
    async with candidate(desk), interviewer(desk) as two:
        await two.hears(LOW_HZ)
        await until(lambda: any(isinstance(each, RtcpSrPacket) for each in two.reports))
        ssrc = two.packets[0].ssrc
        assert {each.ssrc for each in two.reports if isinstance(each, RtcpSrPacket)} == {ssrc}


# --- coming and going -----------------------------------------------------------------------------------


async def test_the_newest_connection_of_a_seat_speaks(desk: Desk) -> None:
    async with interviewer(desk) as two, candidate(desk, "old tab") as old:
        await two.hears(LOW_HZ)
        async with candidate(desk, "new tab", tone_hz=OTHER_HZ) as new:
            await until(lambda: old.pc.connectionState == "closed")
            two.ears[0].forget()
            await two.hears(OTHER_HZ)
            await new.hears(HIGH_HZ)
            assert len(peers(desk)) == 2

            again = candidate(desk, "old tab")
            with pytest.raises(errors.VoiceElsewhere):  # what a page does by itself
                await again.call()
            await again.leave()
            async with candidate(desk, "old tab"):  # what a person asks for
                two.ears[0].forget()
                await two.hears(LOW_HZ)


async def test_a_tab_may_come_back_once_the_newer_one_hung_up(desk: Desk) -> None:
    async with candidate(desk, "old tab"), candidate(desk, "new tab"):
        pass
    await desk.hang_up(connection_id="new tab")
    async with candidate(desk, "old tab"):
        assert len(peers(desk)) == 1


async def test_a_new_offer_of_the_same_connection_replaces_the_first(desk: Desk) -> None:
    async with candidate(desk, "one") as first, candidate(desk, "one"), interviewer(desk) as two:
        await until(lambda: first.pc.connectionState == "closed")
        await two.hears(LOW_HZ)
        assert len(peers(desk)) == 2


async def test_who_vanishes_is_noticed_within_six_seconds(desk: Desk) -> None:
    async with candidate(desk) as one, interviewer(desk) as two:
        await two.hears(LOW_HZ)
        await one.vanish()
        started_s = time.monotonic()
        await until(lambda: Role.CANDIDATE not in desk._rooms[ROOM])
        assert SPEAKER_SILENT_SECONDS - 0.5 < time.monotonic() - started_s < 6


async def test_who_never_comes_is_given_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "CONNECT_SECONDS", 0.3)
    one = candidate(desk)
    await desk.answer(room_id=ROOM, connection_id="one", role=Role.CANDIDATE, sdp=await one.make_offer())
    (waiting,) = peers(desk)
    await until(lambda: not desk._rooms)
    assert not waiting._path._protocols
    await one.leave()


async def test_who_hangs_up_over_there_is_gone_here(desk: Desk) -> None:
    async with candidate(desk):
        assert len(peers(desk)) == 1
    await until(lambda: not desk._rooms)


async def test_hanging_up_while_the_answer_is_made_leaves_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = candidate(desk)
    offer = await one.make_offer()
    before = open_sockets()
    gather, gathering, go_on = peer.Path.gather_candidates, asyncio.Event(), asyncio.Event()

    async def slowly(path: peer.Path) -> None:
        gathering.set()
        await go_on.wait()
        await gather(path)

    monkeypatch.setattr(peer.Path, "gather_candidates", slowly)
    answering = asyncio.create_task(
        desk.answer(room_id=ROOM, connection_id="one", role=Role.CANDIDATE, sdp=offer)
    )
    await gathering.wait()
    hanging_up = asyncio.create_task(desk.hang_up(connection_id="one"))
    await asyncio.sleep(0)
    go_on.set()
    await hanging_up
    with pytest.raises(errors.VoiceUnavailable):
        await answering
    assert desk._rooms == {}
    await until(lambda: open_sockets() == before)
    await one.leave()


async def test_a_socket_that_ends_while_its_offer_is_answered_leaves_nothing(desk: Desk) -> None:
    """Whoever waits for the answer may be cancelled at any step."""
    one = candidate(desk)
    offer = await one.make_offer()
    before = open_sockets()
    for steps in range(12):
        answering = asyncio.create_task(
            desk.answer(room_id=ROOM, connection_id="one", role=Role.CANDIDATE, sdp=offer)
        )
        for _ in range(steps):
            await asyncio.sleep(0)
        answering.cancel()
        await asyncio.wait([answering])
        await desk.hang_up(connection_id="one")
        assert desk._rooms == {}
        await until(lambda: open_sockets() == before)
    await one.leave()


async def test_closing_a_room_hangs_everybody_up_and_no_other_room(desk: Desk) -> None:
    other = Caller(desk, "another room", Role.CANDIDATE, "three", tone_hz=OTHER_HZ)
    async with candidate(desk) as one, interviewer(desk) as two, other:
        await desk.close_room(room_id=ROOM)
        await until(lambda: {one.pc.connectionState, two.pc.connectionState} == {"closed"})
        assert list(desk._rooms) == ["another room"]
        await desk.close_room(room_id="a room nobody is in")
        await desk.hang_up(connection_id="nobody")


# --- what is refused --------------------------------------------------------------------------------------


async def refusal(desk: Desk, offer: str, connection_id: str = "bad", role: Role = Role.CANDIDATE) -> str:
    with pytest.raises(errors.Refusal) as refused:
        await desk.answer(room_id=ROOM, connection_id=connection_id, role=role, sdp=offer)
    assert refused.value.sentence.endswith(".")
    return refused.value.code


async def test_a_bad_offer_is_refused_and_others_go_on(desk: Desk) -> None:
    async with candidate(desk) as one, interviewer(desk) as two:
        assert await refusal(desk, "") == "bad_offer"
        assert await refusal(desk, one.offer.replace("opus", "speex")) == "bad_offer"
        assert await refusal(desk, one.offer.replace("fingerprint:sha-", "fingerprint:md-")) == "bad_offer"
        assert len(peers(desk)) == 2
        await two.hears(LOW_HZ)


async def test_an_offer_that_lies_about_its_certificate_gets_no_sound(desk: Desk) -> None:
    def lie(offer: str) -> str:
        head, _, tail = offer.partition("a=fingerprint:sha-256 ")
        wrong = ":".join(["00"] * 32)
        tail = wrong + tail[len(wrong) :]
        return "\r\n".join(
            line for line in (head + "a=fingerprint:sha-256 " + tail).split("\r\n")
            if not line.startswith(("a=fingerprint:sha-384", "a=fingerprint:sha-512"))
        )  # fmt: skip

    liar = candidate(desk)
    answer = await desk.answer(
        room_id=ROOM, connection_id="one", role=Role.CANDIDATE, sdp=lie(await liar.make_offer())
    )
    from aiortc import RTCSessionDescription

    await liar.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await until(lambda: not desk._rooms)
    await liar.leave()


async def test_a_flood_of_offers_is_refused(desk: Desk) -> None:
    one = candidate(desk)
    offer = await one.make_offer()
    for _ in range(MAX_OFFERS):
        await desk.answer(room_id=ROOM, connection_id="one", role=Role.CANDIDATE, sdp=offer)
    assert await refusal(desk, offer, "one") == "too_many_offers"
    assert len(peers(desk)) == 1
    await one.leave()


async def test_a_room_holds_six(desk: Desk) -> None:
    one = candidate(desk)
    offer = await one.make_offer()
    for number in range(MAX_LINES_PER_ROOM):
        await desk.answer(room_id=ROOM, connection_id=f"o{number}", role=Role.OBSERVER, sdp=offer)
    assert await refusal(desk, offer, "o6", Role.OBSERVER) == "voice_full"
    await desk.hang_up(connection_id="o0")
    await desk.answer(room_id=ROOM, connection_id="o6", role=Role.OBSERVER, sdp=offer)
    await one.leave()


async def test_without_a_socket_voice_is_unavailable_and_nothing_stays() -> None:
    desk = Desk(Listening(("192.0.2.254",)))  # an address no machine has
    one = candidate(desk)
    assert await refusal(desk, await one.make_offer()) == "voice_unavailable"
    assert desk._rooms == {}
    await one.leave()


async def test_a_setting_that_makes_no_sense_is_logged_for_the_operator(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.VOICE_HOST = "voice.example"
    desk = Desk()
    one = candidate(desk)
    assert await refusal(desk, await one.make_offer()) == "voice_unavailable"
    assert "VOICE_HOST" in caplog.text
    assert desk._rooms == {}
    await one.leave()


async def test_datagrams_of_strangers_change_nothing(desk: Desk) -> None:
    async with candidate(desk), interviewer(desk) as two:
        await two.hears(LOW_HZ)
        server = desk._rooms[ROOM][Role.CANDIDATE].peer
        assert server
        port = server._path.local_candidates[0].port
        rough = random.Random(1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for _ in range(2_000):
                first = rough.choice([0, 1, 20, 22, 63, 64, 128, 144, 191, 255])
                stranger.sendto(bytes((first,)) + rough.randbytes(rough.randrange(60)), ("127.0.0.1", port))
                if rough.random() < 0.05:
                    await asyncio.sleep(0)
        heard_at_s = server._path.heard_at_s
        await until(lambda: server._path.heard_at_s > heard_at_s)
        assert server.connected
        numbers = Counter(packet.sequence_number for packet in two.packets)
        assert max(numbers.values()) == 1
        two.ears[0].forget()
        await two.hears(LOW_HZ)


# --- what each learns of the other ------------------------------------------------------------------------


async def test_nothing_planted_on_one_side_reaches_the_other(desk: Desk) -> None:
    planted = ["planted-cname", "planted-stream", "planted-track", "planted-session", "203.0.113.77"]

    def plant(offer: str) -> str:
        return (
            offer.replace("s=-", "s=planted-session")
            .replace("a=sendrecv", "a=sendrecv\r\na=msid:planted-stream planted-track")
            .replace("a=mid:", "a=candidate:9 1 udp 2130706431 203.0.113.77 7777 typ host\r\na=mid:", 1)
        )

    one, two = candidate(desk), interviewer(desk)
    one.pc._RTCPeerConnection__cname = "planted-cname"
    heard: list[bytes] = []
    await two.call()
    overhear_bytes(two, heard)
    await one.call(plant)
    assert "planted-cname" in one.offer
    await two.hears(LOW_HZ)
    await until(lambda: any(isinstance(each, RtcpSrPacket) for each in two.reports))
    server = desk._rooms[ROOM][Role.CANDIDATE].peer
    assert server
    assert {each.host for each in server._path.remote_candidates} == {"127.0.0.1"}, (
        "only where checks came from"
    )

    (speaker,) = [sender for sender in one.pc.getSenders() if sender.track]
    received = two.answer.encode() + b"".join(heard)
    assert len(heard) > 20
    for secret in (*planted, "two", "one", ROOM):
        assert secret.encode() not in received
    assert speaker._ssrc.to_bytes(4, "big") not in received
    names = {
        chunk.items[0][1] for each in two.reports if isinstance(each, RtcpSdesPacket) for chunk in each.chunks
    }
    assert all(len(name) == 16 and name in two.answer.encode() for name in names)
    mine, theirs = server_names(one.answer), server_names(two.answer)
    assert mine
    assert not mine & theirs, "no two browsers see the same name, SSRC or certificate"
    await one.leave()
    await two.leave()


def overhear_bytes(caller: Caller, heard: list[bytes]) -> None:
    """Everything the caller's browser decrypts, as bytes."""
    dtls = caller.pc.getReceivers()[0].transport
    rtp, rtcp = dtls._handle_rtp_data, dtls._handle_rtcp_data

    async def sound(data: bytes, arrival_time_ms: int) -> None:
        heard.append(data)
        await rtp(data, arrival_time_ms=arrival_time_ms)

    async def report(data: bytes) -> None:
        heard.append(data)
        await rtcp(data)

    dtls._handle_rtp_data, dtls._handle_rtcp_data = sound, report


def server_names(answer: str) -> set[str]:
    """What in an answer could tell that two of them belong together."""
    marked = ("o=", "a=msid:", "a=ssrc:", "a=fingerprint:", "a=ice-ufrag:", "a=ice-pwd:")
    return {line for line in answer.split("\r\n") if line.startswith(marked)}


async def test_only_chosen_addresses_are_announced(desk: Desk) -> None:
    one = candidate(desk)
    elsewhere = Desk(Listening(("127.0.0.1",), "198.51.100.9", range(42_000, 42_100)))
    answer = await elsewhere.answer(
        room_id=ROOM, connection_id="one", role=Role.CANDIDATE, sdp=await one.make_offer()
    )
    (line,) = [line.split() for line in answer.split("\r\n") if line.startswith("a=candidate:")]
    assert line[4] == "198.51.100.9"
    assert int(line[5]) in range(42_000, 42_100)
    assert "127.0.0.1" not in answer
    await elsewhere.close()
    await one.leave()


async def test_no_log_line_holds_an_address(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with candidate(desk) as one, interviewer(desk) as two:
        await two.hears(LOW_HZ)
        await one.vanish()
        await until(lambda: Role.CANDIDATE not in desk._rooms[ROOM])
    assert "a voice connection ended" in caplog.text
    assert "127.0.0.1" not in caplog.text


# --- nothing stays behind ---------------------------------------------------------------------------------


def open_sockets() -> int:
    return len([each for each in psutil.Process().net_connections("udp") if each.status == psutil.CONN_NONE])


async def test_thirty_joins_and_leaves_leave_nothing(desk: Desk) -> None:
    async def round_trip(number: int) -> None:
        async with candidate(desk, f"c{number}") as one, interviewer(desk, f"i{number}") as two:
            await until(lambda: one.packets and two.packets)
        await desk.hang_up(connection_id=f"c{number}")
        await desk.hang_up(connection_id=f"i{number}")

    # The callers encode in the loop's pool of threads, which grows when it pleases.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(max_workers=1))
    await round_trip(0)
    measured: dict[str, Callable[[], int]] = {
        "tasks": lambda: len(asyncio.all_tasks()),
        "threads": threading.active_count,
        "sockets": open_sockets,
        "files": lambda: len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0,
        "peers": lambda: gc.collect() * 0 + sum(isinstance(each, Peer) for each in gc.get_objects()),
    }
    await until(lambda: measured["peers"]() == 0)
    before = {name: measure() for name, measure in measured.items()}
    for number in range(1, 15):
        await round_trip(number)
    settled_by_s = time.monotonic() + 10
    while (after := {name: measure() for name, measure in measured.items()}) != before:
        left = {name: (before[name], count) for name, count in after.items() if count > before[name]}
        if not left:
            break
        assert time.monotonic() < settled_by_s, f"left behind (before, after): {left}"
        await asyncio.sleep(0.05)
    assert desk._rooms == {}
    assert desk._callers == {}
