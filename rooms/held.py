"""A live room in this process: decides at once, carries out in order, shows after the commit."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from anteroom.errors import Refusal
from rooms.errors import Restarting, TryAgain
from rooms.live import snapshot
from rooms.live.effects import Append, Effect, Noted, Send, Show
from rooms.live.entry import Entry
from rooms.live.presence import Connection, MayGo, Presence, at_once
from rooms.live.room import LiveRoom
from rooms.outbox import Socket
from rooms.store import Opened, Snapshot
from rooms.streams import Stream
from rooms.wire import Committed, ServerMessage, Welcome

if TYPE_CHECKING:
    from rooms.keeper import Keeper

MAX_PENDING_STEPS = 2_000
"""Per room, waiting for a commit. Beyond it nobody reads from the room's sockets."""
MAX_PENDING_BYTES = 8 * 1024 * 1024

SNAPSHOT_EVERY = 1_000
"""Entries from one snapshot to the next, and up to a quarter more: replaying so many takes some 30 ms."""
SNAPSHOT_OVERDUE = 5 * SNAPSHOT_EVERY
"""Whoever had to read so many entries spares the next one that, at once."""
SNAPSHOT_BEHIND = 256
"""A snapshot is stored once the log is so many entries further: another process that holds the room and has
not heard of the last few can then still start from it."""

Decide = Callable[..., list[Effect]]


@dataclass(slots=True)
class _Step:
    """One thing that was decided and waits for the log."""

    decide: Decide
    arguments: tuple[Any, ...]
    effects: list[Effect]
    is_fixed: bool
    """The decision does not depend on the log, and taking it twice would lose it."""
    last_seq: int
    """The last place in the log that it wants; 0 when it only waits behind another."""
    bytes: int


class HeldRoom:
    """A live room with the people connected to it and the decisions that wait for the log."""

    def __init__(self, keeper: Keeper, room_id: uuid.UUID, opened: Opened) -> None:
        """Raises Unreadable for a snapshot of another version."""
        self.room_id = room_id
        self.place = room_id.int & 0xFFFF
        """Spreads what is done for every room now and then over time."""
        self.opened_at = opened.opened_at or datetime.fromtimestamp(keeper.clock(), UTC)
        self.live = _made_from(opened, self.opened_at)
        self.committed_seq = self.live.seq
        self.sockets: list[Socket] = []
        self.is_lost = False
        self.idle_since: float | None = keeper.time()
        self.is_full = False
        """Nobody is to read from its sockets."""
        self.relieved = asyncio.Event()
        """It has room, or will never have."""
        self.relieved.set()
        self._keeper = keeper
        self._steps: deque[_Step] = deque()
        self._untaken: list[Entry] = []
        self._pending_bytes = 0
        self._kept_seq = opened.snapshot.seq if opened.snapshot else 0
        self._snapshot: Snapshot | None = None
        """Made, and not stored before the log is far enough."""
        if len(opened.entries) > SNAPSHOT_OVERDUE:
            keeper.keep_snapshot(self, Snapshot(self.live.seq, snapshot.write(self.live)))
            self._kept_seq = self.live.seq

    @property
    def opened_at(self) -> datetime:
        """Zero of the room's clock."""
        return self._opened_at

    @opened_at.setter
    def opened_at(self, zero: datetime) -> None:
        self._opened_at, self._zero_s = zero, zero.timestamp()

    @property
    def now_ms(self) -> int:
        """The room's clock."""
        return max(0, int((self._keeper.clock() - self._zero_s) * 1000))

    @property
    def is_settled(self) -> bool:
        """Nothing waits for the log."""
        return not self._steps

    # --- deciding -------------------------------------------------------------------------------------

    def do(self, decide: Decide, *arguments: Any, is_fixed: bool = False) -> None:
        """Let the room decide; carry out at once what need not wait."""
        if self.is_lost:
            return
        effects = decide(self.live, *arguments)
        if self.live.presence.unsaid:
            self._keeper.pointing.add(self)
        if not effects:
            return
        last_seq = size = 0
        for effect in effects:
            if type(effect) is Append:
                self._untaken.append(effect.entry)
                last_seq = effect.entry.seq
                size += len(effect.entry.payload)
        if not last_seq and not self._steps:
            for effect in effects:
                self._carry_out(effect)
            self.flush()
            return
        self._steps.append(_Step(decide, arguments, effects, is_fixed, last_seq, size))
        self._pending_bytes += size
        if len(self._steps) > MAX_PENDING_STEPS or self._pending_bytes > MAX_PENDING_BYTES:
            self.is_full = True
            self.relieved.clear()
        if last_seq:
            self._keeper.writer.mark(self)

    def tell_cursors(self) -> bool:
        """Tell of the cursors that waited for a commit to travel with; whether of all of them."""
        if self.is_lost:
            return True
        self._show_cursors()
        self.flush(may_wait=True)
        return not self.live.presence.unsaid

    def _has_company(self, author: Connection | None) -> bool:
        """Whether something else goes to those who do not know this one's cursor."""
        return any(socket.outbox and socket is not author for socket in self.sockets)

    def _show_cursors(self, may_go: MayGo = at_once) -> None:
        """With decisions under way behind those: a cursor may stand beside a character nobody was shown."""
        if not self._steps:
            frames, states = self.live.point(self.now_ms, may_go)
            for author, message in frames:
                frame = message.encode()
                for socket in self.sockets:
                    if socket is not author and socket.told_seq is not None:
                        socket.put(frame)
            if states:
                self._keeper.pointed(self, states)

    def _carry_out(self, effect: Effect) -> None:
        if isinstance(effect, Append):
            entry, author = effect.entry, effect.author
            self.committed_seq = entry.seq
            if author is not None:
                _socket(author).saved += 1
            if effect.shown is not None:
                self._show(effect.shown, entry.seq, author)
            if entry.stream is Stream.LIFECYCLE:
                self._keeper.noticed(self, entry, is_own=True)
        elif isinstance(effect, Show):
            self._show(effect.message, effect.seq, effect.but)
        elif isinstance(effect, Send):
            self._send(effect.to, effect.message)
        elif isinstance(effect, Noted):
            _socket(effect.connection).saved += 1
        else:
            _socket(effect.connection).close(effect.refusal)

    def _show(self, message: ServerMessage, seq: int, but: Connection | None) -> None:
        frame = message.encode()
        for socket in self.sockets:
            if socket is not but and socket.told_seq is not None and socket.after_seq < seq:
                socket.put(frame)
                socket.has_company = True

    def _send(self, to: tuple[Connection, ...], message: ServerMessage) -> None:
        frame = message.encode()
        for connection in to:
            socket = _socket(connection)
            if isinstance(message, Welcome):
                socket.told_seq = message.seq
            if socket.told_seq is not None:
                socket.put(frame)

    def flush(self, *, may_wait: bool = False) -> None:
        """Tell each connection how far the log and its own messages are.

        may_wait: those to whom nothing else goes out now are told with what comes next, or soon.
        """
        for socket in self.sockets:
            told = socket.told_seq
            if told is None or (told >= self.committed_seq and socket.told_saved == socket.saved):
                continue
            waiting = self._keeper.saving if socket.has_company else self._keeper.saving_alone
            if may_wait and not socket.outbox:
                waiting.add((self, socket))
            else:
                waiting.discard((self, socket))
                self._tell_saved(socket, told)

    def _tell_saved(self, socket: Socket, told_seq: int) -> None:
        seq = max(told_seq, self.committed_seq)
        socket.put(Committed(told_seq, seq, socket.saved).encode())
        socket.told_seq, socket.told_saved = seq, socket.saved

    def tell_saved(self, socket: Socket) -> bool:
        """Nothing came to go with: tell this connection alone."""
        told = socket.told_seq
        is_owed = told is not None and (told < self.committed_seq or socket.told_saved < socket.saved)
        if told is not None and is_owed and not self.is_lost and socket in self.sockets:
            self._tell_saved(socket, told)
            socket.has_company = False
        return True

    # --- what the writer asks -------------------------------------------------------------------------

    def take(self) -> list[Entry]:
        taken, self._untaken = self._untaken, []
        return taken

    def written(self, seq: int) -> None:
        steps = self._steps
        while steps and steps[0].last_seq <= seq:
            step = steps.popleft()
            self._pending_bytes -= step.bytes
            for effect in step.effects:
                self._carry_out(effect)
        if self.live.presence.unsaid:
            self._show_cursors(self._has_company)
            if not self.live.presence.unsaid:
                self._keeper.pointing.discard(self)
        self.flush(may_wait=True)
        self._keeper.announce(self)
        self._keep_snapshot()
        if self.is_full and (
            len(steps) <= MAX_PENDING_STEPS // 2 and self._pending_bytes <= MAX_PENDING_BYTES // 2
        ):
            self.is_full = False
            self.relieved.set()

    def _keep_snapshot(self) -> None:
        """Make one now and then, from what is decided; store it when all of that is long in the log."""
        if self._snapshot is None:
            if self.live.seq - self._kept_seq >= SNAPSHOT_EVERY + self.place % SNAPSHOT_EVERY // 4:
                self._snapshot = Snapshot(self.live.seq, snapshot.write(self.live))
        elif self.committed_seq >= self._snapshot.seq + SNAPSHOT_BEHIND:
            self._keeper.keep_snapshot(self, self._snapshot)
            self._kept_seq, self._snapshot = self._snapshot.seq, None

    async def conflicted(self) -> None:
        """Another process wrote there first, or our own commit went through unheard: read, decide again.

        What turns out to be written already needs no second place, since messages can be sent twice.
        """
        opened = await self._keeper.store.open(self.room_id)
        if self.is_lost:
            return
        known = self.committed_seq
        if opened.snapshot and opened.snapshot.seq > known:
            # We were deaf for hundreds of entries: the pages come back and ask for what they lack.
            self.lost(Restarting())
            return
        self.opened_at = opened.opened_at or self.opened_at
        try:
            self.live = _made_from(opened, self.opened_at, self.live.presence, known)
        except snapshot.Unreadable:
            self.lost(Restarting())  # whoever opens it anew reads the whole log
            return
        self._kept_seq = opened.snapshot.seq if opened.snapshot else 0
        self._snapshot = None  # it may hold what is not to be
        self._follow([entry for entry in opened.entries if entry.seq > known])
        self._decide_again()

    def _decide_again(self) -> None:
        steps, self._steps, self._untaken, self._pending_bytes = self._steps, deque(), [], 0
        for step in steps:
            if step.is_fixed:
                step.last_seq = 0
                self._steps.append(step)
            else:
                self.do(step.decide, *step.arguments)
        self.written(self.committed_seq)  # carries out what no longer waits for anything

    def _follow(self, entries: list[Entry]) -> None:
        """Show what others wrote."""
        for entry in entries:
            effects = self.live.take(entry)
            self.committed_seq = entry.seq
            for effect in effects:
                self._carry_out(effect)
            if entry.stream is Stream.LIFECYCLE:
                self._keeper.noticed(self, entry, is_own=False)
        self.flush()

    def lost(self, error: Exception) -> None:
        """It cannot go on: nobody saw what waits for the log, and the pages still hold it."""
        self.is_lost = True
        self._steps.clear()
        self._untaken.clear()
        self.is_full = False
        self.relieved.set()
        refusal = error if isinstance(error, Refusal) else TryAgain()
        for socket in self.sockets:
            socket.close(refusal)
        self._keeper.drop(self)

    # --- what came from elsewhere ---------------------------------------------------------------------

    async def catch_up(self) -> None:
        """Read what other processes wrote. With decisions under way the writer's conflict will do it."""
        if not self.is_settled or self.is_lost:
            return
        entries = await self._keeper.store.entries(self.room_id, self.committed_seq)
        if self.is_settled and not self.is_lost:
            self._follow([entry for entry in entries if entry.seq > self.committed_seq])


def _socket(connection: Connection) -> Socket:
    """The rooms here hold sockets alone; the live room knows less of them."""
    assert isinstance(connection, Socket)
    return connection


def _made_from(
    opened: Opened, zero: datetime, presence: Presence | None = None, up_to: int | None = None
) -> LiveRoom:
    """The room as the database tells it, up to this place in its log. Raises Unreadable."""
    facts = opened.facts(zero)
    room = (
        snapshot.read(opened.snapshot.body, facts, presence) if opened.snapshot else LiveRoom(facts, presence)
    )
    for entry in opened.entries:
        if up_to is None or entry.seq <= up_to:
            room.take(entry)
    return room
