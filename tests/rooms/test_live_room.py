"""The room as an object: messages in, effects out, on a clock of our own."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from pycrdt import Doc, Text

from rooms.errors import BadFrame, RoomEnded
from rooms.live import presence
from rooms.live.effects import Append, Close, Effect, Noted, Send, Show
from rooms.live.entry import Entry, write_event
from rooms.live.lifecycle import MOVES, NO_SHOW_MS, WRAP_UP_MS, Phase, due_move, may_move
from rooms.live.presence import CURSOR_GAP_MS, ELSEWHERE_MS, RENEW_MS, RETURN_MS, Connection
from rooms.live.room import LEFT_AFTER_MS, Facts, LiveRoom
from rooms.roles import PEOPLE, Role
from rooms.streams import Stream
from rooms.wire import (
    Awareness,
    ChooseLanguage,
    ClientMessage,
    Consent,
    Draw,
    Drawn,
    Edit,
    Microphone,
    Move,
    Moved,
    Present,
    Refused,
    Resume,
    Said,
    Say,
    SyncStep1,
    SyncStep2,
    Welcome,
    read_varint,
    write_varint,
)

CANDIDATE, INTERVIEWER, ROOM = Role.CANDIDATE, Role.INTERVIEWER, Role.ROOM
MINUTE_MS = 60_000
FACTS = Facts(
    title="Two sums",
    language="python",
    length_ms=60 * MINUTE_MS,
    starts_ms=0,
    masks={CANDIDATE: "Quiet Heron", INTERVIEWER: "Amber Fox"},
)
BOX = {
    "id": "box", "type": "rectangle", "x": 0, "y": 0, "width": 10, "height": 10,
    "version": 1, "versionNonce": 5, "isDeleted": False,
}  # fmt: skip


class Stage:
    """A room with its people, and everything that was appended to its log."""

    def __init__(self, facts: Facts = FACTS) -> None:
        self.room = LiveRoom(facts)
        self.log: list[Entry] = []
        self.candidate = Connection("c", CANDIDATE)
        self.interviewer = Connection("i", INTERVIEWER)

    def do(self, effects: list[Effect]) -> list[Effect]:
        self.log += [effect.entry for effect in effects if isinstance(effect, Append)]
        return effects

    def enter(self, now_ms: int = 0) -> None:
        self.do(self.room.join(self.candidate, now_ms))
        self.do(self.room.join(self.interviewer, now_ms))

    def send(self, connection: Connection, message: ClientMessage, now_ms: int = 1_000) -> list[Effect]:
        return self.do(self.room.receive(connection, message, now_ms))

    def point(self, now_ms: int = 5_000) -> list[Awareness]:
        return [frame for _, frame in self.room.point(now_ms)[0]]

    def start(self, now_ms: int = 0) -> None:
        self.enter(now_ms)
        self.send(self.candidate, Move("live"), now_ms)


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.enter()
    return stage


def shown(effects: list[Effect]) -> list[Any]:
    return [effect.message for effect in effects if isinstance(effect, Show)]


def sent(effects: list[Effect], kind: type) -> list[Any]:
    return [
        effect.message for effect in effects if isinstance(effect, Send) and isinstance(effect.message, kind)
    ]


def refusal(effects: list[Effect]) -> Refused:
    (message,) = sent(effects, Refused)
    return message  # type: ignore[no-any-return]


def typed(words: str, client_id: int = 1) -> bytes:
    doc: Doc[Text] = Doc(client_id=client_id)
    doc.get("code", type=Text).insert(0, words)
    return doc.get_update()


# --- coming in ----------------------------------------------------------------------------------------


def test_the_first_to_come_opens_the_room() -> None:
    stage = Stage()
    effects = stage.do(stage.room.join(stage.candidate, 0))
    assert [entry.payload for entry in stage.log] == [
        write_event("Move", phase="lobby", language="python"), write_event("Came"),
    ]  # fmt: skip
    assert [entry.role for entry in stage.log] == [ROOM, CANDIDATE]
    (welcome,) = sent(effects, Welcome)
    assert (welcome.seat, welcome.phase, welcome.seq, welcome.live_at_ms) == ("candidate", "lobby", 2, None)
    assert [seat["here"] for seat in welcome.seats] == [True, False]
    order = [type(effect.message) for effect in effects if isinstance(effect, Send)]
    assert order == [Welcome, SyncStep1]


def test_the_other_is_told_who_came_and_went(stage: Stage) -> None:
    effects = stage.room.leave(stage.interviewer, 500)
    (present,) = sent(effects, Present)
    assert [seat["here"] for seat in present.seats] == [True, False]
    assert not [effect for effect in effects if isinstance(effect, Append)]


def test_coming_twice_is_logged_once_and_leaving_only_after_a_while(stage: Stage) -> None:
    second_tab = Connection("c2", CANDIDATE)
    stage.do(stage.room.join(second_tab, 100))
    stage.do(stage.room.leave(stage.candidate, 200))
    stage.do(stage.room.leave(second_tab, 300))
    assert stage.room.tick(300 + LEFT_AFTER_MS - 1) == []
    before = len(stage.log)
    stage.do(stage.room.tick(300 + LEFT_AFTER_MS))
    assert [entry.event["kind"] for entry in stage.log[before:]] == ["Left"]
    assert [entry.event["kind"] for entry in stage.log].count("Came") == 2


def test_a_room_that_is_over_lets_nobody_in(stage: Stage) -> None:
    stage.room.take(
        Entry(stage.room.seq + 1, 5, ROOM, Stream.LIFECYCLE, write_event("Move", phase="cancelled"))
    )
    (close,) = stage.room.join(Connection("late", CANDIDATE), 10)
    assert isinstance(close, Close) and isinstance(close.refusal, RoomEnded)


def test_nothing_sent_names_a_person_or_another_seats_secrets(stage: Stage) -> None:
    (welcome,) = sent(stage.room.join(Connection("c3", CANDIDATE), 0), Welcome)
    assert all(seat.keys() == {"seat", "mask", "here", "recording", "microphone"} for seat in welcome.seats)


def test_another_processs_word_that_somebody_is_there_holds_for_a_while() -> None:
    stage = Stage()
    stage.do(stage.room.join(stage.candidate, 0))
    (present,) = sent(stage.room.hear(INTERVIEWER, "muted", 1_000), Present)
    assert (present.seats[1]["here"], present.seats[1]["microphone"]) == (True, "muted")
    assert stage.room.hear(INTERVIEWER, "muted", 5_000) == [], "nothing new"
    assert stage.room.tick(5_000 + ELSEWHERE_MS - 1) == []
    (present,) = sent(stage.room.tick(5_000 + ELSEWHERE_MS), Present)
    assert not present.seats[1]["here"]
    assert stage.room.tick(5_000 + ELSEWHERE_MS + 1) == []


# --- code ---------------------------------------------------------------------------------------------


def test_an_edit_is_appended_and_shown_to_the_others(stage: Stage) -> None:
    update = typed("hello")
    seq = stage.room.seq + 1
    assert stage.send(stage.candidate, Edit(update), 1_200) == [
        Append(Entry(seq, 1_200, CANDIDATE, Stream.CODE, update), stage.candidate, Edit(update)),
    ]


def test_an_edit_sent_again_needs_no_place_in_the_log(stage: Stage) -> None:
    stage.send(stage.candidate, Edit(typed("hello")))
    assert stage.send(stage.candidate, Edit(typed("hello"))) == [Noted(stage.candidate)]
    assert stage.send(stage.candidate, SyncStep2(typed("hello"))) == [Noted(stage.candidate)]


def test_a_late_client_gets_what_it_lacks(stage: Stage) -> None:
    stage.send(stage.candidate, Edit(typed("hello")))
    (answer,) = sent(stage.send(stage.interviewer, SyncStep1(b"\x00")), SyncStep2)
    copy: Doc[Text] = Doc()
    copy.get("code", type=Text)
    copy.apply_update(answer.update)
    assert str(copy["code"]) == "hello"


def test_a_bad_edit_closes_its_sender_alone(stage: Stage) -> None:
    (close,) = stage.send(stage.candidate, Edit(b"\x01\x02\x03"))
    assert isinstance(close, Close) and close.connection is stage.candidate
    assert isinstance(close.refusal, BadFrame)


def test_the_clock_never_goes_backwards(stage: Stage) -> None:
    stage.send(stage.candidate, Say("a", "first"), 5_000)
    stage.send(stage.interviewer, Say("b", "second"), 4_000)
    assert [entry.at_ms for entry in stage.log[-2:]] == [5_000, 5_000]


# --- talk, board, language, consent -------------------------------------------------------------------


def test_a_line_is_shown_to_all_in_its_place(stage: Stage) -> None:
    effects = stage.send(stage.candidate, Say("k", "hello"), 700)
    seq = stage.room.seq
    assert shown(effects) == [Said(seq, 700, "candidate", "k", "hello")]
    assert [effect.but for effect in effects if isinstance(effect, Show)] == [None]


def test_a_line_sent_again_is_said_once(stage: Stage) -> None:
    stage.send(stage.candidate, Say("k", "hello"))
    assert stage.send(stage.candidate, Say("k", "hello")) == [Noted(stage.candidate)]
    assert shown(stage.send(stage.interviewer, Say("k", "mine"))), "a key is its writer's own"


@pytest.mark.parametrize("line", [Say("k", ""), Say("k", " \n"), Say("k", "x" * 2_001), Say("", "x"),
                                  Say("k" * 65, "x"), Say("k", "\ud800"), Say("k", "a\x00b")])  # fmt: skip
def test_a_line_that_cannot_be_is_refused_with_its_key(stage: Stage, line: Say) -> None:
    effects = stage.send(stage.candidate, line)
    assert refusal(effects).code == "bad_line"
    assert refusal(effects).key == line.key
    assert effects[-1] == Noted(stage.candidate), "it counts as settled, or the page would send it for ever"


def test_the_newer_element_wins_and_the_older_author_learns_of_it(stage: Stage) -> None:
    stage.send(stage.candidate, Draw([{**BOX, "version": 2, "x": 20}]))
    effects = stage.send(stage.interviewer, Draw([BOX]))
    (drawn,) = sent(effects, Drawn)
    assert drawn.elements[0]["x"] == 20
    assert effects[0] == Noted(stage.interviewer)
    assert stage.room.board.elements[0]["x"] == 20


def test_a_language_is_one_of_the_list(stage: Stage) -> None:
    assert shown(stage.send(stage.candidate, ChooseLanguage("rust")))[0].language == "rust"
    assert stage.send(stage.candidate, ChooseLanguage("rust")) == [Noted(stage.candidate)]
    assert isinstance(stage.send(stage.candidate, ChooseLanguage("cobol"))[0], Close)


def test_consent_is_shown_and_can_be_withdrawn(stage: Stage) -> None:
    (present,) = shown(stage.send(stage.candidate, Consent(True)))
    assert [seat["recording"] for seat in present.seats] == [True, False]
    (present,) = shown(stage.send(stage.candidate, Consent(False)))
    assert [seat["recording"] for seat in present.seats] == [False, False]


def test_a_microphone_belongs_to_its_connection(stage: Stage) -> None:
    (present,) = sent(stage.send(stage.candidate, Microphone("on")), Present)
    assert [seat["microphone"] for seat in present.seats] == ["on", "off"]
    (present,) = sent(stage.room.leave(stage.candidate, 2_000), Present)
    assert [seat["microphone"] for seat in present.seats] == ["off", "off"]


def test_a_returning_client_gets_only_what_came_after(stage: Stage) -> None:
    stage.send(stage.candidate, Say("a", "one"))
    stage.send(stage.candidate, Draw([BOX]))
    seen = stage.room.seq
    stage.send(stage.candidate, Say("b", "two"))
    stage.send(stage.candidate, Draw([{**BOX, "id": "other"}]))
    (welcome,) = sent(stage.send(stage.interviewer, Resume(seen)), Welcome)
    assert [line["text"] for line in welcome.lines] == ["two"]
    assert [element["id"] for element in welcome.elements] == ["other"]
    (welcome,) = sent(stage.send(stage.interviewer, Resume(0)), Welcome)
    assert [line["text"] for line in welcome.lines] == ["one", "two"]


# --- phases -------------------------------------------------------------------------------------------


def test_an_interview_starts_once_both_are_here() -> None:
    stage = Stage()
    stage.do(stage.room.join(stage.candidate, 0))
    assert refusal(stage.send(stage.candidate, Move("live"))).code == "not_now"
    stage.do(stage.room.join(stage.interviewer, 10))
    (moved,) = shown(stage.send(stage.candidate, Move("live"), 2_000))
    assert moved == Moved(stage.room.seq, 2_000, "candidate", "live", 2_000, 2_000 + 60 * MINUTE_MS)


@pytest.mark.parametrize("role", [ROOM, *PEOPLE, Role.OBSERVER])
@pytest.mark.parametrize("now", Phase)
@pytest.mark.parametrize("to", Phase)
def test_only_the_table_moves_a_room(role: Role, now: Phase, to: Phase) -> None:
    assert may_move(role, now, to) == (role in MOVES.get((now, to), ()))


def test_nobody_moves_a_room_where_only_the_room_may(stage: Stage) -> None:
    assert refusal(stage.send(stage.candidate, Move("no_show"))).code == "not_now"
    assert refusal(stage.send(stage.candidate, Move("feedback"))).code == "not_now"
    assert isinstance(stage.send(stage.candidate, Move("nowhere"))[0], Close)


def test_the_time_is_up_then_goodbye_then_feedback() -> None:
    stage = Stage()
    stage.start(0)
    end = 60 * MINUTE_MS
    assert stage.room.tick(end - 1) == []
    stage.do(stage.room.tick(end))
    assert stage.room.phase is Phase.WRAP_UP
    assert stage.room.ends_at_ms == end + WRAP_UP_MS
    assert stage.room.tick(end + WRAP_UP_MS - 1) == []
    effects = stage.do(stage.room.tick(end + WRAP_UP_MS))
    assert stage.room.phase is Phase.FEEDBACK
    closed = {effect.connection for effect in effects if isinstance(effect, Close)}
    assert closed == {stage.candidate, stage.interviewer}


def test_what_is_written_after_the_end_is_refused_kindly() -> None:
    stage = Stage()
    stage.start()
    stage.send(stage.candidate, Move("wrap_up"))
    stage.send(stage.interviewer, Move("feedback"))
    for message in (Edit(typed("late")), Say("k", "late"), Draw([BOX]), ChooseLanguage("go"), Consent(True)):
        effects = stage.send(stage.candidate, message)
        assert refusal(effects).code == "room_ended"
        assert effects[-1] == Noted(stage.candidate)


def test_the_other_never_comes() -> None:
    stage = Stage(Facts("t", "python", 3_600_000, starts_ms=5 * MINUTE_MS, masks=FACTS.masks))
    stage.do(stage.room.join(stage.candidate, 0))
    due = 5 * MINUTE_MS + NO_SHOW_MS
    assert stage.room.tick(due - 1) == []
    stage.do(stage.room.tick(due))
    assert stage.room.phase is Phase.NO_SHOW


def test_waiting_counts_from_when_one_waits_and_survives_a_reload() -> None:
    stage = Stage()
    stage.do(stage.room.join(stage.candidate, 30 * MINUTE_MS))
    stage.room.leave(stage.candidate, 32 * MINUTE_MS)
    stage.do(stage.room.join(stage.candidate, 32 * MINUTE_MS + RETURN_MS // 2))
    assert stage.room.phase is Phase.LOBBY
    assert not any(isinstance(each, Show) for each in stage.room.tick(30 * MINUTE_MS + NO_SHOW_MS - 1))
    stage.do(stage.room.tick(30 * MINUTE_MS + NO_SHOW_MS))
    assert stage.room.phase is Phase.NO_SHOW


def test_one_who_loses_the_line_for_a_moment_is_no_no_show(stage: Stage) -> None:
    stage.room.leave(stage.interviewer, NO_SHOW_MS - 1)
    stage.do(stage.room.tick(NO_SHOW_MS + 5_000))
    assert stage.room.phase is Phase.LOBBY


def test_nothing_is_due_where_nothing_is_awaited() -> None:
    for phase in Phase:
        assert due_move(
            phase, 0, phase_at_ms=0, starts_ms=0, ends_ms=1, waiting_since_ms=None
        ) is None  # fmt: skip


# --- cursors ------------------------------------------------------------------------------------------


def cursor_frame(client: int, state: Any, clock: int = 1) -> Awareness:
    body = json.dumps(state).encode()
    return Awareness(
        write_varint(1) + write_varint(client) + write_varint(clock) + write_varint(len(body)) + body
    )


def read_cursors(frame: Awareness) -> dict[int, Any]:
    count, at = read_varint(frame.update, 0)
    found = {}
    for _ in range(count):
        client, at = read_varint(frame.update, at)
        _, at = read_varint(frame.update, at)
        size, at = read_varint(frame.update, at)
        found[client] = json.loads(frame.update[at : at + size])
        at += size
    assert at == len(frame.update)
    return found


PLACE = {"type": None, "tname": "code", "item": {"client": 1, "clock": 3}, "assoc": 0}


def test_a_cursor_is_shown_under_the_mask_whatever_its_owner_says(stage: Stage) -> None:
    told = {
        "user": {"name": "Ada Lovelace", "color": "red"}, "cursor": {"anchor": PLACE, "head": PLACE}, "x": 1
    }  # fmt: skip
    assert stage.send(stage.candidate, cursor_frame(77, told)) == [], (
        "it goes out with the next commit, or soon"
    )
    ((author, frame),) = stage.room.point(5_000)[0]
    assert author is stage.candidate, "everybody else sees it"
    state = read_cursors(frame)[77]
    assert state.keys() == {"user", "cursor"}
    assert (state["user"]["name"], state["user"]["seat"]) == ("Quiet Heron", "candidate")
    assert state["cursor"] == {"anchor": PLACE, "head": PLACE}


def test_nobody_moves_anothers_cursor(stage: Stage) -> None:
    stage.send(stage.candidate, cursor_frame(77, {"cursor": None}))
    stage.point()
    stage.send(stage.candidate, Edit(typed("hello", client_id=5)))
    for frame in (
        cursor_frame(77, {"cursor": None}),
        cursor_frame(5, {"cursor": None}),
        cursor_frame(77, None),
    ):
        assert stage.send(stage.interviewer, frame) == []
        assert stage.point() == []


def test_cursors_go_with_their_connection(stage: Stage) -> None:
    stage.send(stage.candidate, cursor_frame(77, {"cursor": None}))
    stage.room.leave(stage.candidate, 3_000)
    (gone,) = stage.point()
    assert read_cursors(gone) == {77: None}
    assert sent(stage.room.join(Connection("c9", CANDIDATE), 4_000), Awareness) == []


def test_a_page_that_comes_back_before_its_old_socket_is_dead_keeps_its_cursor(stage: Stage) -> None:
    stage.send(stage.candidate, cursor_frame(77, {"cursor": None}))
    again = Connection("again", CANDIDATE)
    stage.do(stage.room.join(again, 2_000))
    stage.send(again, cursor_frame(77, {"cursor": None}), 2_100)
    assert stage.point()
    stage.room.leave(stage.candidate, 3_000)
    assert stage.point() == []


def test_of_a_cursor_that_moves_fast_the_newest_is_shown_fifteen_times_a_second(stage: Stage) -> None:
    shown_at: list[int] = []
    for now_ms in range(10_000, 11_000, 5):
        place = {**PLACE, "item": {"client": 1, "clock": now_ms}}
        stage.send(stage.candidate, cursor_frame(77, {"cursor": {"anchor": place, "head": place}}), now_ms)
        for frame in stage.point(now_ms):
            shown_at.append(now_ms)
            assert read_cursors(frame)[77]["cursor"]["head"]["item"]["clock"] == now_ms
    assert 14 <= len(shown_at) <= 1 + 1_000 // CURSOR_GAP_MS
    assert stage.room.presence.unsaid, "the last one is not forgotten"
    assert stage.point(11_000 + CURSOR_GAP_MS) and not stage.room.presence.unsaid


def test_cursors_of_another_process_are_shown_repeated_and_forgotten(stage: Stage) -> None:
    other = Stage()
    other.enter()
    other.send(other.interviewer, cursor_frame(88, {"cursor": {"anchor": PLACE, "head": PLACE}}))
    _, states = other.room.point(2_000)
    stage.room.leave(stage.interviewer, 1_500)
    (shown_here,) = sent(stage.room.hear_cursors(states, 2_000), Awareness)
    assert read_cursors(shown_here)[88]["user"]["seat"] == "interviewer"
    assert stage.room.hear_cursors(states, 3_000) == [], "repeated, nothing new"
    assert stage.room.hear_cursors(states, 3_000 + RENEW_MS), "pages forget what is not renewed"
    assert other.room.presence.cursors_of([other.interviewer]) == states
    stage.room.tick(3_000 + RENEW_MS + ELSEWHERE_MS + 1)
    (gone,) = stage.point(60_000)
    assert read_cursors(gone) == {88: None}


def test_a_page_that_changes_its_process_keeps_its_cursor(stage: Stage) -> None:
    """The old process says that it is gone, after the new one has seen it come."""
    stage.send(stage.candidate, cursor_frame(77, {"cursor": None}))
    stage.point()
    assert stage.room.hear_cursors({77: "null"}, 2_000) == []
    (cursors,) = sent(stage.room.join(Connection("i2", INTERVIEWER), 2_000), Awareness)
    assert list(read_cursors(cursors)) == [77]


def test_a_newcomer_sees_the_cursors_of_those_here(stage: Stage) -> None:
    stage.send(stage.candidate, cursor_frame(77, {"cursor": {"anchor": PLACE, "head": PLACE}}))
    (cursors,) = sent(stage.room.join(Connection("i2", INTERVIEWER), 2_000), Awareness)
    assert list(read_cursors(cursors)) == [77]


@pytest.mark.parametrize("cursor", [
    1, {"anchor": PLACE}, {"anchor": PLACE, "head": "x"},
    {"anchor": PLACE, "head": {**PLACE, "tname": "notes"}},
    {"anchor": PLACE, "head": {**PLACE, "tname": []}}, {"anchor": PLACE, "head": {**PLACE, "item": [1]}},
    {"anchor": PLACE, "head": {**PLACE, "item": {"client": -1, "clock": 0}}},
    {"anchor": PLACE, "head": {**PLACE, "assoc": True}},
])  # fmt: skip
def test_another_editors_cursor_is_not_passed_on(stage: Stage, cursor: Any) -> None:
    stage.send(stage.candidate, cursor_frame(77, {"cursor": cursor}))
    (frame,) = stage.point()
    assert read_cursors(frame)[77]["cursor"] is None


def written_by_yjs(client: int, clock: int, state: object) -> bytes:
    """As JSON.stringify writes it: without a space."""
    body = json.dumps(state, separators=(",", ":")).encode()
    return write_varint(1) + write_varint(client) + write_varint(clock) + write_varint(len(body)) + body


def test_what_is_read_quickly_of_a_cursor_is_what_the_parser_reads() -> None:
    rng = random.Random(4)
    places = [
        {**PLACE, "item": item, "assoc": assoc, "tname": within}
        for item in (None, {"client": 7, "clock": 0}, {"client": (1 << 49) + 3, "clock": 99_999_999})
        for assoc in (0, -1)
        for within in (None, "code")
    ]
    quick = bent_quick = 0
    for anchor in places:
        for head in places:
            for user in ({}, {"user": {"name": "Ada 🙂", "color": "#123456"}}):
                frame = written_by_yjs(
                    3_000_000_000, 77, {**user, "cursor": {"anchor": anchor, "head": head}}
                )
                assert presence._read_ordinary(frame) == presence._read_awareness(frame) != []
                quick += 1
                for _ in range(30):
                    bent = bytearray(frame)
                    bent[rng.randrange(len(bent))] = rng.choice(b'0129{}[]",:-aN\x00\x80\xff')
                    try:
                        read = presence._read_awareness(bytes(bent))
                    except BadFrame:
                        continue  # within "user" it may be anything: nobody looks at that
                    if found := presence._read_ordinary(bytes(bent)):
                        assert found == read
                        bent_quick += 1
    assert quick == 288 and bent_quick > 500


@pytest.mark.parametrize("state", [[], 1, "x", {"cursor": None, "x": "y" * 5_000}])
def test_a_state_that_is_none_is_refused(stage: Stage, state: Any) -> None:
    (close,) = stage.send(stage.candidate, cursor_frame(77, state))
    assert isinstance(close, Close) and isinstance(close.refusal, BadFrame)


# --- the log is the room ------------------------------------------------------------------------------


def test_the_log_alone_makes_the_same_room(stage: Stage) -> None:
    stage.send(stage.candidate, Edit(typed("hello")))
    stage.send(stage.interviewer, Say("k", "hi"))
    stage.send(stage.candidate, Draw([BOX]))
    stage.send(stage.candidate, ChooseLanguage("go"))
    stage.send(stage.interviewer, Consent(True))
    stage.send(stage.interviewer, Move("live"), 9_000)
    again = LiveRoom.replay(stage.log, FACTS)
    live = stage.room
    assert again.document.text == live.document.text
    assert again.document.vector == live.document.vector
    assert (again.seq, again.at_ms, again.phase, again.live_at_ms) == (live.seq, 9_000, Phase.LIVE, 9_000)
    assert (again.language, again.consents) == ("go", {INTERVIEWER: True})
    assert again.chat.after(0) == live.chat.after(0)
    assert again.board.elements == live.board.elements


def test_a_choice_that_is_sent_again_counts_once(stage: Stage) -> None:
    """Its page was not told that it is saved, and somebody chose otherwise meanwhile."""
    given, chosen = Consent(True, "k1"), ChooseLanguage("go", "k2")
    stage.send(stage.candidate, given)
    stage.send(stage.candidate, chosen)
    stage.send(Connection("another tab", CANDIDATE), Consent(False, "k3"))
    stage.send(stage.interviewer, ChooseLanguage("rust", "k4"))
    for room in (stage.room, LiveRoom.replay(stage.log, FACTS)):
        for message in (given, chosen):
            assert room.receive(stage.candidate, message, 9_000) == [Noted(stage.candidate)]
        assert (room.consents[CANDIDATE], room.language) == (False, "rust")


def test_a_log_with_a_hole_is_no_log() -> None:
    with pytest.raises(ValueError, match="does not follow"):
        LiveRoom.replay([Entry(2, 0, ROOM, Stream.LIFECYCLE, write_event("Move", phase="lobby"))], FACTS)
