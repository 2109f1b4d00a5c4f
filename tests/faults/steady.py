"""A client that comes back: RoomClient with what frontend/src/connection.ts does when its socket goes.

The same times, the same order of things: open, wait for Welcome, ask for the rest of the code, then send
again whatever was not said to be saved; a gap asks for what it lacks; a beat that disagrees does too.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Self

from websockets.exceptions import WebSocketException

from rooms.client import RoomClient
from rooms.live.board import wins
from rooms.wire import (
    Beat,
    ClientMessage,
    Committed,
    Draw,
    Resume,
    ServerMessage,
    SyncStep1,
    SyncStep2,
    Welcome,
)

FIRST_WAIT_S = 0.25
LONGEST_WAIT_S = 4.0
SILENCE_S = 12.0
OPENING_S = 10.0
FINAL = (4400, 4401, 4404, 4410, 4413)
"""After these a page does not come back."""
GONE = (ConnectionError, OSError, TimeoutError, WebSocketException, EOFError)


class SteadyClient(RoomClient):
    """Stays in the room from `stay` to `leave`, whatever the network does."""

    def __init__(self, url: str, *, rng: random.Random, **options: Any) -> None:
        """rng: draws a part of each wait, as a page does."""
        super().__init__(url, **options)
        self._rng = rng
        self._staying: asyncio.Task[None] | None = None
        self._more = asyncio.Event()
        self._asked: deque[bytes] = deque()
        self._sent = 0
        self._failures = 0
        self._beats_without_rest: int | None = None
        self._is_resuming = False
        self._heard_at_s = 0.0
        self.is_welcomed = False
        self.connections = 0
        self.resumed = 0
        """How often something missed was asked for."""
        self.ended_with: int | None = None
        """The close code after which it did not come back."""

    async def stay(self) -> Self:
        """Come and go on coming; returns at once."""
        self._staying = asyncio.create_task(self._stay())
        return self

    async def leave(self) -> None:
        """For good."""
        assert self._staying is not None
        self._staying.cancel()
        await asyncio.gather(self._staying, return_exceptions=True)

    def give_up(self) -> None:
        """Drop the socket as a page does that was told "online": say goodbye, and wait for no answer."""
        if self._socket is not None:
            self._socket.transport.close()

    async def send(self, message: ClientMessage) -> None:
        """A durable message is kept until it is saved; a volatile one goes out now or never."""
        if isinstance(message, Draw):
            self._keep_elements(message.elements)
        frame = message.encode()
        if message.mark == "durable":
            self._unsaved.append(frame)
        elif self.is_welcomed:
            self._asked.append(frame)
        self._more.set()

    async def until(self, is_so: Any, what: str = "it", timeout_s: float = 10.0) -> None:
        """Wait over any number of connections. Raises TimeoutError, ConnectionError when closed for good."""
        try:
            async with asyncio.timeout(timeout_s):
                while not is_so():
                    if self.ended_with is not None:
                        raise ConnectionError(f"closed for good with {self.ended_with} before {what}")
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"{what} did not come in {timeout_s} s: {self.standing}") from None

    @property
    def standing(self) -> str:
        """How it is with this client, for whoever wonders why nothing comes."""
        return (
            f"{self.connections} connections, {'' if self.is_welcomed else 'not '}in the room, closed with "
            f"{self.close_code}, {self._failures} failures, {self.unsaved} unsaved, at {self.seq} of the log"
        )

    # --- one connection after the other -----------------------------------------------------------------

    async def _stay(self) -> None:
        while True:
            with suppress(*GONE):
                await self._live()
            if self.close_code in FINAL:
                self.ended_with = self.close_code
                self._changed.set()
                return
            wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**self._failures)
            self._failures += 1
            await asyncio.sleep(wait_s * (0.5 + 0.5 * self._rng.random()))

    async def _live(self) -> None:
        self._sent, self._is_resuming, self._beats_without_rest = 0, False, None
        self._asked.clear()
        self.close_code = None
        try:
            async with asyncio.timeout(OPENING_S):
                await self.connect(sync=False)
            assert self._reading is not None
            self.connections += 1
            self._heard_at_s = asyncio.get_running_loop().time()
            beside = [asyncio.create_task(self._send_all()), asyncio.create_task(self._listen_for_silence())]
            try:
                await asyncio.wait([self._reading, *beside], return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in beside:
                    task.cancel()
                await asyncio.gather(*beside, return_exceptions=True)
        finally:
            self.is_welcomed = False
            await self._drop()

    async def _drop(self) -> None:
        """Its last words may come a minute from now; nobody listens."""
        reading, self._reading = self._reading, None
        if self._socket is not None:
            self._socket.transport.close()
            self._socket = None
        if reading is not None:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _send_all(self) -> None:
        """What was asked for, then what is owed, in order."""
        assert self._socket is not None
        while True:
            await self._more.wait()
            self._more.clear()
            while self._asked:
                await self._socket.send(self._asked.popleft())
            while self.is_welcomed and self._sent < len(self._unsaved):
                self._sent += 1
                await self._socket.send(self._unsaved[self._sent - 1])

    async def _listen_for_silence(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            patience_s = SILENCE_S if self.is_welcomed else OPENING_S
            left_s = self._heard_at_s + patience_s - loop.time()
            if left_s <= 0:
                return
            await asyncio.sleep(left_s)

    # --- what connection.ts does with a message -----------------------------------------------------------

    def _take(self, message: ServerMessage) -> None:
        self._heard_at_s = asyncio.get_running_loop().time()
        known, owed = self.seq, len(self._unsaved)
        super()._take(message)
        match message:
            case Welcome():
                self._is_resuming = False
                if not self.is_welcomed:
                    self.is_welcomed = True
                    self._ask_for_rest()
            case Committed(after_seq):
                self._sent -= owed - len(self._unsaved)
                if after_seq > known:
                    self.seq = known
                    self._ask_again()
            case Beat(seq):
                self._failures = 0
                if seq > self.seq or self._is_rest_overdue():
                    self._ask_again()
            case SyncStep2():
                self._beats_without_rest = None

    def _keep_elements(self, elements: Iterable[dict[str, Any]]) -> None:
        """As the board on a page: of two versions the newer one."""
        for element in elements:
            kept = self.elements.get(element["id"])
            if kept is None or wins(element, kept):
                self.elements[element["id"]] = element

    def _ask_again(self) -> None:
        if self._is_resuming or not self.is_welcomed:
            return
        self._is_resuming = True
        self.resumed += 1
        self._asked.append(Resume(self.seq).encode())
        self._ask_for_rest()

    def _ask_for_rest(self) -> None:
        self._beats_without_rest = 0
        self._asked.append(SyncStep1(self.doc.get_state()).encode())
        self._more.set()

    def _is_rest_overdue(self) -> bool:
        if self._beats_without_rest is None:
            return False
        self._beats_without_rest += 1
        return self._beats_without_rest > 2
