"""Who is here, and where their cursors stand. Volatile: nothing of this is in the log.

A cursor frame is built here from the seat. Of what a client sends only the position counts, and only for a
clientID that no other seat or connection uses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from rooms.errors import BadFrame
from rooms.live.gate import ROOT
from rooms.roles import PEOPLE, Role
from rooms.wire import Awareness, Malformed, read_json, read_varint, write_varint

MAX_STATES = 8
"""Cursors in one frame from a client; a page has one."""
MAX_STATE_BYTES = 4 * 1024
MAX_CLIENT_IDS = 8
"""Per connection."""
CURSOR_GAP_MS = 66
"""Between two frames of one connection's cursor: fifteen a second, the newest wins."""
RETURN_MS = 60_000
"""Whoever comes back within this time never quite left: waiting for the other goes on counting."""
ELSEWHERE_MS = 12_000
"""How long another process's word that somebody is there holds."""
RENEW_MS = 10_000
"""Pages forget a cursor that was not renewed for thirty seconds."""
MICROPHONE_STATES = ("off", "on", "muted")

COLOURS = {
    Role.CANDIDATE: ("#2f74d0", "#2f74d033"),
    Role.INTERVIEWER: ("#b8590b", "#b8590b33"),
    Role.OBSERVER: ("#7c4dcc", "#7c4dcc33"),
}
"""Of a seat's caret and selection for a client with no colours of its own: tones that stand on light and
dark. A page that knows `seat` uses its tokens.css instead."""


@dataclass(eq=False, slots=True)
class Connection:
    """One socket of a seat; a person may have several."""

    id: str
    role: Role
    after_seq: int = 0
    """The log's length when it joined: what came later is shown to it."""
    client_ids: set[int] = field(default_factory=set)
    microphone: str = "off"
    pointed_ms: int = -1_000_000
    """When the others were last told of its cursor."""


@dataclass(slots=True)
class _Cursor:
    state: str
    """As the others get it, in JSON."""
    until_ms: int | None = None
    """Of another process, which has to repeat it before then; None for a connection of ours."""
    shown_ms: int = 0
    """When a cursor of another process was last shown here."""


MayGo = Callable[[Connection | None], bool]
Said = tuple[list[tuple[Connection | None, Awareness]], dict[int, str]]


def at_once(author: Connection | None) -> bool:
    """Nobody's cursor waits."""
    return True


class Presence:
    """The connections of a room in this process, and what other processes say of theirs."""

    def __init__(self, masks: dict[Role, str]) -> None:
        self.masks = masks
        self.connections: list[Connection] = []
        self._cursors: dict[int, _Cursor] = {}
        self.unsaid: dict[int, tuple[Connection | None, str]] = {}
        """By clientID, whose cursor has changed since the others were told, and the newest state of it."""
        self._clocks: dict[int, int] = {}
        self._users: dict[Role, str] = {}
        self._since_ms: dict[Role, int] = {}
        self._gone_ms: dict[Role, int] = {}
        self._elsewhere: dict[Role, tuple[int, str]] = {}

    # --- coming and going -----------------------------------------------------------------------------

    def join(self, connection: Connection, now_ms: int) -> None:
        role = connection.role
        if not self.is_here(role, now_ms):
            self._begin(role, now_ms)
        if connection not in self.connections:
            self.connections.append(connection)

    def _begin(self, role: Role, now_ms: int) -> None:
        gone_ms = self._gone_ms.get(role)
        if gone_ms is None or now_ms - gone_ms > RETURN_MS:
            self._since_ms[role] = now_ms

    def leave(self, connection: Connection, now_ms: int) -> None:
        """Forget the connection and its cursors."""
        if connection not in self.connections:
            return
        self.connections.remove(connection)
        if not self.is_here(connection.role, now_ms):
            self._gone_ms[connection.role] = now_ms
        for client in connection.client_ids:
            self._take_away(client)
        connection.client_ids.clear()

    def hear(self, role: Role, microphone: str, now_ms: int) -> bool:
        """Another process says that this seat is taken there; whether that changes what is known."""
        before = self.is_here(role, now_ms), self._microphone(role, now_ms)
        if not before[0]:
            self._begin(role, now_ms)
        self._elsewhere[role] = (now_ms + ELSEWHERE_MS, microphone)
        return before != (True, self._microphone(role, now_ms))

    def lapse(self, now_ms: int) -> bool:
        """Forget what other processes have not repeated; whether somebody is gone by that."""
        for client in [key for key, each in self._cursors.items() if (each.until_ms or now_ms) < now_ms]:
            self._take_away(client)
        lapsed = [role for role in self._elsewhere if not self._is_elsewhere(role, now_ms)]
        for role in lapsed:
            del self._elsewhere[role]
            if not self.is_here(role, now_ms):
                self._gone_ms[role] = now_ms
        return bool(lapsed)

    def is_here(self, role: Role, now_ms: int) -> bool:
        return any(each.role is role for each in self.connections) or self._is_elsewhere(role, now_ms)

    def _is_elsewhere(self, role: Role, now_ms: int) -> bool:
        return role in self._elsewhere and now_ms < self._elsewhere[role][0]

    def both_are_here(self, now_ms: int) -> bool:
        return all(self.is_here(role, now_ms) for role in PEOPLE)

    def gone_for_ms(self, role: Role, now_ms: int) -> int:
        """How long nobody has sat there; 0 while somebody does."""
        return 0 if self.is_here(role, now_ms) else now_ms - self._gone_ms.setdefault(role, now_ms)

    def waiting_since_ms(self, now_ms: int) -> int | None:
        """Since when exactly one of the two has been waiting for the other; None if that is not so."""
        here = [role for role in PEOPLE if self.is_here(role, now_ms)]
        if len(here) != 1:
            return None
        other = next(role for role in PEOPLE if role is not here[0])
        return max(self._since_ms.get(here[0], now_ms), self._gone_ms.get(other, 0))

    def seats(self, now_ms: int, consents: dict[Role, bool]) -> list[dict[str, Any]]:
        """Every seat as Present shows it."""
        return [
            {
                "seat": role.word,
                "mask": mask,
                "here": self.is_here(role, now_ms),
                "recording": consents.get(role, False),
                "microphone": self._microphone(role, now_ms),
            }
            for role, mask in sorted(self.masks.items())
        ]

    def _microphone(self, role: Role, now_ms: int) -> str:
        states = [each.microphone for each in self.connections if each.role is role]
        if self._is_elsewhere(role, now_ms):
            states.append(self._elsewhere[role][1])
        return max(states, key=("off", "muted", "on").index, default="off")

    # --- cursors --------------------------------------------------------------------------------------

    def move(self, connection: Connection, update: bytes, owners: dict[int, Role]) -> None:
        """Keep what counts of a client's awareness update; `say` tells the others.

        owners: the seat of each clientID that has written. Raises BadFrame.
        """
        for client, cursor in _read_ordinary(update) or _read_awareness(update):
            if not self._may_use(connection, client, owners):
                continue
            if cursor is None:
                self._take_away(client)
                continue
            connection.client_ids.add(client)
            written = f'{{"user":{self._user(connection.role)},"cursor":{cursor}}}'
            self._cursors[client] = _Cursor(written)
            self.unsaid[client] = (connection, written)

    def say(self, now_ms: int, may_go: MayGo = at_once) -> Said:
        """What the others have not been told of the cursors: frames, each with the one who need not see it.

        A connection that spoke within CURSOR_GAP_MS waits for the next time, and so does one that may not go.
        Also: the states by clientID, for other processes.
        """
        frames: list[tuple[Connection | None, Awareness]] = []
        said: dict[int, str] = {}
        for client, (author, state) in self.unsaid.items():
            if (author is None or now_ms - author.pointed_ms >= CURSOR_GAP_MS) and may_go(author):
                frames.append((author, self._frame({client: state}, now_ms)))
                said[client] = state
        for client in said:
            author, _ = self.unsaid.pop(client)
            if author is not None:
                author.pointed_ms = now_ms
        return frames, said

    def hear_cursors(self, states: dict[int, str], now_ms: int) -> Awareness | None:
        """Cursors of another process's connections; the frame that shows them here."""
        ours = {client for each in self.connections for client in each.client_ids}
        news: dict[int, str] = {}
        for client, state in states.items():
            if client in ours:  # it came over to us
                continue
            kept = self._cursors.get(client)
            is_due = kept is not None and now_ms - kept.shown_ms >= RENEW_MS
            is_new = is_due or state != (kept.state if kept else "null")
            if state == "null":
                self._cursors.pop(client, None)
            else:
                shown_ms = now_ms if is_new or kept is None else kept.shown_ms
                self._cursors[client] = _Cursor(state, now_ms + ELSEWHERE_MS, shown_ms)
            if is_new:
                news[client] = state
        return self._frame(news, now_ms) if news else None

    def cursors_of(self, connections: Iterable[Connection]) -> dict[int, str]:
        """The states of these connections' cursors by clientID."""
        mine = (client for each in connections for client in each.client_ids)
        return {client: self._cursors[client].state for client in mine if client in self._cursors}

    def everybody(self, now_ms: int, but: Connection | None = None) -> Awareness | None:
        """Everybody's cursor as one frame; None when there is none."""
        mine = but.client_ids if but else set()
        states = {client: each.state for client, each in self._cursors.items() if client not in mine}
        return self._frame(states, now_ms) if states else None

    def _take_away(self, client: int) -> None:
        if self._cursors.pop(client, None):
            self.unsaid[client] = (None, "null")

    def _may_use(self, connection: Connection, client: int, owners: dict[int, Role]) -> bool:
        if client in connection.client_ids:
            return True
        if owners.get(client, connection.role) is not connection.role:
            return False
        for each in self.connections:
            if client in each.client_ids:
                if each.role is not connection.role:
                    return False
                each.client_ids.discard(client)  # the page came back before its old socket was found dead
        return len(connection.client_ids) < MAX_CLIENT_IDS

    def _user(self, role: Role) -> str:
        if role not in self._users:
            colour, light = COLOURS[role]
            user = {"name": self.masks[role], "color": colour, "colorLight": light, "seat": role.word}
            self._users[role] = json.dumps(user, ensure_ascii=False, separators=(",", ":"))
        return self._users[role]

    def _frame(self, states: dict[int, str], now_ms: int) -> Awareness:
        """An awareness update. The room's time serves as clock: it also grows across a restart."""
        parts = [write_varint(len(states))]
        for client, state in states.items():
            clock = max(self._clocks.get(client, 0) + 1, now_ms)
            self._clocks[client] = clock
            body = state.encode()
            parts += (_client_bytes(client), write_varint(clock), write_varint(len(body)), body)
        return Awareness(b"".join(parts))


_VARINT = rb"(?:[\x00-\x7f]|[\x80-\xff]{1,6}[\x01-\x7f])"
_WHOLE = rb"(?:0|[1-9]\d{0,%d})"
_POSITION = (
    rb'\{"type":null,"tname":(?:null|"code"),'
    rb'"item":(?:null|\{"client":' + _WHOLE % 14 + rb',"clock":' + _WHOLE % 8 + rb'\}),"assoc":(?:0|-1)\}'
)  # fmt: skip
_ORDINARY = re.compile(
    rb"\x01(" + _VARINT + rb")" + _VARINT + rb"(" + _VARINT + rb")"
    + rb'(\{(?:"user":\{[^{}]*\},)?"cursor":(\{"anchor":' + _POSITION + rb',"head":' + _POSITION + rb"\})\})",
    re.DOTALL,
)  # fmt: skip


def _read_ordinary(update: bytes) -> list[tuple[int, str | None]] | None:
    """One cursor as yjs writes it, without a JSON parser, which would be the most of its cost; None for all
    else. Whatever stands in "user" does not count."""
    found = _ORDINARY.fullmatch(update)
    if found is None:
        return None
    client, size, state, cursor = found.groups()
    if _number(size) != len(state) or len(state) > MAX_STATE_BYTES:
        return None
    return [(_number(client), cursor.decode())]


# A page's clientID comes and goes with each of its cursors.
_client_bytes = lru_cache(maxsize=16_384)(write_varint)


@lru_cache(maxsize=16_384)
def _number(varint: bytes) -> int:
    return read_varint(varint, 0)[0]


def _read_awareness(update: bytes) -> list[tuple[int, str | None]]:
    """Each clientID with its checked cursor, in JSON; None when it goes. Raises BadFrame."""
    try:
        count, at = read_varint(update, 0)
        if count > MAX_STATES:
            raise BadFrame
        states: list[tuple[int, str | None]] = []
        for _ in range(count):
            client, at = read_varint(update, at)
            _, at = read_varint(update, at)
            size, at = read_varint(update, at)
            if size > MAX_STATE_BYTES or at + size > len(update):
                raise BadFrame
            state = read_json(update[at : at + size])
            at += size
            if state is not None and not isinstance(state, dict):
                raise BadFrame
            states.append((client, None if state is None else _checked_cursor(state.get("cursor"))))
    except (Malformed, ValueError, RecursionError):
        raise BadFrame from None
    if at != len(update):
        raise BadFrame
    return states


def _checked_cursor(cursor: object) -> str:
    """{"anchor", "head"} with nothing but positions in the code, in JSON; null for all else, as another
    editor's."""
    if not isinstance(cursor, dict):
        return "null"
    anchor, head = _checked_position(cursor.get("anchor")), _checked_position(cursor.get("head"))
    return f'{{"anchor":{anchor},"head":{head}}}' if anchor and head else "null"


def _checked_position(position: object) -> str | None:
    """A Yjs relative position, in the root or beside a character, in JSON."""
    if not isinstance(position, dict):
        return None
    root, item, assoc = position.get("tname"), position.get("item"), position.get("assoc", 0)
    if root not in (None, ROOT) or not _is_whole(assoc, -1, 1 << 31):
        return None
    beside = "null"
    if item is not None:
        if not isinstance(item, dict):
            return None
        client, clock = item.get("client"), item.get("clock")
        if not _is_whole(client, 0, 1 << 53) or not _is_whole(clock, 0, 1 << 31):
            return None
        beside = f'{{"client":{client},"clock":{clock}}}'
    within = "null" if root is None else f'"{ROOT}"'
    return f'{{"type":null,"tname":{within},"item":{beside},"assoc":{assoc}}}'


def _is_whole(value: object, low: int, below: int) -> bool:
    return type(value) is int and low <= value < below
