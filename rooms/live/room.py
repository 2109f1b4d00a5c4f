"""The room as an object: a message goes in, effects come out; time is an argument.

It knows no database, socket or event loop. What `receive` decides is provisional until its Append is
committed; whoever holds the room can make it again from the log and ask it to decide anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from anteroom.errors import Refusal
from rooms.errors import BadFrame, CodeTooLong, NotNow, RoomEnded
from rooms.live.board import Board
from rooms.live.chat import Chat
from rooms.live.document import Document
from rooms.live.effects import Append, Close, Effect, Noted, Send, Show
from rooms.live.entry import Entry, write_event
from rooms.live.languages import BY_KEY
from rooms.live.lifecycle import WRAP_UP_MS, Phase, due_move, may_move
from rooms.live.presence import MICROPHONE_STATES, Connection, MayGo, Presence, Said, at_once
from rooms.roles import PEOPLE, Role
from rooms.streams import Stream
from rooms.wire import (
    MAX_KEY_CHARACTERS,
    AskAwareness,
    Awareness,
    ChooseLanguage,
    ClientMessage,
    Consent,
    Draw,
    Drawn,
    Edit,
    LanguageChosen,
    Microphone,
    Move,
    Moved,
    Present,
    Refused,
    Resume,
    Say,
    ServerMessage,
    SyncStep1,
    SyncStep2,
    Welcome,
)

LEFT_AFTER_MS = 10_000
"""Gone for so long means left; less is a reload or a bad connection and not worth a line in the log."""

MAX_CHOICES = 5_000
"""Of language and consent; more is no person."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a room is before anything happens in it."""

    title: str
    language: str
    length_ms: int
    starts_ms: int
    """When it is to start, on the room's clock: negative when people came late."""
    masks: dict[Role, str]


class LiveRoom:
    """One interview while it happens: code, talk, board, phases, and who is here."""

    def __init__(self, facts: Facts, presence: Presence | None = None) -> None:
        self.facts = facts
        self.presence = presence or Presence(facts.masks)
        self.document = Document()
        self.board = Board()
        self.chat = Chat()
        self.seq = 0
        self.at_ms = 0
        self.phase = Phase.SCHEDULED
        self.phase_at_ms = 0
        self.live_at_ms: int | None = None
        self.language = facts.language
        self.consents: dict[Role, bool] = {}
        self.choices: set[str] = set()
        """Keys of the choices that were made."""
        self.came: set[Role] = set()
        """Who entered and has not left, as the log tells it."""

    @classmethod
    def replay(cls, entries: Iterable[Entry], facts: Facts, presence: Presence | None = None) -> LiveRoom:
        """The room as its log tells it. presence: who is here, when a room is made again around them."""
        room = cls(facts, presence)
        for entry in entries:
            room.take(entry)
        return room

    @property
    def ends_at_ms(self) -> int | None:
        """When the phase ends by itself, on the room's clock: the interview, or the goodbye. None before."""
        if self.phase is Phase.WRAP_UP:
            return self.phase_at_ms + WRAP_UP_MS
        return None if self.live_at_ms is None else self.live_at_ms + self.facts.length_ms

    # --- the log --------------------------------------------------------------------------------------

    def take(self, entry: Entry) -> list[Effect]:
        """Make an entry of the log true here; what the people here see of it."""
        if entry.stream is Stream.CODE:
            self.document.replay(entry.role, entry.payload)
        return self._follow(entry)

    def _follow(self, entry: Entry, author: Connection | None = None) -> list[Effect]:
        """Everything an entry changes but the document, and what is shown of it."""
        if entry.seq != self.seq + 1:
            raise ValueError(f"entry {entry.seq} does not follow {self.seq}")
        self.seq = entry.seq
        self.at_ms = max(self.at_ms, entry.at_ms)
        if entry.stream is Stream.CODE:
            return [Show(entry.seq, Edit(entry.payload), author)]
        event = entry.event
        effects: list[Effect] = []
        match event["kind"]:
            case "Say":
                effects.append(Show(entry.seq, self.chat.take(entry)))
            case "Draw":
                self.board.take(entry.seq, event["elements"])
                effects.append(Show(entry.seq, Drawn(entry.seq, event["elements"]), author))
            case "ChooseLanguage":
                self._remember(event)
                self.language = event["language"]
                chosen = LanguageChosen(entry.seq, entry.at_ms, entry.role.word, self.language)
                effects.append(Show(entry.seq, chosen))
            case "Move":
                effects = self._follow_move(entry, Phase(event["phase"]))
            case "Consent":
                self._remember(event)
                self.consents[entry.role] = event["recording"]
                effects.append(Show(entry.seq, self._present(entry.at_ms)))
            case "Came":
                self.came.add(entry.role)
            case "Left":
                self.came.discard(entry.role)
        return effects

    def _remember(self, choice: dict[str, Any]) -> None:
        if key := choice.get("key"):
            self.choices.add(key)

    def _follow_move(self, entry: Entry, phase: Phase) -> list[Effect]:
        self.phase, self.phase_at_ms = phase, entry.at_ms
        if phase is Phase.LIVE:
            self.live_at_ms = entry.at_ms
        moved = Moved(entry.seq, entry.at_ms, entry.role.word, phase.value, self.live_at_ms, self.ends_at_ms)
        effects: list[Effect] = [Show(entry.seq, moved)]
        if not phase.is_open:
            effects += [Close(each, RoomEnded()) for each in self.presence.connections]
        return effects

    def _append(
        self, role: Role, stream: Stream, payload: bytes, now_ms: int, author: Connection | None = None
    ) -> list[Effect]:
        entry = Entry(self.seq + 1, max(now_ms, self.at_ms), role, stream, payload)
        return [Append(entry, author), *self._follow(entry, author)]

    # --- people ---------------------------------------------------------------------------------------

    def join(self, connection: Connection, now_ms: int) -> list[Effect]:
        """A socket of a seat opens: the room to it, its coming to the others."""
        if not self.phase.is_open:
            return [Close(connection, RoomEnded())]
        now_ms = max(now_ms, self.at_ms)
        effects: list[Effect] = []
        if self.phase is Phase.SCHEDULED:
            # With the language, since the log tells only its changes and the row only the last.
            lobby = write_event("Move", phase=Phase.LOBBY.value, language=self.language)
            effects += self._append(Role.ROOM, Stream.LIFECYCLE, lobby, now_ms)
        self.presence.join(connection, now_ms)
        if connection.role not in self.came:
            effects += self._append(connection.role, Stream.PRESENCE, write_event("Came"), now_ms)
        connection.after_seq = self.seq
        effects += [
            Send((connection,), self._welcome(connection, 0, now_ms)),
            Send((connection,), SyncStep1(self.document.vector)),
        ]
        if cursors := self.presence.everybody(now_ms, connection):
            effects.append(Send((connection,), cursors))
        effects += self._tell_others(connection, self._present(now_ms))
        return effects

    def leave(self, connection: Connection, now_ms: int) -> list[Effect]:
        """A socket is gone."""
        if connection not in self.presence.connections:
            return []
        self.presence.leave(connection, now_ms)
        return self._tell_all(self._present(now_ms))

    def hear(self, role: Role, microphone: str, now_ms: int) -> list[Effect]:
        """Another process says that this seat is taken there."""
        changed = self.presence.hear(role, microphone, now_ms)
        return self._tell_all(self._present(now_ms)) if changed else []

    def point(self, now_ms: int, may_go: MayGo = at_once) -> Said:
        """The cursors that moved; ask when something goes out anyway, or soon. may_go: see Presence.say."""
        return self.presence.say(max(now_ms, self.at_ms), may_go)

    def hear_cursors(self, states: dict[int, str], now_ms: int) -> list[Effect]:
        """Another process says where its people's cursors stand."""
        frame = self.presence.hear_cursors(states, max(now_ms, self.at_ms))
        return self._tell_all(frame) if frame else []

    def tick(self, now_ms: int) -> list[Effect]:
        """What time alone brings about; call it about once a second."""
        now_ms = max(now_ms, self.at_ms)
        effects: list[Effect] = []
        if self.presence.lapse(now_ms):
            effects += self._tell_all(self._present(now_ms))
        for role in sorted(self.came):
            if self.presence.gone_for_ms(role, now_ms) >= LEFT_AFTER_MS:
                effects += self._append(role, Stream.PRESENCE, write_event("Left"), now_ms)
                effects += self._tell_all(self._present(now_ms))
        phase = due_move(
            self.phase, now_ms, phase_at_ms=self.phase_at_ms, starts_ms=self.facts.starts_ms,
            ends_ms=self.ends_at_ms, waiting_since_ms=self.presence.waiting_since_ms(now_ms),
        )  # fmt: skip
        if phase:
            move = write_event("Move", phase=phase.value)
            effects += self._append(Role.ROOM, Stream.LIFECYCLE, move, now_ms)
        return effects

    # --- messages -------------------------------------------------------------------------------------

    def receive(self, connection: Connection, message: ClientMessage, now_ms: int) -> list[Effect]:
        """A message of this connection. Refusals come back as effects; nothing expected is raised."""
        now_ms = max(now_ms, self.at_ms)
        try:
            return _HANDLERS[type(message)](self, connection, message, now_ms)
        except (BadFrame, CodeTooLong) as refusal:
            return [Close(connection, refusal)]
        except Refusal as refusal:
            key = message.key if isinstance(message, Say) else ""
            effects: list[Effect] = [Noted(connection)] if message.mark == "durable" else []
            return [Send((connection,), Refused(refusal.code, refusal.sentence, key)), *effects]

    def _edit(self, connection: Connection, message: Edit | SyncStep2, now_ms: int) -> list[Effect]:
        if not self.phase.is_writable:
            raise RoomEnded
        self._must_write(connection)
        news = self.document.take(connection.role, message.update)
        if news is None:
            return [Noted(connection)]
        self.seq += 1
        self.at_ms = now_ms
        shown = message if type(message) is Edit and news is message.update else Edit(news)
        return [Append(Entry(self.seq, now_ms, connection.role, Stream.CODE, news), connection, shown)]

    def _say(self, connection: Connection, message: Say, now_ms: int) -> list[Effect]:
        self._must_be_writable(connection)
        if not self.chat.accept(connection.role, message):
            return [Noted(connection)]
        said = write_event("Say", key=message.key, text=message.text)
        return self._append(connection.role, Stream.CHAT, said, now_ms, connection)

    def _draw(self, connection: Connection, message: Draw, now_ms: int) -> list[Effect]:
        self._must_be_writable(connection)
        newer, older = self.board.accept(message.elements)
        effects: list[Effect] = [Noted(connection)]
        if newer:
            drawn = write_event("Draw", elements=newer)
            effects = self._append(connection.role, Stream.BOARD, drawn, now_ms, connection)
        if older:
            effects.append(Send((connection,), Drawn(self.seq, older)))
        return effects

    def _choose_language(self, connection: Connection, message: ChooseLanguage, now_ms: int) -> list[Effect]:
        self._must_be_writable(connection)
        if message.language not in BY_KEY:
            raise BadFrame
        if self._is_known(message.key) or (not message.key and message.language == self.language):
            return [Noted(connection)]
        chosen = write_event("ChooseLanguage", language=message.language, key=message.key)
        return self._append(connection.role, Stream.LIFECYCLE, chosen, now_ms, connection)

    def _move(self, connection: Connection, message: Move, now_ms: int) -> list[Effect]:
        try:
            phase = Phase(message.phase)
        except ValueError:
            raise BadFrame from None
        if phase is self.phase:
            return [Noted(connection)]
        if not may_move(connection.role, self.phase, phase):
            raise NotNow
        if phase is Phase.LIVE and not self.presence.both_are_here(now_ms):
            raise NotNow("The interview starts once both of you are here.")
        move = write_event("Move", phase=phase.value)
        return self._append(connection.role, Stream.LIFECYCLE, move, now_ms, connection)

    def _consent(self, connection: Connection, message: Consent, now_ms: int) -> list[Effect]:
        self._must_be_writable(connection)
        is_so = message.recording == self.consents.get(connection.role, False)
        if self._is_known(message.key) or (not message.key and is_so):
            return [Noted(connection)]
        consent = write_event("Consent", recording=message.recording, key=message.key)
        return self._append(connection.role, Stream.LIFECYCLE, consent, now_ms, connection)

    def _is_known(self, key: str) -> bool:
        """Whether this choice was made before: a page sends again what it was not told is saved, and somebody
        may have chosen otherwise since. Raises BadFrame."""
        if len(key) > MAX_KEY_CHARACTERS or len(self.choices) > MAX_CHOICES:
            raise BadFrame
        return key in self.choices

    def _sync(self, connection: Connection, message: SyncStep1, now_ms: int) -> list[Effect]:
        return [Send((connection,), SyncStep2(self.document.since(message.vector)))]

    def _resume(self, connection: Connection, message: Resume, now_ms: int) -> list[Effect]:
        if message.after_seq < 0:
            raise BadFrame
        return [Send((connection,), self._welcome(connection, message.after_seq, now_ms))]

    def _point(self, connection: Connection, message: Awareness, now_ms: int) -> list[Effect]:
        self.presence.move(connection, message.update, self.document.owners)
        return []

    def _tell_cursors(self, connection: Connection, message: AskAwareness, now_ms: int) -> list[Effect]:
        cursors = self.presence.everybody(now_ms, connection)
        return [Send((connection,), cursors)] if cursors else []

    def _set_microphone(self, connection: Connection, message: Microphone, now_ms: int) -> list[Effect]:
        if message.state not in MICROPHONE_STATES:
            raise BadFrame
        connection.microphone = message.state
        return self._tell_all(self._present(now_ms))

    # --- small things ---------------------------------------------------------------------------------

    def _must_write(self, connection: Connection) -> None:
        if connection.role not in PEOPLE:
            raise NotNow

    def _must_be_writable(self, connection: Connection) -> None:
        self._must_write(connection)
        if not self.phase.is_writable:
            raise RoomEnded

    def _welcome(self, connection: Connection, after_seq: int, now_ms: int) -> Welcome:
        return Welcome(
            seat=connection.role.word,
            title=self.facts.title,
            phase=self.phase.value,
            language=self.language,
            seq=self.seq,
            at_ms=now_ms,
            live_at_ms=self.live_at_ms,
            ends_at_ms=self.ends_at_ms,
            seats=self.presence.seats(now_ms, self.consents),
            lines=[_as_dict(line) for line in self.chat.after(after_seq)],
            elements=self.board.after(after_seq),
        )

    def _present(self, now_ms: int) -> Present:
        return Present(self.presence.seats(now_ms, self.consents))

    def _tell_all(self, message: ServerMessage) -> list[Effect]:
        everybody = tuple(self.presence.connections)
        return [Send(everybody, message)] if everybody else []

    def _tell_others(self, connection: Connection, message: ServerMessage) -> list[Effect]:
        others = tuple(each for each in self.presence.connections if each is not connection)
        return [Send(others, message)] if others else []


def _as_dict(line: Any) -> dict[str, Any]:
    return {"seq": line.seq, "at_ms": line.at_ms, "seat": line.seat, "key": line.key, "text": line.text}


_HANDLERS: dict[type, Callable[[LiveRoom, Connection, Any, int], list[Effect]]] = {
    Edit: LiveRoom._edit,
    SyncStep2: LiveRoom._edit,
    Say: LiveRoom._say,
    Draw: LiveRoom._draw,
    ChooseLanguage: LiveRoom._choose_language,
    Move: LiveRoom._move,
    Consent: LiveRoom._consent,
    SyncStep1: LiveRoom._sync,
    Resume: LiveRoom._resume,
    Awareness: LiveRoom._point,
    AskAwareness: LiveRoom._tell_cursors,
    Microphone: LiveRoom._set_microphone,
}
"""Offer is missing: voice belongs to the shell."""
