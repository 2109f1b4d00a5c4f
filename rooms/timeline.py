"""The room at any time, and what happened in it in order: both folded from the log, nothing else.

Plain functions over log entries; no database. Deleted text and deleted shapes are in the log but not here:
a checkpoint shows what stood there at its moment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pycrdt import Doc, Text

from rooms.live.board import Board, Element
from rooms.live.entry import Entry
from rooms.live.gate import ROOT
from rooms.roles import Role
from rooms.streams import Stream

CODE_PAUSE_MS = 5_000
"""Nobody typed for so long: a thought is finished, so the code as it stands is worth a checkpoint."""
BOARD_PAUSE_MS = 20_000
"""Drawing comes in strokes with longer breaks between them, and a whole board is large."""


# --- what the transcript consists of ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Item:
    """One thing in a transcript. seq and at_ms place it; at_ms is the room's clock."""

    seq: int
    at_ms: int
    kind: ClassVar[str]


@dataclass(frozen=True, slots=True)
class Line(Item):
    """A line of chat."""

    seat: Role
    text: str
    kind = "line"


@dataclass(frozen=True, slots=True)
class CodeCheckpoint(Item):
    """The code as it stood; `seats` are those who typed since the checkpoint before."""

    seats: tuple[Role, ...]
    language: str | None
    text: str
    kind = "code"


@dataclass(frozen=True, slots=True)
class BoardCheckpoint(Item):
    """The board as it stood: its elements bottom to top; `seats` are those who drew since the one before."""

    seats: tuple[Role, ...]
    elements: tuple[Element, ...]
    kind = "board"

    @property
    def counts(self) -> dict[str, int]:
        """How many elements of each type."""
        return dict(Counter(str(element["type"]) for element in self.elements))


@dataclass(frozen=True, slots=True)
class PhaseReached(Item):
    """The room came to another phase; `seat` moved it."""

    seat: Role
    phase: str
    kind = "phase"


@dataclass(frozen=True, slots=True)
class LanguageChosen(Item):
    """The code is written in this language from now on."""

    seat: Role
    language: str
    kind = "language"


@dataclass(frozen=True, slots=True)
class Consented(Item):
    """This side allowed a recording of its voice, or took that back."""

    seat: Role
    recording: bool
    kind = "consent"


@dataclass(frozen=True, slots=True)
class Came(Item):
    """This side entered."""

    seat: Role
    kind = "came"


@dataclass(frozen=True, slots=True)
class Left(Item):
    """This side went or lost its connection."""

    seat: Role
    kind = "left"


# --- the room at a time -------------------------------------------------------------------------------

_SAID: dict[tuple[Stream, str], Callable[[int, int, Role, dict[str, Any]], Item]] = {
    (Stream.CHAT, "Say"): lambda seq, at_ms, role, said: Line(seq, at_ms, role, said["text"]),
    (Stream.LIFECYCLE, "Move"): lambda seq, at_ms, role, said: PhaseReached(seq, at_ms, role, said["phase"]),
    (Stream.LIFECYCLE, "ChooseLanguage"): lambda seq, at_ms, role, said: LanguageChosen(
        seq, at_ms, role, said["language"]
    ),
    (Stream.LIFECYCLE, "Consent"): lambda seq, at_ms, role, said: Consented(
        seq, at_ms, role, said["recording"]
    ),
    (Stream.PRESENCE, "Came"): lambda seq, at_ms, role, said: Came(seq, at_ms, role),
    (Stream.PRESENCE, "Left"): lambda seq, at_ms, role, said: Left(seq, at_ms, role),
}
"""What may be read out of the log. A stream or kind that is not here says nothing: what a later version logs
for one side alone must not leak through an older reader."""


@dataclass(slots=True)
class Moment:
    """The state of a room after some entries of its log. language: None while the log does not tell it."""

    language: str | None
    phase: str = "scheduled"
    lines: list[Line] = field(default_factory=list)
    here: set[Role] = field(default_factory=set)
    recording: dict[Role, bool] = field(default_factory=dict)
    _board: Board = field(default_factory=Board)
    _code: Text = field(default_factory=Text)
    _document: Doc[Any] = field(default_factory=Doc)

    def __post_init__(self) -> None:
        self._document[ROOT] = self._code

    @property
    def code(self) -> str:
        return str(self._code)

    @property
    def elements(self) -> tuple[Element, ...]:
        """What is on the board, bottom to top."""
        return tuple(element for element in self._board.elements if not element["isDeleted"])

    def apply(self, entry: Entry) -> Item | None:
        """Take one more entry in. Returns what it says by itself; an edit or a stroke says nothing alone."""
        if entry.stream == Stream.CODE:
            self._document.apply_update(entry.payload)
            return None
        said = entry.event
        if entry.stream == Stream.BOARD:
            if said["kind"] == "Draw":
                self._board.take(entry.seq, said["elements"])
            return None
        told = _SAID.get((entry.stream, said["kind"]))
        if told is None:
            return None
        item = told(entry.seq, entry.at_ms, entry.role, said)
        self._take(item)
        return item

    def _take(self, item: Item) -> None:
        match item:
            case Line():
                self.lines.append(item)
            case PhaseReached(phase=phase):
                self.phase = phase
            case LanguageChosen(language=language):
                self.language = language
            case Consented(seat=seat, recording=recording):
                self.recording[seat] = recording
            case Came(seat=seat):
                self.here.add(seat)
            case Left(seat=seat):
                self.here.discard(seat)


def opening_language(entries: Iterable[Entry], language: str) -> str:
    """The language a room was opened with: what its first phase says, or the one it has while nobody came."""
    first = next((entry.event for entry in entries if entry.stream == Stream.LIFECYCLE), {})
    return str(first["language"]) if first.get("kind") == "Move" and "language" in first else language


def room_at(entries: Iterable[Entry], at_ms: int, *, language: str | None) -> Moment:
    """The room as it was at this time of its clock. language: the one it was opened with, if known."""
    moment = Moment(language)
    for entry in entries:
        if entry.at_ms > at_ms:
            break
        moment.apply(entry)
    return moment


# --- the merged transcript ----------------------------------------------------------------------------


@dataclass(slots=True)
class _Track:
    """A stream that appears as checkpoints, and its changes since the last of them."""

    stream: Stream
    pause_ms: int
    read: Callable[[Moment], Any]
    item: Callable[[tuple[int, int, tuple[Role, ...]], Any, Moment], Item]
    shown: Any
    last: Entry | None = None
    seats: set[Role] = field(default_factory=set)

    def note(self, entry: Entry) -> None:
        self.last = entry
        self.seats.add(entry.role)

    def is_paused(self, now_ms: int) -> bool:
        return self.last is not None and now_ms - self.last.at_ms >= self.pause_ms

    def close(self, moment: Moment) -> Iterator[Item]:
        """The checkpoint, if something is different from the one before."""
        if self.last is None:
            return
        standing = self.read(moment)
        if standing != self.shown:
            self.shown = standing
            place = (self.last.seq, self.last.at_ms, tuple(sorted(self.seats)))
            yield self.item(place, standing, moment)
        self.last, self.seats = None, set()


def transcript(entries: Iterable[Entry], *, language: str | None) -> list[Item]:
    """Everything that happened, in the order of the log.

    Code and board appear as checkpoints: after a pause, before a change of phase, language or consent, and at
    the end. A checkpoint stands where its last change stood.
    language: the one the room was opened with, if known.
    """
    return sorted(_walk(entries, Moment(language)), key=lambda item: item.seq)


def _walk(entries: Iterable[Entry], moment: Moment) -> Iterator[Item]:
    """Items in nearly the order of the log: that a checkpoint is due shows a little after its place."""
    tracks = (
        _Track(
            Stream.CODE, CODE_PAUSE_MS, lambda now: now.code,
            lambda place, text, now: CodeCheckpoint(*place, now.language, text),
            shown="",
        ),
        _Track(
            Stream.BOARD, BOARD_PAUSE_MS, lambda now: now.elements,
            lambda place, elements, now: BoardCheckpoint(*place, elements),
            shown=(),
        ),
    )  # fmt: skip
    for entry in entries:
        for track in tracks:
            if entry.stream == Stream.LIFECYCLE or track.is_paused(entry.at_ms):
                yield from track.close(moment)
            if entry.stream == track.stream:
                track.note(entry)
        item = moment.apply(entry)
        if item:
            yield item
    for track in tracks:
        yield from track.close(moment)
