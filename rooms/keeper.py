"""The rooms that are alive in this process. Carries out what they decide, in order.

Everything that follows an Append waits for its commit: what anybody has seen is in the log. Other processes
may hold the same room; the log decides between them. A wake-up over the channel layer says that a log has
grown, and a look at the database every few seconds finds what a lost wake-up kept silent about.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

import psycopg
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.db import DatabaseError

from anteroom.errors import SignedOut
from rooms import wakeups
from rooms.errors import BadFrame, TryAgain
from rooms.held import HeldRoom, load
from rooms.live.entry import Entry
from rooms.live.lifecycle import Phase
from rooms.live.room import LiveRoom
from rooms.log import LogReader, LogWriter
from rooms.models import Room
from rooms.outbox import Socket
from rooms.passes import Pass, spent
from rooms.roles import PEOPLE, Role
from rooms.signals import room_moved
from rooms.voice.desk import desk
from rooms.wire import Beat, ClientMessage

logger = logging.getLogger(__name__)

TICK_S = 0.5
BEAT_S = 5.0
"""Beats to the pages, and looks at the heads of the logs."""
REVOKE_S = 1.5
"""A socket whose person signed out or was banned must be closed within two seconds."""
IDLE_ROOM_S = 30.0
"""A room whose last connection left stays in memory this long, for who reloads a page."""


class Keeper:
    """All rooms of this process, one log writer, one clock."""

    def __init__(
        self, *, writer: LogWriter | None = None, idle_room_s: float = IDLE_ROOM_S, beat_s: float = BEAT_S
    ) -> None:
        self.id = uuid.uuid4().hex
        self.rooms: dict[uuid.UUID, HeldRoom] = {}
        self.writer = writer or LogWriter()
        self.reader = LogReader()
        self._idle_room_s = idle_room_s
        self._beat_s = beat_s
        self._opening: dict[uuid.UUID, asyncio.Future[HeldRoom]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._layer: Any = None
        self._channel = ""
        self._announcements: set[HeldRoom] = set()
        self._to_announce = asyncio.Event()

    # --- sockets --------------------------------------------------------------------------------------

    async def enter(self, permit: Pass) -> tuple[HeldRoom, Socket]:
        """A socket of this seat. Raises TryAgain when the log cannot be read."""
        try:
            held = await self._hold(permit.room_id)
            while self.rooms.get(permit.room_id) is not held:  # given up meanwhile
                held = await self._hold(permit.room_id)
        except (psycopg.Error, DatabaseError, OSError) as error:
            raise TryAgain from error
        socket = Socket(uuid.uuid4().hex, permit.role, permit=permit)
        held.sockets.append(socket)
        held.idle_since = None
        held.do(LiveRoom.join, socket, held.now_ms)
        self._spawn(self._tell_who_is_here(held))
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
                held.idle_since = time.monotonic()

    async def _hold(self, room_id: uuid.UUID) -> HeldRoom:
        if held := self.rooms.get(room_id):
            return held
        if opening := self._opening.get(room_id):
            return await asyncio.shield(opening)
        self._start()
        opening = self._opening[room_id] = asyncio.ensure_future(self._open(room_id))
        opening.add_done_callback(lambda _: self._opening.pop(room_id, None))
        return await asyncio.shield(opening)

    async def _open(self, room_id: uuid.UUID) -> HeldRoom:
        # The group first, then the log: what is written in between is announced.
        await self._join_group(room_id)
        facts, opened_at = await load(room_id)
        held = HeldRoom(self, room_id, facts, opened_at, await self.reader.entries(room_id))
        self.rooms[room_id] = held
        return held

    def drop(self, held: HeldRoom) -> None:
        """Forget a room; whoever enters makes it again from the log."""
        if self.rooms.get(held.room_id) is held:
            del self.rooms[held.room_id]
            self._spawn(self._leave_group(held.room_id))

    # --- notices --------------------------------------------------------------------------------------

    def noticed(self, held: HeldRoom, entry: Entry, *, is_own: bool) -> None:
        """An entry is committed: tell the apps above when the room moved by our hand, hush an ended room."""
        if not entry.payload.startswith(b'{"kind":"Move"') or entry.stream.word != "lifecycle":
            return
        phase = Phase(entry.event["phase"])
        if is_own:
            self._spawn(self._tell_apps(held.room_id, phase))
        if not phase.is_open:
            self._spawn(desk().close_room(room_id=held.room_id))

    async def _tell_apps(self, room_id: uuid.UUID, phase: Phase) -> None:
        def tell() -> None:
            room_moved.send(sender=Room, room=Room.objects.get(id=room_id), phase=phase)

        await database_sync_to_async(tell)()

    def announce(self, held: HeldRoom) -> None:
        """Wake the other processes in which this room is alive; soon, and once for many commits."""
        self._announcements.add(held)
        self._to_announce.set()

    # --- tasks ----------------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._tasks:
            return
        self._layer = get_channel_layer()
        for work in (self.writer.run, self._keep_time, self._listen, self._announce):
            self._spawn(_for_ever(work))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
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
        await self.reader.close()

    async def _keep_time(self) -> None:
        next_beat = next_look = time.monotonic()
        while True:
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            for held in list(self.rooms.values()):
                self._tick(held)
                is_idle = held.idle_since is not None and now - held.idle_since > self._idle_room_s
                if is_idle and held.is_settled:
                    self.drop(held)
            if now >= next_look:
                next_look = now + REVOKE_S
                await self._attempt(self._revoke())
            if now >= next_beat:
                next_beat = now + self._beat_s
                self._beat()
                await self._attempt(self._look_at_heads())

    def _tick(self, held: HeldRoom) -> None:
        try:
            held.do(LiveRoom.tick, held.now_ms)
        except Exception as error:
            logger.exception("a room's timer failed")
            held.lost(error)

    async def _attempt(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except (psycopg.Error, OSError) as error:
            logger.warning("the database does not answer: %s", type(error).__name__)

    def _beat(self) -> None:
        for held in self.rooms.values():
            frame = Beat(held.committed_seq, held.now_ms).encode()
            for socket in held.sockets:
                if socket.told_seq is not None:
                    socket.put(frame)

    async def _look_at_heads(self) -> None:
        if not self.rooms:
            return
        heads = await self.reader.heads(list(self.rooms))
        for room_id, seq in heads.items():
            held = self.rooms.get(room_id)
            if held and seq > held.committed_seq:
                await held.catch_up()
        for held in list(self.rooms.values()):
            await self._join_group(held.room_id)  # a layer that forgot its groups learns them again
            await self._tell_who_is_here(held)

    async def _tell_who_is_here(self, held: HeldRoom) -> None:
        for role in PEOPLE:
            microphones = [socket.microphone for socket in held.sockets if socket.role is role]
            if microphones:
                notice = wakeups.is_here(held.room_id, role, microphones[-1], self.id)
                await self._tell_group(held.room_id, notice)

    async def _revoke(self) -> None:
        open_now = [
            (socket, socket.permit)
            for held in self.rooms.values()
            for socket in held.sockets
            if socket.permit and socket.closing is None
        ]
        for place in await spent(self.reader, [permit for _, permit in open_now]):
            open_now[place][0].close(SignedOut())

    # --- other processes ------------------------------------------------------------------------------

    async def _listen(self) -> None:
        while self._layer is not None:
            try:
                channel = await self._own_channel()
                notice = await self._layer.receive(channel)
                held = self.rooms.get(uuid.UUID(notice["room"]))
                if held is None or notice["process"] == self.id:
                    continue
                if notice["type"] == wakeups.GROWN and notice["seq"] > held.committed_seq:
                    await self._attempt(held.catch_up())
                elif notice["type"] == wakeups.HERE:
                    arguments = (Role(notice["role"]), notice["microphone"], held.now_ms)
                    held.do(LiveRoom.hear, *arguments, is_fixed=True)
            except Exception:
                logger.warning("the channel layer does not answer", exc_info=True)
                await asyncio.sleep(TICK_S)

    async def _announce(self) -> None:
        while True:
            await self._to_announce.wait()
            self._to_announce.clear()
            grown, self._announcements = self._announcements, set()
            for held in grown:
                notice = wakeups.has_grown(held.room_id, held.committed_seq, self.id)
                await self._tell_group(held.room_id, notice)

    async def _own_channel(self) -> str:
        if not self._channel:
            self._channel = await self._layer.new_channel()
        return self._channel

    async def _join_group(self, room_id: uuid.UUID) -> None:
        if self._layer is not None:
            try:
                await self._layer.group_add(wakeups.group_of(room_id), await self._own_channel())
            except Exception:
                logger.warning("the channel layer does not answer", exc_info=True)

    async def _leave_group(self, room_id: uuid.UUID) -> None:
        if self._layer is not None and room_id not in self.rooms:
            try:
                await self._layer.group_discard(wakeups.group_of(room_id), await self._own_channel())
            except Exception:
                logger.warning("the channel layer does not answer", exc_info=True)

    async def _tell_group(self, room_id: uuid.UUID, notice: dict[str, Any]) -> None:
        if self._layer is not None:
            try:
                await self._layer.group_send(wakeups.group_of(room_id), notice)
            except Exception:
                logger.warning("the channel layer does not answer", exc_info=True)


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
