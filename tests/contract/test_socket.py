"""The socket of a running server: what it lets in, what it says when it does not, and who is disturbed."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from channels.db import database_sync_to_async
from django.contrib.sessions.models import Session
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from accounts.models import Person
from anteroom.serving import Site
from rooms import log
from rooms.client import RoomClient
from rooms.live.lifecycle import Phase
from rooms.models import Room, Seat
from rooms.phases import move_room
from rooms.roles import Role
from rooms.wire import (
    MAX_FRAME_BYTES,
    AskAwareness,
    ChooseLanguage,
    Consent,
    Draw,
    Edit,
    Move,
    Refused,
    Resume,
    Say,
    SyncStep1,
)
from tests.rooms.people import Pair, client_of, make_pair

REVOKED_WITHIN_S = 2.5
"""Two seconds are promised; the rest is this machine's."""
BOX = {
    "id": "box", "type": "rectangle", "x": 0, "y": 0, "width": 10, "height": 10,
    "version": 1, "versionNonce": 5, "isDeleted": False,
}  # fmt: skip


@asynccontextmanager
async def both(site: Site, pair: Pair) -> AsyncIterator[tuple[RoomClient, RoomClient]]:
    candidate, interviewer = (client_of(site, pair, role) for role in (Role.CANDIDATE, Role.INTERVIEWER))
    async with candidate, interviewer:
        await candidate.until(lambda: all(seat["here"] for seat in candidate.seats), "both")
        yield candidate, interviewer


def closings(site: Site) -> list[str]:
    """The codes of sockets that the server says it closed, and of origins it refused."""
    lines = site.log_path.read_text(errors="replace").splitlines()
    return [line for line in lines if "a socket was" in line]


# --- the ordinary way ---------------------------------------------------------------------------------


async def test_two_people_share_code_talk_board_and_phases(rooms_site: Site, pair: Pair) -> None:
    async with both(rooms_site, pair) as (candidate, interviewer):
        await candidate.edit((0, 0, "print('🙂')\n"))
        await candidate.edit((7, 1, "é"))
        await interviewer.until(lambda: str(interviewer.text) == "print('é')\n", "the code")
        await candidate.say("hello")
        await interviewer.say("welcome")
        await candidate.send(Draw([BOX]))
        await candidate.send(ChooseLanguage("rust"))
        await interviewer.send(Consent(True))
        await candidate.send(Move("live"))
        for client in (candidate, interviewer):
            await client.until_saved()
            await client.until(
                lambda client=client: client.phase == "live" and len(client.lines) == 2, "it all"
            )
            assert {line.text for line in client.lines.values()} == {"hello", "welcome"}
            assert client.language == "rust"
            assert [seat["recording"] for seat in client.seats] == [False, True]
            assert not client.has_gap and not client.refusals
        assert candidate.lines == interviewer.lines, "one order for both"
        await interviewer.until(lambda: "box" in interviewer.elements, "the drawing")
    room = await Room.objects.aget(id=pair.room_id)
    assert (room.phase, room.language) == ("live", "rust")
    assert room.opened_at is not None and room.live_at is not None and room.live_at > room.opened_at
    assert await Seat.objects.filter(room=room, recording_consent=True).acount() == 1


async def test_a_newcomer_and_one_who_returns_get_everything(rooms_site: Site, pair: Pair) -> None:
    async with both(rooms_site, pair) as (candidate, interviewer):
        await candidate.edit((0, 0, "one"))
        await candidate.until_saved()
        interviewer.cut()
        await candidate.until(lambda: not candidate.seats[1]["here"], "the loss")
        await candidate.edit((3, 0, " two"))
        await candidate.say("still there?")
        await interviewer.connect()
        assert str(interviewer.text) == "one two"
        assert [line.text for line in interviewer.lines.values()] == ["still there?"]
        await candidate.until(lambda: candidate.seats[1]["here"], "the return")
    async with client_of(rooms_site, pair, Role.INTERVIEWER) as late:
        assert str(late.text) == "one two"
        assert late.welcome is not None and late.welcome.seq == late.seq


async def test_what_was_typed_without_a_connection_arrives(rooms_site: Site, pair: Pair) -> None:
    async with both(rooms_site, pair) as (candidate, interviewer):
        await candidate.edit((0, 0, "one"))
        await candidate.until_saved()
        candidate.cut()
        await candidate.until_closed()
        for patch in ((3, 0, " two"), (7, 0, " three")):
            with pytest.raises(ConnectionClosed):
                await candidate.edit(patch)
        await candidate.connect()
        await candidate.until_saved()
        await interviewer.until(lambda: str(interviewer.text) == "one two three", "what was typed")


async def test_a_second_tab_is_the_same_seat(rooms_site: Site, pair: Pair) -> None:
    async with both(rooms_site, pair) as (candidate, interviewer):
        async with client_of(rooms_site, pair, Role.CANDIDATE) as tab:
            await tab.edit((0, 0, "from the tab"))
            await candidate.until(lambda: str(candidate.text) == "from the tab", "the tab's edit")
        await candidate.edit((0, 0, "x"))
        await interviewer.until(lambda: str(interviewer.text) == "xfrom the tab", "both")
        assert interviewer.seats[0]["here"]


async def test_any_yjs_client_understands_the_first_frames(rooms_site: Site, pair: Pair) -> None:
    """y-websocket asks with sync step 1 and waits for step 2; what it does not know it skips."""
    url = f"{rooms_site.socket_url}/sockets/rooms/{pair.room_id}"
    headers = {"Cookie": pair.candidate, "Origin": rooms_site.url}
    async with connect(url, additional_headers=headers) as socket:
        await socket.send(SyncStep1(b"\x00").encode())
        await socket.send(AskAwareness().encode())
        kinds = []
        async with asyncio.timeout(5):
            while (0, 1) not in kinds:
                frame = await socket.recv()
                kinds.append((frame[0], frame[1]))
        assert kinds[0][0] == 48 and (0, 0) in kinds


# --- the door -----------------------------------------------------------------------------------------


async def refused(site: Site, room_id: object, cookie: str) -> tuple[int | None, str, Refused]:
    url = f"{site.socket_url}/sockets/rooms/{room_id}"
    client = RoomClient(url, cookie=cookie, origin=site.url)
    await client.connect(sync=False)
    code, reason = await client.until_closed()
    (said,) = client.received
    assert isinstance(said, Refused)
    assert said.sentence.startswith(reason) and reason
    return code, reason, said


async def test_an_unknown_room_and_somebody_elses_look_alike(rooms_site: Site, pair: Pair) -> None:
    other = await database_sync_to_async(make_pair)()
    before = len(closings(rooms_site))
    unknown = await refused(rooms_site, "0" * 8 + "-0000-4000-8000-" + "0" * 12, pair.candidate)
    foreign = await refused(rooms_site, other.room_id, pair.candidate)
    assert unknown == foreign
    assert (unknown[0], unknown[2].code) == (4404, "no_such_room")
    assert len(closings(rooms_site)) == before + 2


@pytest.mark.parametrize("cookie", ["", "sessionid=nonsense", "sessionid=" + "x" * 32])
async def test_nobody_comes_in_signed_out(rooms_site: Site, pair: Pair, cookie: str) -> None:
    code, _, said = await refused(rooms_site, pair.room_id, cookie)
    assert (code, said.code) == (4401, "signed_out")


async def test_a_room_that_is_over_says_so(rooms_site: Site, pair: Pair) -> None:
    await database_sync_to_async(move_room)(room_id=pair.room_id, to=Phase.CANCELLED)
    code, _, said = await refused(rooms_site, pair.room_id, pair.candidate)
    assert (code, said.code) == (4410, "room_ended")


@pytest.mark.parametrize("path", ["", "rooms/", "sockets/rooms/nonsense", "sockets/other"])
async def test_other_paths_are_answered(rooms_site: Site, pair: Pair, path: str) -> None:
    headers = {"Cookie": pair.candidate, "Origin": rooms_site.url}
    async with connect(f"{rooms_site.socket_url}/{path}", additional_headers=headers) as socket:
        await socket.recv()
        await socket.wait_closed()
        assert socket.close_code == 4404


@pytest.mark.parametrize(
    "origin", [None, "http://evil.example", "null", "https://{host}", "http://localhost:1"]
)
async def test_pages_of_other_origins_get_no_socket(rooms_site: Site, pair: Pair, origin: str | None) -> None:
    url = f"{rooms_site.socket_url}/sockets/rooms/{pair.room_id}"
    headers = {"Cookie": pair.candidate}
    if origin:
        headers["Origin"] = origin.format(host=rooms_site.url.split("//")[1])
    before = len(closings(rooms_site))
    with pytest.raises(InvalidStatus):
        await connect(url, additional_headers=headers)
    assert len(closings(rooms_site)) == before + 1


def test_a_clients_root_path_rewrites_no_links(rooms_site: Site) -> None:
    request = urllib.request.Request(f"{rooms_site.url}/api/schema", headers={"Daphne-Root-Path": "/evil"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert b"/evil" not in answer.read()


# --- bad input ----------------------------------------------------------------------------------------

BAD: dict[str, tuple[bytes | str, int, str]] = {
    "text": ("hello", 4400, "bad_frame"),
    "nothing": (b"", 4400, "bad_frame"),
    "noise": (b"\xde\xad\xbe\xef" * 20, 4400, "bad_frame"),
    "no edit": (Edit(b"\x01\x01\x07\x05\x04\x01\x04code\x01x\x00").encode(), 4400, "bad_frame"),
    "no JSON": (b"\x10{", 4400, "bad_frame"),
    "nested JSON": (b"\x11" + b'{"elements":' + b"[" * 30_000 + b"]" * 30_000 + b"}", 4400, "bad_frame"),
    "a number too long": (b"\x15" + b'{"after_seq":' + b"9" * 5_000 + b"}", 4400, "bad_frame"),
    "what only a server says": (Refused("x", "y").encode(), 4400, "bad_frame"),
    "too large": (b"\x00\x02" + bytes(MAX_FRAME_BYTES), 1009, "frame_too_large"),
}


@pytest.mark.parametrize("name", BAD)
async def test_bad_input_ends_its_own_socket_with_a_sentence(rooms_site: Site, pair: Pair, name: str) -> None:
    frame, wanted_code, wanted = BAD[name]
    async with both(rooms_site, pair) as (candidate, interviewer):
        await candidate.edit((0, 0, "kept"))
        await candidate.until_saved()
        before = len(closings(rooms_site))
        await candidate.send_raw(frame)
        code, reason = await candidate.until_closed()
        assert (code, candidate.refusals[-1].code) == (wanted_code, wanted)
        assert reason and candidate.refusals[-1].sentence.startswith(reason)
        assert len(closings(rooms_site)) == before + 1, "logged once"

        await interviewer.edit((4, 0, "!"))
        await interviewer.until_saved()
        assert str(interviewer.text) == "kept!" and not interviewer.has_gap
        await candidate.connect()
        assert str(candidate.text) == "kept!"


async def test_far_too_much_is_cut_off_by_the_server_itself(rooms_site: Site, pair: Pair) -> None:
    async with both(rooms_site, pair) as (candidate, interviewer):
        await candidate.send_raw(bytes(1024 * 1024))
        assert (await candidate.until_closed())[0] in (1009, 1006)
        await interviewer.edit((0, 0, "!"))
        await interviewer.until_saved()


async def test_an_expected_refusal_keeps_the_socket(rooms_site: Site, pair: Pair) -> None:
    async with both(rooms_site, pair) as (candidate, _):
        await candidate.send(Say("k1", ""))
        await candidate.send(Move("feedback"))
        await candidate.send(Draw([{**BOX, "type": "image"}]))
        await candidate.until_saved()
        assert [each.code for each in candidate.refusals] == ["bad_line", "not_now", "bad_drawing"]
        assert candidate.refusals[0].key == "k1"
        await candidate.say("still here")
        await candidate.until(lambda: candidate.lines, "the line")


async def test_logs_hold_no_addresses_no_names_and_no_words(rooms_site: Site, pair: Pair) -> None:
    async with both(rooms_site, pair) as (candidate, _):
        await candidate.say("a-very-private-line")
        await candidate.send_raw("a-very-private-frame")
        await candidate.until_closed()
    said = rooms_site.log_path.read_text()
    words = ["127.0.0.1", "a-very-private", str(pair.people[0].pk), str(pair.people[0].email), pair.candidate]
    assert not [word for word in words if word in said]


# --- the right to be here -----------------------------------------------------------------------------


def sign_out(pair: Pair) -> None:
    Session.objects.filter(session_key=pair.candidate.split("=")[1]).delete()


def sign_out_everywhere(pair: Pair) -> None:
    Person.objects.filter(pk=pair.people[0].pk).update(session_version=7)


def ban(pair: Pair) -> None:
    Person.objects.filter(pk=pair.people[0].pk).update(is_active=False)


def unseat(pair: Pair) -> None:
    Seat.objects.filter(room_id=pair.room_id, role=Role.CANDIDATE).update(person=None)


async def test_a_right_that_ends_closes_its_sockets(rooms_site: Site) -> None:
    async def end(revoke: Callable[[Pair], None]) -> None:
        await revoked(rooms_site, await database_sync_to_async(make_pair)(), revoke)

    await asyncio.gather(*map(end, (sign_out, sign_out_everywhere, ban, unseat)))


async def revoked(rooms_site: Site, pair: Pair, revoke: Callable[[Pair], None]) -> None:
    async with both(rooms_site, pair) as (candidate, interviewer):
        await database_sync_to_async(revoke)(pair)
        began = time.monotonic()
        code, _ = await candidate.until_closed()
        assert time.monotonic() - began < REVOKED_WITHIN_S
        assert (code, candidate.refusals[-1].code) == (4401, "signed_out")
        await interviewer.edit((0, 0, "alone now"))
        await interviewer.until_saved()
        again = client_of(rooms_site, pair, Role.CANDIDATE)
        await again.connect(sync=False)
        assert (await again.until_closed())[0] in (4401, 4404)


# --- the end ------------------------------------------------------------------------------------------


async def test_a_room_moved_by_another_process_closes_here(rooms_site: Site, pair: Pair) -> None:
    async with both(rooms_site, pair) as (candidate, interviewer):
        await candidate.edit((0, 0, "last words"))
        await candidate.until_saved()
        assert await database_sync_to_async(move_room)(room_id=pair.room_id, to=Phase.CANCELLED)
        assert not await database_sync_to_async(move_room)(room_id=pair.room_id, to=Phase.CANCELLED)
        for client in (candidate, interviewer):
            assert (await client.until_closed())[0] == 4410
            assert client.phase == "cancelled" and not client.has_gap


async def test_either_side_ends_it(rooms_site: Site, pair: Pair) -> None:
    async with both(rooms_site, pair) as (candidate, interviewer):
        for phase, mover in (("live", candidate), ("wrap_up", interviewer), ("feedback", candidate)):
            await mover.send(Move(phase))
            await interviewer.until(lambda phase=phase: interviewer.phase == phase, phase)
        assert (await candidate.until_closed())[0] == 4410
    room = await Room.objects.aget(id=pair.room_id)
    assert room.phase == "feedback" and room.ended_at is not None
    entries = await database_sync_to_async(log.entries)(pair.room_id)
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert [entry.at_ms for entry in entries] == sorted(entry.at_ms for entry in entries)
    moves = [json.loads(entry.payload)["phase"] for entry in entries if b'"Move"' in entry.payload]
    assert moves == ["lobby", "live", "wrap_up", "feedback"]


async def test_a_gap_is_healed_by_asking(rooms_site: Site, pair: Pair) -> None:
    async with both(rooms_site, pair) as (candidate, interviewer):
        await candidate.say("one")
        await interviewer.until(lambda: interviewer.seq in interviewer.lines, "one")
        seen = interviewer.seq
        await candidate.say("two")
        await interviewer.until(lambda: len(interviewer.lines) == 2, "two")
        interviewer.lines.clear()
        await interviewer.send(Resume(seen))
        await interviewer.until(lambda: interviewer.lines, "what came after")
        assert [line.text for line in interviewer.lines.values()] == ["two"]


async def test_a_long_document_reaches_whoever_comes_in(rooms_site: Site, pair: Pair) -> None:
    """A megabyte in one frame: what servers bound of what clients send must not bound what they are sent."""
    lines = "".join(f"{number:05d} {'x' * 50}\n" for number in range(1000))
    async with client_of(rooms_site, pair, Role.CANDIDATE) as candidate:
        for _ in range(18):
            await candidate.edit((len(str(candidate.text)), 0, lines))
        await candidate.until_saved()
        async with client_of(rooms_site, pair, Role.INTERVIEWER) as interviewer:
            assert str(interviewer.text) == lines * 18
