"""WebSocket itself: what a server makes of bytes that a browser might send, and of bytes that none would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from anteroom.serving import Site
from rooms.roles import Role
from rooms.wire import MAX_FRAME_BYTES, Committed, Say
from tests.contract.wires import BINARY, CONTINUATION, PING, PONG, TEXT, Wire, frame
from tests.rooms.people import Pair, client_of

SAVED = bytes((Committed.kind,))


def headers(site: Site, pair: Pair, *more: tuple[str, str]) -> list[tuple[str, str]]:
    return [("Origin", site.url), ("Cookie", pair.candidate), *more]


def url_of(site: Site, pair: Pair) -> str:
    return f"{site.socket_url}/sockets/rooms/{pair.room_id}"


@asynccontextmanager
async def wire_of(site: Site, pair: Pair, *more: tuple[str, str]) -> AsyncIterator[Wire]:
    """The candidate's socket, welcomed."""
    async with await Wire.open(url_of(site, pair), headers(site, pair, *more)) as wire:
        assert " 101 " in wire.status
        await wire.until(BINARY, b"\x30")
        yield wire


def said(number: int) -> bytes:
    return Say(f"k{number}", f"line {number}").encode()


async def lines_of(site: Site, pair: Pair) -> list[str]:
    async with client_of(site, pair, Role.INTERVIEWER) as client:
        return [line.text for line in client.lines.values()]


# --- as TCP brings it -----------------------------------------------------------------------------------


async def test_many_frames_in_one_segment_are_all_taken_in_order(rooms_site: Site, pair: Pair) -> None:
    async with wire_of(rooms_site, pair) as wire:
        await wire.send(b"".join(frame(said(number)) for number in range(50)))
        await wire.until(BINARY, said_back(49))
    assert await lines_of(rooms_site, pair) == [f"line {number}" for number in range(50)]


async def test_one_frame_in_many_segments_is_one_message(rooms_site: Site, pair: Pair) -> None:
    async with wire_of(rooms_site, pair) as wire:
        for byte in frame(Say("k0", "in pieces" + " x" * 100).encode()):
            await wire.send(bytes((byte,)))
            await asyncio.sleep(0)
        await wire.until(BINARY, b"\x31")
    assert await lines_of(rooms_site, pair) == ["in pieces" + " x" * 100]


def said_back(number: int) -> bytes:
    """How the frame starts by which the room shows the line that `said` sends into an empty room."""
    return b'1{"seq":%d,' % (number + 2)  # behind the room's opening


# --- as the protocol allows -----------------------------------------------------------------------------


async def test_a_message_may_come_in_fragments_with_a_ping_between(rooms_site: Site, pair: Pair) -> None:
    message = Say("k0", "x" * 1000).encode()
    async with wire_of(rooms_site, pair) as wire:
        await wire.send(
            frame(message[:10], fin=False)
            + frame(b"are you there", PING)
            + frame(message[10:500], CONTINUATION, fin=False)
            + frame(message[500:], CONTINUATION)
        )
        assert await wire.until(PONG) == b"are you there"
        await wire.until(BINARY, b"\x31")
    assert await lines_of(rooms_site, pair) == ["x" * 1000]


async def test_browsers_may_wish_to_keep_the_connection(rooms_site: Site, pair: Pair) -> None:
    async with wire_of(rooms_site, pair, ("Connection", "keep-alive, Upgrade")) as wire:
        await wire.send(frame(said(0)))
        await wire.until(BINARY, b"\x31")


async def test_nothing_is_compressed(rooms_site: Site, pair: Pair) -> None:
    """Compression costs 300 kB a connection, and lengths would tell what was typed."""
    offer = ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")
    async with wire_of(rooms_site, pair, offer) as wire:
        assert "sec-websocket-extensions" not in wire.headers


async def test_a_goodbye_is_answered(rooms_site: Site, pair: Pair) -> None:
    async with wire_of(rooms_site, pair) as wire:
        await wire.send(frame((1000).to_bytes(2, "big"), 0x8))
        assert await wire.close_code() == 1000


# --- as it must not be ----------------------------------------------------------------------------------

WRONG: dict[str, tuple[bytes, tuple[int, ...]]] = {
    "text": (frame(b"hello", TEXT), (4400,)),
    "text in fragments": (frame(b"hel", TEXT, fin=False) + frame(b"lo", CONTINUATION), (4400,)),
    "an extension nobody agreed on": (frame(said(0), rsv=4), (1002,)),
    "a frame without a mask": (frame(said(0), masked=False), (1002,)),
    "an opcode that does not exist": (frame(b"", 0x3), (1002,)),
    "a ping in fragments": (frame(b"x", PING, fin=False), (1002,)),
    "a ping too long": (frame(b"x" * 126, PING), (1002,)),
    "the end of no message": (frame(b"x", CONTINUATION), (1002,)),
    "a message inside a message": (frame(b"x", fin=False) + frame(said(0)), (1002,)),
    "a message too long": (frame(b"\x00\x02" + bytes(MAX_FRAME_BYTES)), (1009,)),
    "a message too long in fragments": (
        frame(bytes(40_000), fin=False) + frame(bytes(40_000), CONTINUATION),
        (1009,),
    ),
    "a length of exabytes": (b"\x82\xff" + (1 << 62).to_bytes(8, "big") + bytes(4), (1009,)),
}


@pytest.mark.parametrize("name", WRONG)
async def test_what_breaks_the_protocol_ends_its_own_socket(rooms_site: Site, pair: Pair, name: str) -> None:
    data, codes = WRONG[name]
    async with client_of(rooms_site, pair, Role.INTERVIEWER) as other:
        async with wire_of(rooms_site, pair) as wire:
            await wire.send(data + frame(Say("late", "after the end").encode()))
            code = await wire.close_code()
        # granian, and Daphne where the length says enough, cut such a connection without a word.
        assert code in codes or (code == 0 and codes != (4400,))
        await other.say("still here")
        await other.until(lambda: other.lines, "the line")
        assert [line.text for line in other.lines.values()] == ["still here"], "nothing after the end counts"
