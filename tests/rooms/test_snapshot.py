"""A snapshot and the log behind it make the same room as the whole log; and it is only ever a shortcut."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from channels.db import database_sync_to_async
from pycrdt import Doc, Text

from rooms import held as holding
from rooms import keeper as keeping
from rooms.keeper import Keeper
from rooms.live import snapshot
from rooms.live.entry import Entry, write_event
from rooms.live.room import Facts, LiveRoom
from rooms.models import LogEntry
from rooms.models import Snapshot as SnapshotRow
from rooms.passes import admit
from rooms.roles import Role
from rooms.streams import Stream
from rooms.wire import Committed, Edit, Say, SyncStep1, SyncStep2, decode_from_server
from tests.rooms.inbox import Inbox
from tests.rooms.people import Pair, make_pair

DEADLINE_S = 20.0
FACTS = Facts("Two sums", "python", 3_600_000, 0, {Role.CANDIDATE: "Heron", Role.INTERVIEWER: "Fox"})
SHAPE = {
    "id": "box", "type": "rectangle", "x": 0, "y": 0, "width": 10, "height": 10,
    "version": 1, "versionNonce": 5, "isDeleted": False,
}  # fmt: skip


def a_log(seed: int, length: int = 60) -> list[Entry]:
    """Everything that can be in a log, in some order."""
    rng = random.Random(seed)
    docs: dict[Role, Doc[Text]] = {}
    made: list[bytes] = []
    for number, role in enumerate((Role.CANDIDATE, Role.INTERVIEWER)):
        docs[role] = Doc(client_id=10 + number)
        docs[role].get("code", type=Text)
        docs[role].observe(lambda event: made.append(event.update))
    log: list[Entry] = []
    for seq in range(1, length + 1):
        role = rng.choice((Role.CANDIDATE, Role.INTERVIEWER))
        events = {
            Stream.CHAT: write_event("Say", key=f"k{seq}", text="so 🙂"),
            Stream.BOARD: write_event("Draw", elements=[{**SHAPE, "id": f"e{seq % 5}", "version": seq}]),
            Stream.PRESENCE: write_event(rng.choice(("Came", "Left"))),
            Stream.LIFECYCLE: rng.choice(
                [
                    write_event("Move", phase="live"),
                    write_event("ChooseLanguage", language="go", key=f"c{seq}"),
                    write_event("Consent", recording=seq % 2 == 0),
                ]
            ),
        }
        stream = rng.choice([Stream.CODE, Stream.CODE, *events])
        payload = events.get(stream, b"")
        if stream is Stream.CODE:
            made.clear()
            text = docs[role].get("code", type=Text)
            if rng.random() < 0.3 and "ab" in str(text):
                at = len(str(text).split("ab")[0].encode())
                del text[at : at + 2]
            else:
                text.insert(0, rng.choice(("ab", "x", "🙂")))
            payload = made[0]
            for doc in docs.values():
                if doc is not docs[role]:
                    doc.apply_update(payload)
        log.append(Entry(seq, seq * 100, role, stream, payload))
    return log


def told(room: LiveRoom) -> dict[str, Any]:
    """All that a log says of a room."""
    document = room.document
    return {
        "seq": room.seq, "at_ms": room.at_ms, "phase": room.phase, "phase_at_ms": room.phase_at_ms,
        "live_at_ms": room.live_at_ms, "language": room.language, "consents": room.consents,
        "came": room.came, "choices": room.choices,
        "lines": room.chat.after(0), "elements": room.board.after(0),
        "some": room.board.after(room.seq // 2), "text": document.text, "vector": document.vector,
        "owners": document.owners, "halves": document.halves,
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
def test_a_snapshot_and_the_rest_are_the_whole_log(seed: int) -> None:
    log = a_log(seed)
    whole = told(LiveRoom.replay(log, FACTS))
    for at in range(0, len(log) + 1, 7):
        body = snapshot.write(LiveRoom.replay(log[:at], FACTS))
        room = snapshot.read(body, FACTS)
        for entry in log[at:]:
            room.take(entry)
        assert told(room) == whole


@pytest.mark.parametrize("body", [b"", b"\x05", b"\x02{}", b'\x0b{"version":0}', b"\xff\xff\xff"])
def test_what_is_no_snapshot_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(snapshot.Unreadable):
        snapshot.read(body, FACTS)


def test_a_torn_snapshot_is_said_to_be_none() -> None:
    body = snapshot.write(LiveRoom.replay(a_log(3), FACTS))
    for size in range(0, len(body) - 1, 9):
        with pytest.raises(snapshot.Unreadable):
            snapshot.read(body[:size], FACTS)


# --- in the keeper ------------------------------------------------------------------------------------


@pytest.fixture
async def keepers(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Keeper]]:
    monkeypatch.setattr(keeping, "SAVED_ALONE_WITHIN_S", 0)
    monkeypatch.setattr(holding, "SNAPSHOT_EVERY", 16)
    monkeypatch.setattr(holding, "SNAPSHOT_BEHIND", 5)
    made = [Keeper(window_ms=0, beat_s=60), Keeper(window_ms=0, beat_s=60)]
    yield made
    for keeper in made:
        await keeper.close()


async def come(keeper: Keeper, pair: Pair, role: Role = Role.CANDIDATE) -> Inbox:
    cookie = pair.candidate if role is Role.CANDIDATE else pair.interviewer
    name, _, value = cookie.partition("=")
    return await Inbox.enter(keeper, await database_sync_to_async(admit)({name: value}, str(pair.room_id)))


async def type_on(keeper: Keeper, inbox: Inbox, words: int, client_id: int) -> None:
    """Type so many words, each committed before the next."""
    doc: Doc[Text] = Doc(client_id=client_id)
    text = doc.get("code", type=Text)
    made: list[bytes] = []
    subscription = doc.observe(lambda event: made.append(event.update))
    async with asyncio.timeout(DEADLINE_S):
        for number in range(words):
            text.insert(0, f"{client_id}-{number} ")
            keeper.receive(inbox.held, inbox.socket, Edit(made[-1]))
            saved = -1
            while saved <= inbox.socket.told_saved - 1 or inbox.socket.told_saved < number + 1:
                for frame in await inbox.take():
                    message = decode_from_server(frame)
                    if isinstance(message, Committed):
                        saved = message.saved
    doc.unobserve(subscription)


async def code_of(keeper: Keeper, inbox: Inbox) -> str:
    """The code as a newcomer gets it."""
    keeper.receive(inbox.held, inbox.socket, SyncStep1(b"\x00"))
    async with asyncio.timeout(DEADLINE_S):
        while True:
            for frame in await inbox.take():
                message = decode_from_server(frame)
                if isinstance(message, SyncStep2):
                    doc: Doc[Text] = Doc()
                    doc.apply_update(message.update)
                    return str(doc.get("code", type=Text))


async def the_row(pair: Pair, behind: int) -> SnapshotRow:
    """The room's snapshot once it is behind this place."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            row = await SnapshotRow.objects.filter(room_id=pair.room_id, seq__gt=behind).afirst()
            if row:
                return row
            await asyncio.sleep(0.01)


@pytest.mark.django_db(transaction=True)
async def test_a_room_opens_from_its_snapshot(keepers: list[Keeper]) -> None:
    pair = await database_sync_to_async(make_pair)()
    inbox = await come(keepers[0], pair)
    await type_on(keepers[0], inbox, 50, client_id=5)
    row = await the_row(pair, 30)
    assert row.seq <= inbox.held.committed_seq - 5, "only what is long in the log"
    # What lies before it is not needed any more to open the room (playback alone reads it).
    await LogEntry.objects.filter(room_id=pair.room_id, seq__lte=row.seq).adelete()
    again = await come(keepers[1], pair)
    assert again.held.live.seq == inbox.held.live.seq
    assert await code_of(keepers[1], again) == inbox.held.live.document.text


@pytest.mark.django_db(transaction=True)
async def test_a_snapshot_nobody_can_read_costs_time_alone(keepers: list[Keeper]) -> None:
    pair = await database_sync_to_async(make_pair)()
    inbox = await come(keepers[0], pair)
    await type_on(keepers[0], inbox, 30, client_id=5)
    await the_row(pair, 0)
    await SnapshotRow.objects.filter(room_id=pair.room_id).aupdate(body=b'\x0d{"version":99}')
    again = await come(keepers[1], pair)
    assert told(again.held.live) == told(inbox.held.live)


@pytest.mark.django_db(transaction=True)
async def test_a_process_that_was_deaf_for_long_starts_over(keepers: list[Keeper]) -> None:
    """It cannot know what its pages lack of a state that is gone; they come back and ask."""
    pair = await database_sync_to_async(make_pair)()
    mine = await come(keepers[0], pair)
    mine.held._keeper._neighbours._layer = None  # deaf
    theirs = await come(keepers[1], pair, Role.INTERVIEWER)
    await type_on(keepers[1], theirs, 60, client_id=6)
    await the_row(pair, 20)
    keepers[0].receive(mine.held, mine.socket, Say("k", "hello?"))
    async with asyncio.timeout(DEADLINE_S):
        while await mine.take():
            pass
    assert mine.socket.closing is not None and mine.socket.closing.close_code == 1012
    assert not any(line.text == "hello?" for line in theirs.held.live.chat.after(0))
    again = await come(keepers[0], pair)
    assert await code_of(keepers[0], again) == theirs.held.live.document.text


@pytest.mark.django_db(transaction=True)
async def test_two_processes_that_write_at_once_meet_at_a_snapshot(keepers: list[Keeper]) -> None:
    pair = await database_sync_to_async(make_pair)()
    mine, theirs = await come(keepers[0], pair), await come(keepers[1], pair, Role.INTERVIEWER)
    await asyncio.gather(
        type_on(keepers[0], mine, 60, client_id=5), type_on(keepers[1], theirs, 60, client_id=6)
    )
    assert mine.socket.closing is None and theirs.socket.closing is None, "neither had to start over"
    async with asyncio.timeout(DEADLINE_S):
        while mine.held.committed_seq != theirs.held.committed_seq:
            for inbox in (mine, theirs):
                await inbox.held.catch_up()
    assert len(mine.held.live.document.text.split()) == 120
    assert told(mine.held.live) == told(theirs.held.live)
    assert (await the_row(pair, 0)).seq > 40


@pytest.mark.django_db(transaction=True)
async def test_who_had_to_read_a_long_log_spares_the_next(
    keepers: list[Keeper], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = await database_sync_to_async(make_pair)()
    inbox = await come(keepers[0], pair)
    await type_on(keepers[0], inbox, 30, client_id=5)
    await SnapshotRow.objects.filter(room_id=pair.room_id).adelete()
    monkeypatch.setattr(holding, "SNAPSHOT_OVERDUE", 10)
    again = await come(keepers[1], pair)
    assert (await the_row(pair, 0)).seq == again.held.committed_seq
