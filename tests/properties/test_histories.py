"""Random histories: people type, talk, draw, drop out and come back, commits lag behind, the server dies.

Whatever happens, everybody ends with the same room, the log alone makes that room again, nothing that was
called saved is missing, and nothing stands twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Doc, Text

from rooms.live import snapshot
from rooms.live.effects import Append, Close, Effect, Noted, Send, Show
from rooms.live.entry import Entry
from rooms.live.presence import Connection
from rooms.live.room import Facts, LiveRoom
from rooms.roles import Role
from rooms.wire import (
    ClientMessage,
    Draw,
    Drawn,
    Edit,
    Said,
    Say,
    ServerMessage,
    SyncStep1,
    SyncStep2,
    Welcome,
    decode_from_client,
    decode_from_server,
)

FACTS = Facts(
    "Two sums", "python", 3_600_000, 0, {Role.CANDIDATE: "Quiet Heron", Role.INTERVIEWER: "Amber Fox"}
)
ROLES = (Role.CANDIDATE, Role.INTERVIEWER, Role.CANDIDATE)
"""The third is a second tab of the candidate."""


@dataclass
class Page:
    """A browser's side: its document, what it was shown, and what is not saved yet."""

    number: int
    role: Role
    connection: Connection | None = None
    inbox: deque[bytes] = field(default_factory=deque)
    unsaved: deque[bytes] = field(default_factory=deque)
    lines: dict[int, str] = field(default_factory=dict)
    elements: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: int = 0

    def __post_init__(self) -> None:
        self.doc: Doc[Text] = Doc(client_id=100 + self.number)
        self.text = self.doc.get("code", type=Text)
        self._made: list[bytes] = []
        self._subscription = self.doc.observe(lambda event: self._made.append(event.update))

    def type(self, at: int, deleted: int, words: str) -> list[ClientMessage]:
        self._made.clear()
        length = len(self.text)
        start = at % (length + 1)
        end = min(length, start + deleted)
        with self.doc.transaction():
            if end > start:
                del self.text[start:end]
            if words:
                self.text.insert(start, words)
        return [Edit(update) for update in self._made]

    def read(self, message: ServerMessage) -> None:
        match message:
            case Edit(update) | SyncStep2(update):
                self.doc.apply_update(update)
            case Said():
                self.lines[message.seq] = message.text
            case Drawn(_, elements):
                self._keep(elements)
            case Welcome():
                self.lines |= {line["seq"]: line["text"] for line in message.lines}
                self._keep(message.elements)

    def _keep(self, elements: list[dict[str, Any]]) -> None:
        for element in elements:
            kept = self.elements.get(element["id"])
            if kept is None or (element["version"], -element["versionNonce"]) > (
                kept["version"], -kept["versionNonce"],
            ):  # fmt: skip
                self.elements[element["id"]] = element


class World:
    """A server and its pages, with every step in our hand."""

    def __init__(self) -> None:
        self.log: list[Entry] = []
        self.room = LiveRoom(FACTS)
        self.waiting: deque[Effect] = deque()
        self.pages = [Page(number, role) for number, role in enumerate(ROLES)]
        self.seen: set[int] = set()
        self.now_ms = 0

    def do(self, effects: list[Effect]) -> None:
        self.waiting += effects
        if not any(isinstance(effect, Append) for effect in self.waiting):
            self.commit()

    def commit(self) -> None:
        """Everything that waits is committed and carried out, in order."""
        while self.waiting:
            match self.waiting.popleft():
                case Append(entry, author, shown):
                    self.log.append(entry)
                    self._saved(author)
                    if shown is not None:
                        self._show(entry.seq, shown, author)
                case Show(seq, message, but):
                    self._show(seq, message, but)
                case Send(to, message):
                    self._tell(message, lambda there, to=to: there in to)
                case Noted(connection):
                    self._saved(connection)
                case Close(connection, refusal):
                    raise AssertionError(f"{refusal} closed {connection}")

    def _show(self, seq: int, message: ServerMessage, but: Connection | None) -> None:
        self.seen.add(seq)
        self._tell(message, lambda there: there is not but and there.after_seq < seq)

    def _tell(self, message: ServerMessage, is_for: Callable[[Connection], bool]) -> None:
        for page in self.pages:
            if page.connection is not None and is_for(page.connection):
                page.inbox.append(message.encode())

    def _saved(self, author: Connection | None) -> None:
        for page in self.pages:
            if author is not None and page.connection is author:
                page.unsaved.popleft()

    def send(self, page: Page, messages: list[ClientMessage]) -> None:
        for message in messages:
            page.unsaved.append(message.encode())
            if page.connection is not None:
                self.do(self.room.receive(page.connection, message, self.now_ms))

    def come(self, page: Page) -> None:
        if page.connection is None:
            page.inbox.clear()
            page.connection = Connection(f"{page.number}-{self.now_ms}", page.role)
            self.do(self.room.join(page.connection, self.now_ms))
            self.do(self.room.receive(page.connection, SyncStep1(page.doc.get_state()), self.now_ms))
            for frame in list(page.unsaved):
                self.do(self.room.receive(page.connection, decode_from_client(frame), self.now_ms))

    def go(self, page: Page) -> None:
        if page.connection is not None:
            self.do(self.room.leave(page.connection, self.now_ms))
            page.connection = None
            page.inbox.clear()

    def deliver(self, page: Page, count: int) -> None:
        while page.inbox and count:
            page.read(decode_from_server(page.inbox.popleft()))
            count -= 1

    def die(self) -> None:
        """kill -9: what was not committed is gone, and so is every connection."""
        self.waiting.clear()
        for page in self.pages:
            page.connection = None
            page.inbox.clear()
        self.room = from_snapshot(self.log, len(self.log) // 2)


def from_snapshot(log: list[Entry], at: int) -> LiveRoom:
    """As a process opens a room: a snapshot of some time ago, and the log behind it."""
    room = snapshot.read(snapshot.write(LiveRoom.replay(log[:at], FACTS)), FACTS)
    for entry in log[at:]:
        room.take(entry)
    return room


numbers = st.integers(0, 40)
actions = st.one_of(
    st.tuples(
        st.just("type"), st.integers(0, 2), numbers, st.integers(0, 4),
        st.text("ab\n🙂é", max_size=3),
    ),
    st.tuples(st.just("say"), st.integers(0, 2), numbers),
    st.tuples(st.just("draw"), st.integers(0, 2), st.integers(0, 2), st.integers(1, 5), st.integers(1, 5)),
    st.tuples(st.just("deliver"), st.integers(0, 2), st.integers(1, 5)),
    st.tuples(st.just("commit"), st.just(0)),
    st.tuples(st.just("go"), st.integers(0, 2)),
    st.tuples(st.just("come"), st.integers(0, 2)),
    st.tuples(st.just("die"), st.just(0)),
)  # fmt: skip


def act(world: World, action: tuple[Any, ...]) -> None:
    name, who, *rest = action
    page = world.pages[who]
    world.now_ms += 7
    match name:
        case "type":
            world.send(page, page.type(*_on_a_character(page, rest[0], rest[1]), rest[2]))
        case "say":
            page.keys += 1
            world.send(page, [Say(f"{who}-{page.keys}", f"line {rest[0]}")])
        case "draw":
            element = {
                "id": f"e{rest[0]}", "type": "ellipse", "x": who, "y": 0, "width": 1, "height": 1,
                "version": rest[1], "versionNonce": rest[2] * 3 + who, "isDeleted": False,
            }  # fmt: skip
            page._keep([element])
            world.send(page, [Draw([element])])
        case "deliver":
            world.deliver(page, rest[0])
        case "commit":
            world.commit()
        case "go":
            world.go(page)
        case "come":
            world.come(page)
        case "die":
            world.die()


def _on_a_character(page: Page, at: int, deleted: int) -> tuple[int, int]:
    """pycrdt counts bytes; nobody's cursor stands inside a character."""
    text = str(page.text)
    start = at % (len(text) + 1)
    end = min(len(text), start + deleted)
    first, last = len(text[:start].encode()), len(text[:end].encode())
    return first, last - first


@settings(max_examples=300, deadline=None)
@given(st.lists(actions, max_size=60))
def test_everybody_ends_with_the_same_room(history: list[tuple[Any, ...]]) -> None:
    world = World()
    for page in world.pages:
        world.come(page)
    for action in history:
        act(world, action)
    for page in world.pages:
        world.come(page)
    world.commit()
    for page in world.pages:
        world.deliver(page, 10_000)

    again = LiveRoom.replay(world.log, FACTS)
    assert world.seen <= {entry.seq for entry in world.log}, "somebody saw what is not in the log"
    assert [entry.seq for entry in world.log] == list(range(1, len(world.log) + 1))
    assert [entry.at_ms for entry in world.log] == sorted(entry.at_ms for entry in world.log)
    assert again.document.text == world.room.document.text
    assert again.document.vector == world.room.document.vector
    said = {line.seq: line.text for line in again.chat.after(0)}
    assert len(said) == sum(page.keys for page in world.pages), "each line once"
    for page in world.pages:
        assert not page.unsaved
        assert str(page.text) == again.document.text
        assert page.lines == said
        drawn = {
            key: (each["version"], each["versionNonce"], each["x"]) for key, each in page.elements.items()
        }
        assert drawn == {
            each["id"]: (each["version"], each["versionNonce"], each["x"]) for each in again.board.elements
        }
