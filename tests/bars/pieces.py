"""Pieces of a recording, made ready to be typed into a bad network: each keystroke as the update it is.

What a recorded person typed depends on what they had seen of the other. So each keystroke is encoded before
it is sent, from two documents that exchange as the recording says, and goes out as soon as its writer's page
has what it builds on, however that came and whatever else came with it.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from pycrdt import Doc, Text, TransactionEvent

from rooms.client import Patch
from rooms.live.gate import ROOT, read_vector
from rooms.traces import Change, Trace

WRITERS = (101, 202)
"""The clientIDs: where both type at one place, the recording has the first one's words first."""


@dataclass(frozen=True, slots=True)
class Keystroke:
    """One edit, encoded; the other's clock up to which its writer must have theirs; and what was typed."""

    update: bytes
    needs: int
    patches: tuple[Patch, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """Both sides' keystrokes in order, and the text they end in."""

    sides: tuple[list[Keystroke], list[Keystroke]]
    end: str

    @property
    def keystrokes(self) -> int:
        return sum(map(len, self.sides))


class _Writer:
    """One side's document while it is being encoded."""

    def __init__(self, number: int) -> None:
        self.id = WRITERS[number]
        self.doc: Doc[Text] = Doc(client_id=self.id)
        self.text = self.doc.get(ROOT, type=Text)
        self.updates: list[bytes] = []
        self.typed: list[tuple[Patch, ...]] = []
        self.clocks: list[int] = [0]
        """After each of its keystrokes."""
        self.seen = 0
        self._made: list[bytes] = []
        self._subscription = self.doc.observe(self._remember)

    def see(self, other: _Writer, count: int) -> None:
        """Take the other's keystrokes up to so many."""
        for update in other.updates[self.seen : count]:
            self.doc.apply_update(update)
        self.seen = max(self.seen, count)

    def type(self, patches: tuple[Patch, ...]) -> None:
        self._made.clear()
        self.typed.append(patches)
        with self.doc.transaction():
            for position, deleted, inserted in patches:
                text = str(self.text)
                start = len(text[:position].encode())
                if deleted:
                    del self.text[start : start + len(text[position : position + deleted].encode())]
                if inserted:
                    self.text.insert(start, inserted)
        self.updates.append(self._made[0] if self._made else b"\x00\x00")
        self.clocks.append(read_vector(self.doc.get_state()).get(self.id, 0))

    def _remember(self, event: TransactionEvent) -> None:
        self._made.append(event.update)


def encode(start: str, sides: tuple[list[Change], list[Change]]) -> Piece:
    """The piece that these changes make of a text. The first side writes that text before all else."""
    writers = _Writer(0), _Writer(1)
    first = 1 if start else 0
    if start:
        writers[0].type(((0, 0, start),))
        writers[1].see(writers[0], 1)
    needs: tuple[list[int], list[int]] = ([0] * first, [])
    done = [0, 0]
    while True:
        moved = False
        for number in (0, 1):
            me, other = writers[number], writers[1 - number]
            ahead = first if number else 0  # of the other's keystrokes: the text before all else
            while done[number] < len(sides[number]):
                change = sides[number][done[number]]
                if change.sees > done[1 - number]:
                    break
                me.see(other, ahead + change.sees)
                me.type(change.patches)
                needs[number].append(other.clocks[ahead + change.sees])
                done[number] += 1
                moved = True
        if not moved:
            break
    if done != [len(side) for side in sides]:
        raise ValueError("the changes wait for each other")
    for number in (0, 1):
        writers[number].see(writers[1 - number], len(writers[1 - number].updates))
    if str(writers[0].text) != str(writers[1].text):
        raise ValueError("the two sides do not end in the same text")
    typed = tuple(
        list(map(Keystroke, writer.updates, needed, writer.typed))
        for writer, needed in zip(writers, needs, strict=True)
    )
    return Piece((typed[0], typed[1]), str(writers[0].text))


def cut(trace: Trace, keystrokes: int) -> list[Piece]:
    """The recording in pieces of at least so many keystrokes, cut where both sides had seen everything."""
    texts = _Texts(trace)
    places = [(0, 0), *_meetings(trace)]
    chosen = [places[0]]
    for place in places[1:]:
        if sum(place) - sum(chosen[-1]) >= keystrokes:
            chosen.append(place)
    return [encode(texts.at(start), _between(trace, start, end)) for start, end in pairwise(chosen)]


def whole(trace: Trace) -> Piece:
    """The recording from its beginning to its end."""
    return encode(trace.start, _between(trace, (0, 0), (len(trace.sides[0]), len(trace.sides[1]))))


def _between(trace: Trace, start: tuple[int, int], end: tuple[int, int]) -> tuple[list[Change], list[Change]]:
    def part(number: int) -> Iterator[Change]:
        for change in trace.sides[number][start[number] : end[number]]:
            yield Change(change.sees - start[1 - number], change.patches)

    return list(part(0)), list(part(1))


def _meetings(trace: Trace) -> list[tuple[int, int]]:
    """How much of either side was typed at the moments before which nothing is still unseen."""
    first, second = trace.sides
    found = []
    for typed, change in enumerate(first):
        if typed and (change.sees == len(second) or second[change.sees].sees >= typed):
            found.append((typed, change.sees))
    return found


class _Texts:
    """The text of a recording at its meetings, in one go from front to back."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._writers = _Writer(0), _Writer(1)
        self._done = [0, 0]
        if trace.start:
            raise ValueError("a recording that begins with a text is not known yet")

    def at(self, place: tuple[int, int]) -> str:
        """Places must not go back."""
        while self._done != list(place):
            for number in (0, 1):
                me, other = self._writers[number], self._writers[1 - number]
                side = self._trace.sides[number]
                upto = bisect.bisect_right(
                    side, self._done[1 - number], self._done[number], place[number],
                    key=lambda change: change.sees,
                )  # fmt: skip
                for change in side[self._done[number] : upto]:
                    me.see(other, change.sees)
                    me.type(change.patches)
                self._done[number] = upto
        for number in (0, 1):
            self._writers[number].see(self._writers[1 - number], self._done[1 - number])
        return str(self._writers[0].text)
