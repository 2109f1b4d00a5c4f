"""A live room in this process: decides at once, carries out in order, shows after the commit."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from channels.db import database_sync_to_async

from rooms.errors import TryAgain
from rooms.live.effects import Append, Close, Effect, Noted, Send, Show
from rooms.live.entry import Entry
from rooms.live.presence import Connection
from rooms.live.room import Facts, LiveRoom
from rooms.models import Room, Seat
from rooms.outbox import Socket
from rooms.roles import Role
from rooms.wire import Committed, ServerMessage, Welcome

if TYPE_CHECKING:
    from rooms.keeper import Keeper

MAX_PENDING_STEPS = 2_000
"""Per room, waiting for a commit. Beyond it nobody reads from the room's sockets."""

MAX_PENDING_BYTES = 8 * 1024 * 1024

Decide = Callable[..., list[Effect]]


@dataclass(slots=True)
class _Step:
    """One thing that was decided and waits for the log."""

    decide: Decide
    arguments: tuple[Any, ...]
    effects: list[Effect]
    is_fixed: bool
    """The decision does not depend on the log, and taking it twice would lose it."""


class HeldRoom:
    """A live room with the people connected to it and the decisions that wait for the log."""

    def __init__(
        self, keeper: Keeper, room_id: uuid.UUID, facts: Facts, opened_at: datetime, entries: list[Entry]
    ) -> None:
        self.room_id = room_id
        self.opened_at = opened_at
        self.live = LiveRoom.replay(entries, facts)
        self.committed_seq = self.live.seq
        self.sockets: list[Socket] = []
        self.is_lost = False
        self.idle_since: float | None = time.monotonic()
        self.relieved = asyncio.Event()
        self.relieved.set()
        self._keeper = keeper
        self._steps: deque[_Step] = deque()
        self._untaken: list[Entry] = []
        self._pending_bytes = 0

    @property
    def now_ms(self) -> int:
        """The room's clock."""
        return max(0, (datetime.now(UTC) - self.opened_at) // timedelta(milliseconds=1))

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
        if not effects:
            return
        appended = [effect.entry for effect in effects if type(effect) is Append]
        if not self._steps and not appended:
            for effect in effects:
                self._carry_out(effect)
            self._flush()
            return
        self._steps.append(_Step(decide, arguments, effects, is_fixed))
        self._pending_bytes += sum(len(entry.payload) for entry in appended)
        self._weigh()
        if appended:
            self._untaken += appended
            self._keeper.writer.mark(self)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Append(entry, author):
                self.committed_seq = entry.seq
                if isinstance(author, Socket):
                    author.saved += 1
            case Show(seq, message, but):
                frame = message.encode()
                for socket in self.sockets:
                    if socket is not but and socket.told_seq is not None and socket.after_seq < seq:
                        socket.put(frame)
            case Send(to, message):
                self._send(to, message)
            case Noted(socket):
                assert isinstance(socket, Socket)
                socket.saved += 1
            case Close(socket, refusal):
                assert isinstance(socket, Socket)
                socket.close(refusal)

    def _send(self, to: tuple[Connection, ...], message: ServerMessage) -> None:
        frame = message.encode()
        for socket in to:
            assert isinstance(socket, Socket)
            if isinstance(message, Welcome):
                socket.told_seq = message.seq
            if socket.told_seq is not None:
                socket.put(frame)

    def _flush(self) -> None:
        """Tell each connection how far the log and its own messages are."""
        for socket in self.sockets:
            told = socket.told_seq
            if told is None or (told >= self.committed_seq and socket.told_saved == socket.saved):
                continue
            seq = max(told, self.committed_seq)
            socket.put(Committed(told, seq, socket.saved).encode())
            socket.told_seq, socket.told_saved = seq, socket.saved

    # --- what the writer asks -------------------------------------------------------------------------

    def take(self) -> list[Entry]:
        taken, self._untaken = self._untaken, []
        return taken

    def written(self, seq: int) -> None:
        while self._steps:
            appended = [each.entry.seq for each in self._steps[0].effects if isinstance(each, Append)]
            if appended and appended[-1] > seq:
                break
            step = self._steps.popleft()
            for effect in step.effects:
                self._carry_out(effect)
                if isinstance(effect, Append):
                    self._pending_bytes -= len(effect.entry.payload)
                    self._keeper.noticed(self, effect.entry, is_own=True)
        self._flush()
        self._keeper.announce(self)
        self._weigh()

    def _weigh(self) -> None:
        """Have sockets read on, or wait."""
        if len(self._steps) > MAX_PENDING_STEPS or self._pending_bytes > MAX_PENDING_BYTES:
            self.relieved.clear()
        else:
            self.relieved.set()

    async def conflicted(self) -> None:
        """Another process wrote there first, or our own commit went through unheard: read, decide again.

        What turns out to be written already needs no second place, since messages can be sent twice.
        """
        log = await self._keeper.reader.entries(self.room_id)
        facts, opened_at = await load(self.room_id, self.opened_at)
        self._decide_again(log, facts, opened_at)

    def _decide_again(self, log: list[Entry], facts: Facts, opened_at: datetime) -> None:
        self.opened_at = opened_at
        known = self.committed_seq
        self.live = LiveRoom.replay(log[:known], facts, self.live.presence)
        self._follow(log[known:])
        steps, self._steps, self._untaken, self._pending_bytes = self._steps, deque(), [], 0
        for step in steps:
            if step.is_fixed:
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
            self._keeper.noticed(self, entry, is_own=False)
        self._flush()

    def lost(self, error: Exception) -> None:
        """The log cannot be written: nobody saw what waits, and the pages still hold it."""
        self.is_lost = True
        self._steps.clear()
        self._untaken.clear()
        self.relieved.set()
        for socket in self.sockets:
            socket.close(TryAgain())
        self._keeper.drop(self)

    # --- what came from elsewhere ---------------------------------------------------------------------

    async def catch_up(self) -> None:
        """Read what other processes wrote. With decisions under way the writer's conflict will do it."""
        if not self.is_settled or self.is_lost:
            return
        entries = await self._keeper.reader.entries(self.room_id, self.committed_seq)
        if self.is_settled and not self.is_lost:
            self._follow([entry for entry in entries if entry.seq > self.committed_seq])


async def load(room_id: uuid.UUID, opened_at: datetime | None = None) -> tuple[Facts, datetime]:
    """What the room's rows say of it, and zero of its clock: the row's, else the given, else now."""
    loaded: tuple[Facts, datetime] = await database_sync_to_async(_load)(room_id, opened_at)
    return loaded


def _load(room_id: uuid.UUID, opened_at: datetime | None) -> tuple[Facts, datetime]:
    room = Room.objects.get(id=room_id)
    zero = room.opened_at or opened_at or datetime.now(UTC)
    facts = Facts(
        title=room.title,
        language=room.language,
        length_ms=room.length_minutes * 60_000,
        starts_ms=(room.starts_at - zero) // timedelta(milliseconds=1),
        masks={Role(seat.role): seat.mask for seat in Seat.objects.filter(room=room)},
    )
    return facts, zero
