"""The readable transcript: what `transcript.py` returns, in words and pictures."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_safe

from rooms.board_svg import board_svg
from rooms.live.languages import BY_KEY
from rooms.live.lifecycle import Phase
from rooms.roles import Role
from rooms.selectors import seat_in
from rooms.timeline import (
    BoardCheckpoint,
    Came,
    CodeCheckpoint,
    Consented,
    Item,
    LanguageChosen,
    Left,
    Line,
    PhaseReached,
)
from rooms.transcript import Review, Transcript, transcript_for

FILTERS = (("talk", "Chat"), ("code", "Code"), ("board", "Board"), ("mark", "Events"), ("review", "Feedback"))
"""What one can show or hide, by the sort of a row."""

PHASE_WORDS = {
    Phase.LOBBY: "The room opened",
    Phase.LIVE: "The interview began",
    Phase.WRAP_UP: "Time to say goodbye",
    Phase.FEEDBACK: "The interview ended",
    Phase.REVEALED: "Both sides’ feedback was revealed",
    Phase.LAPSED: "The time for feedback was over",
    Phase.CANCELLED: "The interview was called off",
    Phase.NO_SHOW: "The other side did not come",
}
SHAPES = {
    "rectangle": ("rectangle", "rectangles"),
    "diamond": ("diamond", "diamonds"),
    "ellipse": ("ellipse", "ellipses"),
    "arrow": ("arrow", "arrows"),
    "line": ("line", "lines"),
    "freedraw": ("stroke", "strokes"),
    "text": ("text", "texts"),
    "frame": ("frame", "frames"),
}


@dataclass(frozen=True, slots=True)
class CodeRun:
    """Lines that follow each other and are all new or all old."""

    lines: list[str]
    is_new: bool

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@dataclass(frozen=True, slots=True)
class Change:
    """The code as it stands, and how many lines came and went."""

    runs: tuple[CodeRun, ...] = ()
    added: int = 0
    removed: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the page. `sort` says which part of the template draws it; the rest depends on it."""

    sort: str
    clock: str
    seat: str = ""
    mask: str = ""
    is_mine: bool = False
    words: str = ""
    item: Item | None = None
    change: Change = Change()
    picture: SafeString | str = ""
    is_last: bool = False


@login_required
@require_safe
def transcript_page(request: HttpRequest, room_id: uuid.UUID) -> HttpResponse:
    seat = seat_in(room_id=room_id, person=request.user)
    transcript = transcript_for(seat, may=lambda scope: True)
    rows = list(rows_of(transcript))
    counts = Counter(row.sort for row in rows)
    context = {
        "room": transcript.room,
        "phase": Phase(transcript.room.phase).label,
        "seats": [(each, Role(each.role).word, each.pk == seat.pk) for each in transcript.seats],
        "rows": rows,
        "filters": [(sort, label, counts[sort]) for sort, label in FILTERS if counts[sort]],
        "has_content": any(counts[sort] for sort in ("talk", "code", "board", "review")),
    }
    return render(request, "rooms/transcript.html", context)


def rows_of(transcript: Transcript) -> Iterator[Row]:
    """The rows of the page, in order."""
    masks = {Role(seat.role): seat.mask for seat in transcript.seats}
    mine = Role(transcript.seat.role)
    last = {type(item): item for item in transcript.items}
    code_before: list[str] = []
    for item in transcript.items:
        clock = clock_of(item.at_ms)
        match item:
            case Line(seat=seat, text=text):
                yield Row("talk", clock, seat.word, masks.get(seat, ""), seat is mine, text, item)
            case CodeCheckpoint(text=text):
                lines = lines_of(text)
                change, code_before = compare(code_before, lines), lines
                yield Row(
                    "code", clock, words=_code_words(item), mask=_masks(item.seats, masks), item=item,
                    seat=_seat(item.seats), change=change, is_last=item is last[CodeCheckpoint],
                )  # fmt: skip
            case BoardCheckpoint(elements=elements):
                words = board_words(item.counts)
                # board_svg escapes and checks everything that people wrote or chose.
                picture = mark_safe(board_svg(elements, label=f"The board: {words}"))
                yield Row(
                    "board", clock, words=words, mask=_masks(item.seats, masks), seat=_seat(item.seats),
                    item=item, picture=picture, is_last=item is last[BoardCheckpoint],
                )  # fmt: skip
            case Review(seat=seat):
                yield Row("review", clock, seat.word, masks.get(seat, ""), seat is mine, item=item)
            case _:
                yield Row("mark", clock, words=mark_words(item, masks), item=item)


def clock_of(at_ms: int) -> str:
    """The room's clock as people read it: 4:07, then 1:04:07, then day 3."""
    minutes, seconds = divmod(at_ms // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 24:
        return f"day {hours // 24 + 1}"
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def lines_of(text: str) -> list[str]:
    """The lines of the code; the end of the last line begins no other."""
    return text.removesuffix("\n").split("\n") if text else []


def compare(before: list[str], now: list[str]) -> Change:
    """What is different between two versions of the code, in time that grows with their lines alone.

    What both begin and end with is old. Of what is between, a line is new if it was not there, or not as
    often; a line that only moved is old. That is less than a real diff says and enough to see what was done:
    a diff takes time that grows with the square, and two people decide what stands in the lines.
    """
    start = _common(before, now)
    end = _common(before[start:][::-1], now[start:][::-1])
    left = Counter(before[start : len(before) - end])
    runs: list[CodeRun] = []
    added = 0
    for place, line in enumerate(now):
        is_new = start <= place < len(now) - end
        if is_new and left[line] > 0:
            left[line] -= 1
            is_new = False
        added += is_new
        if runs and runs[-1].is_new == is_new:
            runs[-1].lines.append(line)
        else:
            runs.append(CodeRun([line], is_new))
    return Change(tuple(runs), added, removed=left.total())


def _common(one: list[str], other: list[str]) -> int:
    """How many lines both begin with."""
    pairs = zip(one, other, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def board_words(counts: dict[str, int]) -> str:
    """What is on a board, such as "2 rectangles, 1 arrow"."""
    words = [f"{count} {SHAPES[kind][count != 1]}" for kind, count in counts.items() if kind in SHAPES]
    return ", ".join(words) or "nothing"


def mark_words(item: Item, masks: dict[Role, str]) -> str:
    """One sentence for what is neither said nor made."""
    who = masks.get(getattr(item, "seat", Role.ROOM), "The room")
    match item:
        case PhaseReached(phase=phase, seat=seat):
            words = PHASE_WORDS.get(Phase(phase), phase)
            return f"{words} ({who})" if seat in masks else words
        case LanguageChosen(language=language):
            words = f"switched to {_language(language)}"
        case Consented(recording=recording):
            words = "agreed to a recording" if recording else "does not agree to a recording any more"
        case Came():
            words = "came in"
        case Left():
            words = "went away"
        case _:
            raise TypeError(f"{item.kind} has no words")
    return f"{who} {words}"


def _code_words(item: CodeCheckpoint) -> str:
    count = len(lines_of(item.text))
    lines = f"{count} line" if count == 1 else f"{count} lines"
    return f"{_language(item.language)}, {lines}" if item.language else lines


def _language(key: str) -> str:
    return BY_KEY[key].name if key in BY_KEY else key


def _masks(seats: Iterable[Role], masks: dict[Role, str]) -> str:
    return " and ".join(masks[seat] for seat in seats if seat in masks)


def _seat(seats: tuple[Role, ...]) -> str:
    return seats[0].word if len(seats) == 1 else "both"
