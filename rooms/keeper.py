"""The rooms that are alive in this process. Carries out what they decide, in order.

Everything that follows an Append waits for its commit: what anybody has seen is in the log. Other processes
may hold the same room; the log decides between them (rooms/neighbours.py tells them that it has grown).
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from time import time
from typing import Any

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import DatabaseError

from anteroom.errors import SignedOut
from rooms.errors import BadFrame, Restarting, TryAgain
from rooms.held import HeldRoom
from rooms.live.entry import Entry
from rooms.live.lifecycle import Phase
from rooms.live.room import LiveRoom
from rooms.live.snapshot import Unreadable
from rooms.log import RETRY_FOR_S, LogWriter
from rooms.models import Room
from rooms.neighbours import Neighbours
from rooms.outbox import Socket
from rooms.passes import Pass
from rooms.signals import room_moved
from rooms.soon import Soon
from rooms.store import PostgresStore, Snapshot, Store, StoreError
from rooms.voice.desk import desk
from rooms.wire import Beat, ClientMessage

logger = logging.getLogger(__name__)

TICK_S = 1.0
"""How often time passes in a room."""
SLICES = 10
"""Not in all rooms at once, which would make a thousandth of a second's work a pause that people see."""
BEAT_S = 4.0
"""Beats to the pages, and looks at the heads of the logs."""
REVOKE_S = 1.0
"""A socket whose person signed out or was banned must be closed within two seconds."""
PASSES_AT_ONCE = 200
IDLE_ROOM_S = 30.0
"""A room whose last connection left stays in memory this long, for who reloads a page."""
DRAIN_S = 5.0
LOOK_AGAIN_S = 0.01
POINT_WITHIN_S = 0.066
"""How long a cursor waits for a commit to travel with: a write each is what costs."""
SAVED_WITHIN_S = 0.25
SAVED_ALONE_WITHIN_S = 0.05
"""How long "saved" to an author alone waits for whatever goes to them next: where the other side is busy too,
and where nothing has gone to them lately."""


class Keeper:
    """All rooms of this process, one log writer, one clock."""

    def __init__(
        self,
        *,
        store: Store | None = None,
        layer: Any = None,
        clock: Callable[[], float] = time,
        idle_room_s: float = IDLE_ROOM_S,
        beat_s: float = BEAT_S,
        window_ms: float | None = None,
        retry_for_s: float = RETRY_FOR_S,
    ) -> None:
        """layer: a channel layer, the configured one if None. clock: now, in seconds since the epoch.

        window_ms: commits begin at least so far apart; COMMIT_WINDOW_MS if None. retry_for_s: how long the
        log is tried before those who wait for it are sent away.
        """
        self.id = uuid.uuid4().hex
        self.clock = clock
        self.rooms: dict[uuid.UUID, HeldRoom] = {}
        self.store = store or PostgresStore()
        window_ms = settings.COMMIT_WINDOW_MS if window_ms is None else window_ms
        self.writer = LogWriter(self.store, window_ms=window_ms, retry_for_s=retry_for_s)
        self.is_draining = False
        self._neighbours = Neighbours(self, layer or get_channel_layer())
        self._idle_room_s = idle_room_s
        self._beat_s = beat_s
        self._loop = asyncio.get_running_loop()  # asking for it again costs a call to the system each time
        self._opening: dict[uuid.UUID, asyncio.Future[HeldRoom]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._slices: list[dict[HeldRoom, None]] = [{} for _ in range(SLICES)]
        self.pointing: Soon[HeldRoom] = Soon(self._loop, POINT_WITHIN_S, HeldRoom.tell_cursors)
        self.saving, self.saving_alone = (
            Soon[tuple[HeldRoom, Socket]](
                self._loop, wait_s, lambda waiting: waiting[0].tell_saved(waiting[1])
            )
            for wait_s in (SAVED_WITHIN_S, SAVED_ALONE_WITHIN_S)
        )

    def time(self) -> float:
        """Seconds that never go backwards, for how long something took."""
        return self._loop.time()

    # --- sockets --------------------------------------------------------------------------------------

    async def enter(self, permit: Pass, notify: Callable[[], None]) -> tuple[HeldRoom, Socket]:
        """A socket of this seat. notify: see Socket. Raises TryAgain, Restarting."""
        try:
            held = await self._up_to_date(permit.room_id)
            while self.rooms.get(permit.room_id) is not held:  # given up meanwhile
                held = await self._up_to_date(permit.room_id)
        except StoreError as error:
            raise TryAgain from error
        if self.is_draining:
            raise Restarting
        socket = Socket(uuid.uuid4().hex, permit.role, permit=permit, notify=notify)
        held.sockets.append(socket)
        held.idle_since = None
        held.do(LiveRoom.join, socket, held.now_ms)
        self._neighbours.somebody_came(held)
        return held, socket

    def receive(self, held: HeldRoom, socket: Socket, message: ClientMessage) -> None:
        """Hand a message to the room."""
        try:
            held.do(LiveRoom.receive, socket, message, held.now_ms)
        except Exception as error:
            # A bug: the room may be half changed. It is made again from the log by whoever comes back.
            reference = uuid.uuid4().hex[:8]
            logger.exception("a message failed, reference %s", reference)
            socket.close(BadFrame(f"Something went wrong here (reference {reference}). Reload to go on."))
            held.lost(error)

    def leave(self, held: HeldRoom, socket: Socket) -> None:
        """The socket is gone."""
        if socket in held.sockets:
            held.sockets.remove(socket)
            held.do(LiveRoom.leave, socket, held.now_ms, is_fixed=True)
            if not held.sockets:
                held.idle_since = self.time()

    async def drain(self, within_s: float = DRAIN_S) -> None:
        """Let everybody go in good order: commit and show what was received, close with Restarting.

        Returns when all have left or the time is up. Newcomers are refused from now on.
        """
        self.is_draining = True
        deadline = self.time() + within_s
        while self.time() < deadline and not all(held.is_settled for held in self.rooms.values()):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_AGAIN_S)
        for held in self.rooms.values():
            held.flush()
        for socket in self._sockets():
            socket.close(Restarting())
        while self.time() < deadline and any(held.sockets for held in self.rooms.values()):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_AGAIN_S)

    def _sockets(self) -> list[Socket]:
        return [socket for held in self.rooms.values() for socket in held.sockets]

    # --- rooms ----------------------------------------------------------------------------------------

    async def _up_to_date(self, room_id: uuid.UUID) -> HeldRoom:
        """The room, no older than any process showed it. A page that comes from another process may send what
        builds on entries we have not heard of."""
        is_there = room_id in self.rooms or room_id in self._opening
        held = await self._hold(room_id)
        if is_there:
            await held.catch_up()
        return held

    async def _hold(self, room_id: uuid.UUID) -> HeldRoom:
        if self.is_draining:
            raise Restarting
        if held := self.rooms.get(room_id):
            return held
        if opening := self._opening.get(room_id):
            return await asyncio.shield(opening)
        self._start()
        opening = self._opening[room_id] = asyncio.ensure_future(self._open(room_id))
        opening.add_done_callback(lambda _: self._opening.pop(room_id, None))
        return await asyncio.shield(opening)

    async def _open(self, room_id: uuid.UUID) -> HeldRoom:
        # First the group, then the log: what is written in between is announced.
        await self._neighbours.listen_to(room_id)
        opened = await self.store.open(room_id)
        try:
            held = HeldRoom(self, room_id, opened)
        except Unreadable as why:
            logger.warning("a snapshot was not read: %s", why)
            held = HeldRoom(
                self, room_id, replace(opened, snapshot=None, entries=await self.store.entries(room_id))
            )
        self.rooms[room_id] = held
        self._slices[held.place % SLICES][held] = None
        return held

    def drop(self, held: HeldRoom) -> None:
        """Forget a room; whoever enters makes it again from the log."""
        if self.rooms.get(held.room_id) is held:
            del self.rooms[held.room_id]
            del self._slices[held.place % SLICES][held]
            self.spawn(self._neighbours.stop_listening_to(held.room_id))

    def keep_snapshot(self, held: HeldRoom, snapshot: Snapshot) -> None:
        """Store it beside what else goes on; without it opening takes longer, no more."""
        self.spawn(self.attempt(self.store.keep_snapshot(held.room_id, snapshot)))

    # --- notices --------------------------------------------------------------------------------------

    def announce(self, held: HeldRoom) -> None:
        """The room's log has grown by our hand."""
        self._neighbours.grown(held)

    def noticed(self, held: HeldRoom, entry: Entry, *, is_own: bool) -> None:
        """An entry about the room is committed: tell the apps above when it moved by our hand, hush an ended
        one."""
        if not entry.payload.startswith(b'{"kind":"Move"'):
            return
        phase = Phase(entry.event["phase"])
        if is_own:
            self.spawn(self._tell_apps(held.room_id, phase))
        if not phase.is_open:
            self.spawn(desk().close_room(room_id=held.room_id))

    async def _tell_apps(self, room_id: uuid.UUID, phase: Phase) -> None:
        def tell() -> None:
            room_moved.send(sender=Room, room=Room.objects.get(id=room_id), phase=phase)

        try:
            await database_sync_to_async(tell)()
        except DatabaseError as error:  # they look for themselves now and then
            logger.warning("the apps above were not told of a move: %s", type(error).__name__)

    def pointed(self, held: HeldRoom, states: dict[int, str]) -> None:
        """People of this process moved their cursors."""
        self._neighbours.pointed(held, states)

    # --- tasks ----------------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._tasks:
            return
        works = (self.writer.run, self._keep_time, self._keep_right, self._look, self._neighbours.run)
        for work in works:
            self.spawn(_for_ever(work))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this beside the rest; what goes wrong is logged."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error("a task of the keeper failed", exc_info=error)

    async def close(self) -> None:
        """Stop everything; sockets must be gone."""
        self.rooms.clear()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.store.close()

    async def attempt(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this if the database lets us; if not, a later look makes up for it."""
        try:
            await work
        except StoreError as error:
            logger.warning("the database does not answer: %s", error)

    async def _keep_time(self) -> None:
        """Time in every room, a tenth of them at a time, and a beat to its pages."""
        turn = 0
        ticks_per_beat = max(1, round(self._beat_s / TICK_S))
        while True:
            await asyncio.sleep(TICK_S / SLICES)
            turn += 1
            for held in list(self._slices[turn % SLICES]):
                self._tick(held)
                if (held.place + turn) // SLICES % ticks_per_beat == 0:
                    self._beat(held)

    def _tick(self, held: HeldRoom) -> None:
        try:
            held.do(LiveRoom.tick, held.now_ms)
        except Exception as error:
            logger.exception("a room's timer failed")
            held.lost(error)
        is_idle = held.idle_since is not None and self.time() - held.idle_since > self._idle_room_s
        if is_idle and held.is_settled:
            self.drop(held)

    def _beat(self, held: HeldRoom) -> None:
        held.flush()  # else the beat would speak of entries that were shown and not numbered
        frame = Beat(held.committed_seq, held.now_ms).encode()
        for socket in held.sockets:
            if socket.told_seq is not None:
                socket.put(frame)

    async def _look(self) -> None:
        """Find what a lost wake-up kept silent about."""
        turn = 0
        while True:
            await asyncio.sleep(self._beat_s / SLICES)
            turn += 1
            if some := self._slices[turn % SLICES]:
                await self.attempt(self._look_at_heads([held.room_id for held in some]))

    async def _look_at_heads(self, room_ids: list[uuid.UUID]) -> None:
        heads = await self.store.heads(room_ids)
        for room_id, seq in heads.items():
            held = self.rooms.get(room_id)
            if held and seq > held.committed_seq:
                await held.catch_up()
                self._neighbours.suspect(held)

    async def _keep_right(self) -> None:
        """Close the sockets of those who may no longer be here, some hundreds at a time."""
        while True:
            started = self.time()
            open_now = [
                (socket, socket.permit) for socket in self._sockets() if socket.permit and not socket.closing
            ]
            for some in _in_parts(open_now, PASSES_AT_ONCE):
                await self.attempt(self._revoke(some))
            await asyncio.sleep(max(0.0, started + REVOKE_S - self.time()))

    async def _revoke(self, some: list[tuple[Socket, Pass]]) -> None:
        for place in await self.store.spent([permit for _, permit in some]):
            some[place][0].close(SignedOut())


def _in_parts(items: list[Any], size: int) -> Iterable[list[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


async def _for_ever(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Start the work again when a bug ended it."""
    while True:
        try:
            await work()
        except Exception:
            logger.exception("a task of the keeper failed")
        await asyncio.sleep(TICK_S)


_keepers: dict[asyncio.AbstractEventLoop, Keeper] = {}


def keeper() -> Keeper:
    """The keeper of the running event loop: one per process, since a server has one loop."""
    loop = asyncio.get_running_loop()
    if loop not in _keepers:
        for stale in [each for each in _keepers if each.is_closed()]:
            del _keepers[stale]
        _keepers[loop] = Keeper()
    return _keepers[loop]
