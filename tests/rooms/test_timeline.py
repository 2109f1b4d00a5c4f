"""The transcript and the room at a time, folded from hand-made logs."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from pycrdt import Doc, Text

from rooms.live.entry import Entry, write_event
from rooms.roles import Role
from rooms.streams import Stream
from rooms.timeline import (
    BoardCheckpoint,
    Came,
    CodeCheckpoint,
    Item,
    Line,
    PhaseReached,
    opening_language,
    room_at,
    transcript,
)

CANDIDATE, INTERVIEWER, ROOM = Role.CANDIDATE, Role.INTERVIEWER, Role.ROOM


@dataclass
class Log:
    """Writes a log as two people would."""

    entries: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._code = Text()
        self._doc: Doc[Any] = Doc({"code": self._code})
        self._doc.observe(lambda event: self._updates.append(event.update))
        self._updates: list[bytes] = []

    def put(self, at_ms: int, role: Role, stream: Stream, payload: bytes) -> None:
        self.entries.append(Entry(len(self.entries) + 1, at_ms, role, stream, payload))

    def tell(self, at_ms: int, role: Role, stream: Stream, kind: str, **said: Any) -> None:
        self.put(at_ms, role, stream, write_event(kind, **said))

    def say(self, at_ms: int, role: Role, text: str) -> None:
        self.tell(at_ms, role, Stream.CHAT, "Say", key=f"k{at_ms}", text=text)

    def move(self, at_ms: int, phase: str, role: Role = ROOM) -> None:
        self.tell(at_ms, role, Stream.LIFECYCLE, "Move", phase=phase)

    def draw(self, at_ms: int, role: Role, *elements: dict[str, Any]) -> None:
        self.tell(at_ms, role, Stream.BOARD, "Draw", elements=list(elements))

    def type(self, at_ms: int, role: Role, text: str, *, at: int | None = None) -> None:
        self._code.insert(len(self._code) if at is None else at, text)
        self._drain(at_ms, role)

    def erase(self, at_ms: int, role: Role, start: int, stop: int) -> None:
        del self._code[start:stop]
        self._drain(at_ms, role)

    def _drain(self, at_ms: int, role: Role) -> None:
        for update in self._updates:
            self.put(at_ms, role, Stream.CODE, update)
        self._updates.clear()

    def read(self) -> list[Item]:
        return transcript(self.entries, language="python")


def shape(id: str, version: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "id": id,
        "type": "rectangle",
        "version": version,
        "versionNonce": 1,
        "index": id,
        "isDeleted": False,
        **more,
    }


def test_an_empty_log_is_an_empty_transcript() -> None:
    assert transcript([], language="python") == []


def test_a_pause_in_typing_makes_a_checkpoint_with_its_writers() -> None:
    log = Log()
    log.type(1_000, CANDIDATE, "def f():\n")
    log.type(3_000, INTERVIEWER, "    ...\n")
    log.type(8_000, CANDIDATE, "f()\n")  # exactly five seconds later
    log.type(12_999, CANDIDATE, "f()\n")  # one millisecond short of it
    assert log.read() == [
        CodeCheckpoint(2, 3_000, (CANDIDATE, INTERVIEWER), "python", "def f():\n    ...\n"),
        CodeCheckpoint(4, 12_999, (CANDIDATE,), "python", "def f():\n    ...\nf()\nf()\n"),
    ]


def test_a_checkpoint_stands_where_its_last_change_stood() -> None:
    log = Log()
    log.type(1_000, CANDIDATE, "a")
    log.say(2_000, INTERVIEWER, "why a?")
    log.say(9_000, INTERVIEWER, "hello?")
    items = log.read()
    assert [item.kind for item in items] == ["code", "line", "line"]
    assert [item.seq for item in items] == [1, 2, 3]


def test_talk_alone_does_not_end_a_thought() -> None:
    log = Log()
    log.type(1_000, CANDIDATE, "a")
    log.say(2_000, INTERVIEWER, "b")
    log.type(3_000, CANDIDATE, "c")
    assert [item.kind for item in log.read()] == ["line", "code"]


def test_the_log_tells_in_which_language_a_room_was_opened() -> None:
    log = Log()
    assert opening_language(log.entries, "go") == "go"
    log.tell(0, ROOM, Stream.LIFECYCLE, "Move", phase="lobby", language="python")
    log.tell(9, CANDIDATE, Stream.LIFECYCLE, "ChooseLanguage", language="go")
    assert opening_language(log.entries, "go") == "python"


def test_a_change_of_phase_or_language_closes_what_was_written() -> None:
    log = Log()
    log.move(0, "lobby")
    log.type(1_000, CANDIDATE, "select 1")
    log.tell(1_500, INTERVIEWER, Stream.LIFECYCLE, "ChooseLanguage", language="sql")
    log.type(2_000, CANDIDATE, ";")
    log.move(2_500, "wrap_up", CANDIDATE)
    items = log.read()
    assert [item.kind for item in items] == ["phase", "code", "language", "code", "phase"]
    before, after = (item for item in items if isinstance(item, CodeCheckpoint))
    assert (before.language, before.text) == ("python", "select 1")
    assert (after.language, after.text) == ("sql", "select 1;")
    assert items[-1] == PhaseReached(5, 2_500, CANDIDATE, "wrap_up")


def test_deleted_text_is_not_in_the_transcript() -> None:
    log = Log()
    log.type(1_000, CANDIDATE, "x = 'my secret'\n")
    log.erase(2_000, CANDIDATE, 4, 15)
    log.type(2_500, CANDIDATE, "1", at=4)
    assert [item.text for item in log.read() if isinstance(item, CodeCheckpoint)] == ["x = 1\n"]


def test_what_was_typed_and_taken_back_leaves_no_checkpoint() -> None:
    log = Log()
    log.type(1_000, CANDIDATE, "oops")
    log.erase(2_000, CANDIDATE, 0, 4)
    assert log.read() == []


def test_the_board_appears_after_a_pause_and_at_the_end_without_deleted_shapes() -> None:
    log = Log()
    log.draw(1_000, CANDIDATE, shape("a", index="a1"), shape("b", index="a0", type="text"))
    log.draw(30_000, INTERVIEWER, shape("a", version=2, isDeleted=True))
    first, last = log.read()
    assert isinstance(first, BoardCheckpoint) and isinstance(last, BoardCheckpoint)
    assert [element["id"] for element in first.elements] == ["b", "a"]  # bottom to top
    assert first.counts == {"text": 1, "rectangle": 1}
    assert (first.seats, last.seats) == ((CANDIDATE,), (INTERVIEWER,))
    assert [element["id"] for element in last.elements] == ["b"]


def test_an_older_version_of_a_shape_never_wins() -> None:
    log = Log()
    log.draw(1_000, CANDIDATE, shape("a", version=5, x=1))
    log.draw(1_100, INTERVIEWER, shape("a", version=4, x=2))
    log.draw(1_200, INTERVIEWER, shape("a", version=5, x=3, versionNonce=9))
    (board,) = log.read()
    assert isinstance(board, BoardCheckpoint) and board.elements[0]["x"] == 1


def test_streams_and_kinds_it_does_not_know_say_nothing() -> None:
    """A later version may log notes for the interviewer alone; an older reader must not tell them."""
    log = Log()
    log.tell(1_000, INTERVIEWER, Stream.QUESTION, "Note", text="for my eyes only")
    log.tell(1_000, INTERVIEWER, Stream.CHAT, "Whisper", text="for my eyes only")
    log.tell(2_000, CANDIDATE, Stream.PRESENCE, "Came")
    assert log.read() == [Came(3, 2_000, CANDIDATE)]


def test_the_room_at_a_time() -> None:
    log = Log()
    log.tell(0, CANDIDATE, Stream.PRESENCE, "Came")
    log.move(100, "live")
    log.tell(150, CANDIDATE, Stream.LIFECYCLE, "Consent", recording=True)
    log.type(200, CANDIDATE, "one")
    log.say(300, INTERVIEWER, "hi")
    log.type(400, CANDIDATE, " two")
    log.draw(500, CANDIDATE, shape("a"))
    log.tell(600, CANDIDATE, Stream.PRESENCE, "Left")
    then = room_at(log.entries, 399, language="go")
    assert (then.code, then.phase, then.language, then.elements) == ("one", "live", "go", ())
    assert then.lines == [Line(5, 300, INTERVIEWER, "hi")]
    assert (then.here, then.recording) == ({CANDIDATE}, {CANDIDATE: True})
    end = room_at(log.entries, 10**9, language="go")
    assert (end.code, len(end.elements), end.here) == ("one two", 1, set())


def test_a_long_room_ends_with_its_code_and_in_order() -> None:
    """As many edits as a real session of two people (26,000), with pauses; order and final text hold."""
    dice = random.Random(26)
    log = Log()
    at_ms = 0
    for number in range(26_000):
        at_ms += 6_000 if number % 400 == 399 else dice.randint(20, 300)
        role = dice.choice((CANDIDATE, INTERVIEWER))
        length = len(log._code)
        if length > 3_000 and dice.random() < 0.6:
            start = dice.randrange(length - 4)
            log.erase(at_ms, role, start, start + 3)
        else:
            log.type(at_ms, role, dice.choice("abc \n"), at=dice.randint(0, length))
    items = log.read()
    code = [item for item in items if isinstance(item, CodeCheckpoint)]
    assert code[-1].text == str(log._code)
    assert len(code) == 66  # one per pause, one at the end
    assert [item.seq for item in items] == sorted(item.seq for item in items)
