"""What is in a room's log, and whether what people are told agrees with it. The referee.

It hears of each commit the moment it happens and keeps the room as the log tells it, by its own simple rules
for talk, board and phases and a Yjs document for the code. Everything a server lets out is held against that:
nothing may be shown or called saved that is not in the log at that moment, whatever dies next.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from pycrdt import Doc, Text, TransactionEvent

from rooms.live.board import wins
from rooms.live.entry import Entry
from rooms.live.gate import ROOT, Gate, Vector, read_vector
from rooms.live.lifecycle import Phase, may_move
from rooms.roles import Role
from rooms.streams import Stream
from rooms.wire import (
    Beat,
    ChooseLanguage,
    ClientMessage,
    Committed,
    Consent,
    Draw,
    Drawn,
    Edit,
    LanguageChosen,
    Move,
    Moved,
    Said,
    Say,
    ServerMessage,
    SyncStep1,
    SyncStep2,
    Welcome,
)

NOTHING = b"\x00\x00"


class Broken(AssertionError):
    """What the engine promises does not hold."""


class Ledger:
    """One room, as its log tells it."""

    def __init__(self, language: str) -> None:
        self.entries: list[Entry] = []
        self.doc: Doc[Text] = Doc()
        self.code = self.doc.get(ROOT, type=Text)
        self.lines: dict[int, tuple[str, str, str]] = {}
        self.keys: set[tuple[Role, str, str]] = set()
        """Seat, kind and key of what may count once."""
        self.elements: dict[str, dict[str, Any]] = {}
        self.drawn: set[tuple[str, int, int]] = set()
        self.languages = [language]
        self.phases = [Phase.SCHEDULED]
        self.consents: set[tuple[Role, bool]] = set()
        self._changes: list[bytes] = []
        self._subscription = self.doc.observe(self._see)

    def _see(self, event: TransactionEvent) -> None:
        if event.update != NOTHING:
            self._changes.append(event.update)

    @property
    def head(self) -> int:
        return len(self.entries)

    @property
    def language(self) -> str:
        return self.languages[-1]

    @property
    def phase(self) -> Phase:
        return self.phases[-1]

    # --- what is committed ----------------------------------------------------------------------------

    def commit(self, entry: Entry) -> None:
        """An entry has come into the log. Raises Broken when it should not have."""
        if entry.seq != self.head + 1:
            raise Broken(f"the log goes on with {entry.seq} behind {self.head}")
        if self.entries and entry.at_ms < self.entries[-1].at_ms:
            raise Broken(f"entry {entry.seq} is from {entry.at_ms} ms, the one before from later")
        if entry.stream is Stream.CODE:
            self._commit_code(entry)
        else:
            self._commit_event(entry, entry.event)
        self.entries.append(entry)

    def _commit_code(self, entry: Entry) -> None:
        new = _writers(entry.payload)
        known = read_vector(self.doc.get_state())
        if new and all(end <= known.get(client, 0) for client, end in new.items()):
            raise Broken(f"entry {entry.seq} writes code a second time")
        self.doc.apply_update(entry.payload)
        reached = read_vector(self.doc.get_state())
        if any(reached.get(client, 0) < end for client, end in new.items()):
            raise Broken(f"entry {entry.seq} builds on code that is not in the log")

    def _commit_event(self, entry: Entry, event: dict[str, Any]) -> None:
        if key := event.get("key"):
            self._count_once(entry, (entry.role, event["kind"], key))
        match event["kind"]:
            case "Say":
                self.lines[entry.seq] = (entry.role.word, event["key"], event["text"])
            case "Draw":
                for element in event["elements"]:
                    self._commit_element(entry, element)
            case "ChooseLanguage":
                self.languages.append(event["language"])
            case "Move":
                phase = Phase(event["phase"])
                if not may_move(entry.role, self.phase, phase):
                    raise Broken(f"the room went from {self.phase} to {phase} by the {entry.role.word}")
                self.phases.append(phase)
            case "Consent":
                self.consents.add((entry.role, event["recording"]))

    def _count_once(self, entry: Entry, key: tuple[Role, str, str]) -> None:
        if key in self.keys:
            raise Broken(f"entry {entry.seq} is in the log a second time: {entry.event}")
        self.keys.add(key)

    def _commit_element(self, entry: Entry, element: dict[str, Any]) -> None:
        kept = self.elements.get(element["id"])
        if kept is not None and not wins(element, kept):
            raise Broken(f"entry {entry.seq} draws {element['id']} with a version that is known")
        self.elements[element["id"]] = element
        self.drawn.add(_version(element))

    # --- what the log holds ---------------------------------------------------------------------------

    def holds(self, role: Role, message: ClientMessage) -> bool:  # noqa: PLR0911 - one flat table
        """Whether what this seat did is in the log, or needs no place there any more."""
        match message:
            case Edit(update) | SyncStep2(update):
                return self._holds_code(update)
            case Say(key, _):
                return (role, "Say", key) in self.keys
            case Draw(elements):
                return all(self._holds_element(element) for element in elements)
            case ChooseLanguage(language):
                return language in self.languages
            case Move(phase):
                return Phase(phase) in self.phases
            case Consent(recording):
                return not recording or (role, recording) in self.consents
        return True

    def _holds_code(self, update: bytes) -> bool:
        known = read_vector(self.doc.get_state())
        if any(end > known.get(client, 0) for client, end in _writers(update).items()):
            return False
        self._changes.clear()
        self.doc.apply_update(update)  # a deletion that is not in the log would show now
        return not self._changes

    def _holds_element(self, element: dict[str, Any]) -> bool:
        kept = self.elements.get(element["id"])
        return kept is not None and not wins(element, kept)

    # --- what is shown --------------------------------------------------------------------------------

    def check_shown(self, message: ServerMessage) -> None:
        """A server lets this out. Raises Broken when the log does not hold it."""
        if not self._may_show(message):
            raise Broken(f"shown, but not in the log (which ends at {self.head}): {str(message)[:300]}")

    def _may_show(self, message: ServerMessage) -> bool:  # noqa: PLR0911 - one flat table
        match message:
            case Edit(update) | SyncStep2(update):
                return self._holds_code(update)
            case SyncStep1(vector):
                known = read_vector(self.doc.get_state())
                return all(end <= known.get(client, 0) for client, end in read_vector(vector).items())
            case Said():
                return self._holds_line(message)
            case Drawn(seq, elements):
                return seq <= self.head and all(_version(element) in self.drawn for element in elements)
            case LanguageChosen(seq, _, _, language):
                return seq <= self.head and self._event(seq).get("language") == language
            case Moved(seq, _, _, phase):
                return seq <= self.head and self._event(seq).get("phase") == phase
            case Welcome():
                return (
                    message.seq <= self.head
                    and Phase(message.phase) in self.phases
                    and message.language in self.languages
                    and all(self._holds_line(Said(**line)) for line in message.lines)
                    and all(_version(element) in self.drawn for element in message.elements)
                )
            case Committed(_, seq, _) | Beat(seq, _):
                return seq <= self.head
        return True

    def _holds_line(self, line: Said) -> bool:
        return self.lines.get(line.seq) == (line.seat, line.key, line.text)

    def _event(self, seq: int) -> dict[str, Any]:
        return self.entries[seq - 1].event

    # --- in the end -----------------------------------------------------------------------------------

    def check_page(self, seen: dict[str, Any]) -> None:
        """A page that is up to date shows just what is in the log. Raises Broken."""
        lines = {line["seq"]: (line["seat"], line["key"], line["text"]) for line in seen["lines"]}
        mine = (
            str(self.code), self.lines, {_version(each) for each in self.elements.values()},
            self.phase.value, self.language, False,
        )  # fmt: skip
        theirs = (
            seen["text"], lines, {_version(each) for each in seen["elements"]},
            seen["phase"], seen["language"], seen["pending"],
        )  # fmt: skip
        names = ("code", "talk", "board", "phase", "language", "code that waits for other code")
        for name, is_so, shown in zip(names, mine, theirs, strict=True):
            if is_so != shown:
                raise Broken(f"{name}: the log says {is_so!r}, the page {shown!r}")

    def check_code_is_simple(self) -> None:
        """Nobody typed the same letter twice: each is a character of its own. Raises Broken."""
        twice = [letter for letter, count in Counter(str(self.code)).items() if count > 1]
        if twice:
            raise Broken(f"typed once and there twice: {twice}")


def _version(element: dict[str, Any]) -> tuple[str, int, int]:
    return element["id"], element["version"], element["versionNonce"]


def _writers(update: bytes) -> Vector:
    """The next clock of each clientID that this update writes under."""
    gate = Gate()
    gate.learn(Role.CANDIDATE, update)
    return gate.clocks
