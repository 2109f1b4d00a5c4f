"""A thousand messages to somebody who is blocked: the gap is found by the numbers on the frames, and within
five seconds the room is the same for everybody.

Three kinds of being blocked, each in a room of its own: messages get lost on the way beyond the first
hundred, as channel layers lose them; the server process in between stands still; nobody reads from the
socket until its buffers are full.
"""

from __future__ import annotations

import asyncio
import signal
from abc import ABC, abstractmethod
from collections import deque
from typing import Any

from anteroom.serving import Site
from rooms.client import RoomClient
from rooms.errors import TooSlow
from rooms.roles import Role
from rooms.wire import Beat, Committed, Resume, ServerMessage, SyncStep1
from tests.bars import Say, Verdict
from tests.bars.harness import UNHURRIED, Stage, Stopwatch, server_process, stage
from tests.bars.typists import digest
from tests.rooms.people import client_of, make_pair

MESSAGES = 1_000
KEPT = 100
"""What a bounded queue holds for a consumer that does not come: channels_redis' default capacity."""
LIMIT_S = 5.0
GIVE_UP_S = 8.0
WORDS = "the quick brown fox jumps "
PASTE = "x" * 16_000
"""A thousand of them are more than socket buffers and outbox take together."""


class ForgetfulClient(RoomClient):
    """A page behind something that loses messages; finds out by the numbers, as connection.ts does."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.is_blocked = False
        self.lost = 0
        self.gaps = 0
        self._queue: deque[ServerMessage] = deque()
        self._asking: asyncio.Task[None] | None = None

    def unblock(self) -> None:
        """Take what the queue kept."""
        self.is_blocked = False
        while self._queue:
            self._take(self._queue.popleft())

    def _take(self, message: ServerMessage) -> None:
        if self.is_blocked:
            if len(self._queue) < KEPT:
                self._queue.append(message)
            else:
                self.lost += 1
            return
        match message:
            case Committed(after_seq, _, _) if after_seq > self.seq:
                self._ask()
            case Beat(seq, _) if seq > self.seq:
                self._ask()
        super()._take(message)

    def _ask(self) -> None:
        """Something was missed: ask for what lies behind our place, and for the rest of the code."""
        if self._asking is None or self._asking.done():
            self.gaps += 1
            self._asking = asyncio.create_task(self._ask_again(self.seq))

    async def _ask_again(self, after_seq: int) -> None:
        await self.send(Resume(after_seq))
        await self.send(SyncStep1(self.doc.get_state()))


def run(*, runs: int | None, plant: bool, say: Say, shell: str = "daphne") -> Verdict:
    """runs: how many messages. plant: no frame, wake-up or look tells where the log stands."""
    count = runs or MESSAGES
    took: dict[str, float] = {}
    with stage(plant="no-numbers" if plant else None, shell=shell, environment=UNHURRIED) as on:
        lossy = _LostMessages(on.site, count)
        for name, trial in (
            ("messages lost", lossy),
            ("socket not read", _UnreadSocket(on.site, count)),
            ("process stopped", _StoppedProcess(on, count)),
        ):
            took[name] = round(trial.run(), 2)
            say(f"{name}, {count} messages: equal after {took[name]:.2f} s")
            if took[name] >= GIVE_UP_S:
                break
    worst = max(took.values())
    return Verdict(
        "burst", worst, LIMIT_S, worst <= LIMIT_S and lossy.gaps > 0,
        {"gaps_found": lossy.gaps, "messages": count, "messages_lost": lossy.lost, "seconds": took,
         "shell": shell},
    )  # fmt: skip


class _Trial(ABC):
    """The candidate types while the interviewer is blocked."""

    def __init__(self, site: Site, count: int) -> None:
        self._site = site
        self._count = count
        self._pair = make_pair()

    def run(self) -> float:
        """Seconds from the end of the blockade until both have the same."""
        return asyncio.run(self._try())

    @abstractmethod
    async def _try(self) -> float: ...

    def _author(self) -> RoomClient:
        return client_of(self._site, self._pair, Role.CANDIDATE)

    async def _burst(self, author: RoomClient) -> None:
        """As many messages as were asked for, one in ten a line of chat, and until all are saved."""
        for number in range(self._count):
            if number % 10 == 9:
                await author.say(f"line {number}")
            else:
                await author.edit((0, 0, WORDS))
            if author.unsaved > 50:
                await author.until(lambda: author.unsaved < 25, "saved")
        await author.until_saved(timeout_s=60)

    async def _until_equal(self, author: RoomClient, other: RoomClient) -> float:
        watch = Stopwatch()
        wanted = digest(str(author.text))
        try:
            await other.until(
                lambda: other.lines == author.lines and digest(str(other.text)) == wanted,
                "all of it", GIVE_UP_S,
            )  # fmt: skip
        except TimeoutError:
            return GIVE_UP_S
        return watch.seconds


class _LostMessages(_Trial):
    """The page's connection stands, and most of the burst does not come. Nothing follows the burst: only
    the beat can tell."""

    gaps = 0
    lost = 0

    async def _try(self) -> float:
        url = f"{self._site.socket_url}/sockets/rooms/{self._pair.room_id}"
        blocked = ForgetfulClient(url, cookie=self._pair.interviewer, origin=self._site.url)
        async with self._author() as author, blocked:
            blocked.is_blocked = True
            await self._burst(author)
            await author.until(lambda: blocked.lost >= 1, "a lost message")
            blocked.unblock()
            seconds = await self._until_equal(author, blocked)
        self.gaps, self.lost = blocked.gaps, blocked.lost
        return seconds


class _StoppedProcess(_Trial):
    """The other side sits at another server process, and that one stands still meanwhile."""

    def __init__(self, on: Stage, count: int) -> None:
        super().__init__(on.site, count)
        self._on = on

    def run(self) -> float:
        with self._on.another_site() as self._beside:
            return super().run()

    async def _try(self) -> float:
        blocked = client_of(self._beside, self._pair, Role.INTERVIEWER)
        async with self._author() as author, blocked:
            stopped = server_process(self._beside)
            stopped.send_signal(signal.SIGSTOP)
            try:
                await self._burst(author)
            finally:
                stopped.send_signal(signal.SIGCONT)
            return await self._until_equal(author, blocked)


class _UnreadSocket(_Trial):
    """The page reads nothing until the server gave it up, then comes back as pages do."""

    async def _burst(self, author: RoomClient) -> None:
        for _ in range(self._count):
            await author.edit((0, len(str(author.text)), PASTE))
            if author.unsaved > 8:
                await author.until_saved()
        await author.say("that was it")
        await author.until_saved(timeout_s=60)

    async def _try(self) -> float:
        blocked = client_of(self._site, self._pair, Role.INTERVIEWER)
        async with self._author() as author, blocked:
            assert blocked._socket is not None
            blocked._socket.transport.pause_reading()
            await self._burst(author)
            blocked._socket.transport.resume_reading()
            watch = Stopwatch()
            try:
                code, _ = await blocked.until_closed(1.0)
                assert code in (1006, TooSlow.close_code), code
                await blocked.connect()
            except TimeoutError:
                pass  # it all found room on the way
            return watch.seconds + await self._until_equal(author, blocked)
