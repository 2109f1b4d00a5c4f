"""Real typing as Yjs updates, made before anything is measured.

Every client of a room types the same recording by itself, under a clientID of its own, as two people do who
work in different parts of a file: an edit names characters of its own writer alone. So it is valid wherever
it arrives before, after or between those of the other side, and a server that refuses what it cannot place
gets the same bytes as one that takes everything.

The clientIDs are the same in all rooms, and so are the bytes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from pycrdt import Doc, Text, TextEvent, TransactionEvent

from rooms.bench.sync.updates import Run, Update, read_update, shifted, varint
from rooms.client import Patch
from rooms.traces import Change, Trace, read_trace

ROOT = Path(__file__).resolve().parents[3]
WHOLE = ROOT.parent / "shared" / "traces" / "friendsforever.json.gz"
"""The whole recording, where somebody put it beside the checkout."""
CUT = ROOT / "tests" / "traces" / "friendsforever-start.json.gz"
CLIENT_IDS = (1_402_653_331, 3_016_842_517)
"""As long as a browser's random ones."""
TEXT = "code"
CURSORS = 20_000
"""Cursor moves in stock per client; at five a second they last an hour."""


def find_trace() -> Path:
    """The recording to type: the whole one if it is there, else its beginning."""
    return WHOLE if WHOLE.exists() else CUT


def keystrokes(trace: Trace) -> list[tuple[Patch, ...]]:
    """What the recording's text went through, one edit after another, as if one person had typed it.

    Characters outside ASCII become question marks: then a position is an offset in every encoding.
    """
    if len(trace.sides) == 1:
        return [_plain(change) for change in trace.sides[0]]
    docs: list[Doc[Text]] = [Doc(client_id=number + 1) for number in range(2)]
    made: list[list[bytes]] = [[], []]
    whole: Doc[Text] = Doc(client_id=3)
    found: list[tuple[Patch, ...]] = []
    watched = whole.get(TEXT, type=Text)
    subscriptions = [
        doc.observe(lambda event, side=side: made[side].append(event.update)) for side, doc in enumerate(docs)
    ]
    watching = watched.observe(lambda event: found.append(_patches(event)))
    waiting = [deque(side) for side in trace.sides]
    seen = [0, 0]
    while any(waiting):
        for side, changes in enumerate(waiting):
            other = 1 - side
            while changes and changes[0].sees <= len(made[other]):
                change = changes.popleft()
                while seen[side] < change.sees:
                    with docs[side].transaction(origin="other"):
                        count = len(made[side])
                        docs[side].apply_update(made[other][seen[side]])
                    del made[side][count:]
                    seen[side] += 1
                _type(docs[side], _plain(change))
                whole.apply_update(made[side][-1])
    del subscriptions, watching
    return found


def _plain(change: Change) -> tuple[Patch, ...]:
    return tuple(
        (position, deleted, inserted.encode("ascii", "replace").decode())
        for position, deleted, inserted in change.patches
    )


def _patches(event: TextEvent) -> tuple[Patch, ...]:
    patches: list[Patch] = []
    at = 0
    for part in event.delta:  # type: ignore[attr-defined]
        if "retain" in part:
            at += part["retain"]
        elif "insert" in part:
            patches.append((at, 0, part["insert"]))
            at += len(part["insert"])
        else:
            patches.append((at, part["delete"], ""))
    return tuple(patches)


def _type(doc: Doc[Text], patches: tuple[Patch, ...]) -> None:
    text = doc.get(TEXT, type=Text)
    with doc.transaction():
        for position, deleted, inserted in patches:
            if deleted:
                del text[position : position + deleted]
            if inserted:
                text.insert(position, inserted)


@dataclass(frozen=True, slots=True)
class Mark:
    """By what an edit is known wherever it turns up: the last run it brings, else the first it deletes."""

    brings: Run | None
    deletes: Run | None


class Typing:
    """One client's endless typing: edit k and cursor move k, the same in every room."""

    def __init__(self, patches: list[tuple[Patch, ...]], side: int) -> None:
        """side: 0 or 1. Encodes the recording once; `reserve` makes it go on from its beginning."""
        self.client_id = CLIENT_IDS[side]
        self.updates: list[bytes] = []
        self._ends: list[int] = []
        self._deletions: dict[int, tuple[int, int]] = {}
        """Of edits that only delete, by the first clock they delete: how many, and which edit."""
        self._clock = 0
        doc: Doc[Text] = Doc(client_id=self.client_id)
        made: list[bytes] = []

        def remember(event: TransactionEvent) -> None:
            made.append(event.update)

        subscription = doc.observe(remember)
        for each in patches:
            _type(doc, each)
        del subscription
        self._once = [read_update(update) for update in made]
        for update, parsed in zip(made, self._once, strict=True):
            self._add(update, parsed, 0)
        self._length = self._clock
        self.cursors = [self._cursor(number) for number in range(CURSORS)]

    def reserve(self, count: int) -> None:
        """Have at least so many edits: the recording is typed again and again, where it left off."""
        while len(self.updates) < count:
            by = self._clock
            for parsed in self._once:
                self._add(shifted(parsed, self.client_id, by), parsed, by)

    def _add(self, update: bytes, parsed: Update, by: int) -> None:
        runs = parsed.inserted
        number = len(self.updates)
        if runs:
            self._clock = runs[-1][1] + runs[-1][2] + by
        else:
            _, clock, length = parsed.deletions[0]
            self._deletions[clock + by] = (length, number)
        self._ends.append(self._clock)
        self.updates.append(update)

    def _cursor(self, number: int) -> bytes:
        """The awareness update that an editor's binding sends when its caret moves."""
        position = f'{{"type":null,"tname":null,"item":{{"client":{self.client_id},"clock":0}},"assoc":0}}'
        state = (
            '{"user":{"name":"Quiet Heron","color":"#2f74d0","colorLight":"#2f74d033"},'
            f'"cursor":{{"anchor":{position},"head":{position}}}}}'
        ).encode()
        return b"\x01" + varint(self.client_id) + varint(number + 1) + varint(len(state)) + state

    def clock_after(self, count: int) -> int:
        """Where this client's clock stands after so many edits."""
        return self._ends[count - 1] if count else 0

    def mark(self, number: int) -> Mark:
        """What to look for when the fate of edit `number` is asked."""
        parsed = read_update(self.updates[number])
        runs = parsed.inserted
        return Mark(runs[-1] if runs else None, parsed.deletions[0] if parsed.deletions else None)

    def numbers_in(self, parsed: Update) -> list[int]:
        """Which of these edits an update holds, whole or merged with others."""
        found: list[int] = []
        for client, clock, length in parsed.inserted:
            if client == self.client_id:
                first = bisect_right(self._ends, clock)
                for number in range(first, bisect_right(self._ends, clock + length)):
                    if self._ends[number] > (self._ends[number - 1] if number else 0):
                        found.append(number)
        for client, clock, length in parsed.deletions:
            for start in range(clock, clock + length) if client == self.client_id else ():
                size, number = self._deletions.get(start, (length + 1, 0))
                if start + size <= clock + length:
                    found.append(number)
        return sorted(found)


def make_typing(path: Path) -> tuple[Typing, Typing]:
    """Both clients' typing of a recording. Raises NotATrace, OSError."""
    patches = keystrokes(read_trace(path))
    return Typing(patches, 0), Typing(patches, 1)
