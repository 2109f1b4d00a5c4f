"""A person at a room's socket without a browser: for replays, benchmarks and tests.

Speaks rooms/wire.py as a page does. It keeps what it sent until the server says "saved", and sends that again
after `connect` was called a second time.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

from pycrdt import Doc, Text, TransactionEvent
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_socket
from websockets.exceptions import ConnectionClosed

from rooms.live.gate import ROOT
from rooms.wire import (
    Awareness,
    Beat,
    ClientMessage,
    Committed,
    Drawn,
    Edit,
    LanguageChosen,
    Moved,
    Present,
    Refused,
    Said,
    Say,
    ServerMessage,
    SyncStep1,
    SyncStep2,
    Welcome,
    decode_from_server,
)

DEADLINE_S = 10.0
Patch = tuple[int, int, str]
"""Position, number of deleted characters, inserted text; in Unicode code points."""


class RoomClient:
    """One socket of a seat, and what a page would know."""

    def __init__(self, url: str, *, cookie: str, origin: str, client_id: int | None = None) -> None:
        """url: ws://…/sockets/rooms/<id>. cookie: the session's, name=value. client_id: of the document."""
        self._url = url
        self._headers = {"Cookie": cookie, "Origin": origin}
        self._socket: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self.doc: Doc[Text] = Doc(client_id=client_id)
        self.text = self.doc.get(ROOT, type=Text)
        self._made: list[bytes] = []
        self._subscription = self.doc.observe(self._remember)
        self._unsaved: deque[bytes] = deque()
        self._saved = 0
        self.received: list[ServerMessage] = []
        """Every message that came, oldest first, but for Edits and Beats."""
        self.welcome: Welcome | None = None
        self.seq = 0
        self.phase = ""
        self.language = ""
        self.lines: dict[int, Said] = {}
        self.elements: dict[str, dict[str, Any]] = {}
        self.seats: list[dict[str, Any]] = []
        self.refusals: list[Refused] = []
        self.is_synced = False
        self.has_gap = False
        self.holds_edits = False
        """Keep the others' edits in `held` instead of applying them."""
        self.held: deque[bytes] = deque()
        self.edits_seen = 0
        """Edits of others that were applied one by one."""
        self.beats = 0
        self.close_code: int | None = None
        self.close_reason = ""

    # --- the connection -------------------------------------------------------------------------------

    async def connect(self, *, sync: bool = True) -> Self:
        """Open the socket; with `sync` wait until the document is the room's, then send what is owed."""
        self._socket = await connect_socket(
            self._url, additional_headers=self._headers, max_size=None, max_queue=None, compression=None,
            ping_interval=None,
        )  # fmt: skip
        self.close_code, self.is_synced, self._saved = None, False, 0
        self._reading = asyncio.create_task(self._read_all())
        if sync:
            await self._socket.send(SyncStep1(self.doc.get_state()).encode())
            await self.until(lambda: self.is_synced and self.welcome is not None, "the room")
            for frame in list(self._unsaved):
                await self._socket.send(frame)
        return self

    async def close(self) -> None:
        """Leave."""
        if self._socket is not None:
            await self._socket.close()
        if self._reading is not None:
            await self._reading

    def cut(self) -> None:
        """Lose the connection as when the network goes."""
        assert self._socket is not None
        self._socket.transport.abort()

    async def __aenter__(self) -> Self:
        return await self.connect()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def until(
        self, is_so: Callable[[], object], what: str = "it", timeout_s: float = DEADLINE_S
    ) -> None:
        """Wait until something that messages bring about is so. Raises TimeoutError, ConnectionError."""
        try:
            async with asyncio.timeout(timeout_s):
                while not is_so():
                    if self._reading is not None and self._reading.done():
                        raise ConnectionError(f"closed with {self.close_code} while waiting for {what}")
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            last = self.received[-1] if self.received else None
            raise TimeoutError(f"{what} did not come in {timeout_s} s; last: {last}") from None

    async def until_closed(self, timeout_s: float = DEADLINE_S) -> tuple[int | None, str]:
        """Wait for the other end to close; its code and reason."""
        assert self._reading is not None
        async with asyncio.timeout(timeout_s):
            await asyncio.shield(self._reading)
        return self.close_code, self.close_reason

    @property
    def is_connected(self) -> bool:
        """The socket was opened and neither side has ended it."""
        return self._reading is not None and not self._reading.done()

    @property
    def unsaved(self) -> int:
        """Durable messages that the server has not said to be saved."""
        return len(self._unsaved)

    async def until_saved(self, timeout_s: float = DEADLINE_S) -> None:
        await self.until(lambda: not self._unsaved, "saved", timeout_s)

    # --- sending --------------------------------------------------------------------------------------

    async def send(self, message: ClientMessage) -> None:
        """Send a message; a durable one is kept until it is saved."""
        frame = message.encode()
        if message.mark == "durable":
            self._unsaved.append(frame)
        assert self._socket is not None
        await self._socket.send(frame)

    async def send_raw(self, frame: bytes | str) -> None:
        """Send whatever it is."""
        assert self._socket is not None
        await self._socket.send(frame)

    async def edit(self, *patches: Patch) -> None:
        """Change the text as one edit and send it. Positions beyond the end count as the end."""
        self._made.clear()
        with self.doc.transaction():
            for position, deleted, inserted in patches:
                text = str(self.text)
                start, end = _offset(text, position), _offset(text, position + deleted)
                if end > start:
                    del self.text[start:end]
                if inserted:
                    self.text.insert(start, inserted)
        for update in self._made:
            await self.send(Edit(update))

    async def say(self, text: str) -> str:
        """Say a line; its key."""
        key = secrets.token_hex(8)
        await self.send(Say(key, text))
        return key

    async def see(self, count: int, timeout_s: float = DEADLINE_S) -> None:
        """Apply held edits of the others until so many have been applied in all."""
        while self.edits_seen < count:
            if not self.held:
                await self.until(lambda: self.held, "an edit of the other side", timeout_s)
            self.doc.apply_update(self.held.popleft())
            self.edits_seen += 1

    def _remember(self, event: TransactionEvent) -> None:
        self._made.append(event.update)

    # --- receiving ------------------------------------------------------------------------------------

    async def _read_all(self) -> None:
        assert self._socket is not None
        try:
            while True:
                frame = await self._socket.recv()
                assert isinstance(frame, bytes)
                self._take(decode_from_server(frame))
                self._changed.set()
        except ConnectionClosed as closed:
            self.close_code = closed.rcvd.code if closed.rcvd else 1006
            self.close_reason = closed.rcvd.reason if closed.rcvd else ""
        finally:
            self._changed.set()

    def _take(self, message: ServerMessage) -> None:  # noqa: C901, PLR0912 - one flat table
        if isinstance(message, Edit):
            if self.holds_edits:
                self.held.append(message.update)
            else:
                self.doc.apply_update(message.update)
            return
        if isinstance(message, Beat):
            self.beats += 1
            return
        self.received.append(message)
        match message:
            case Committed(after_seq, seq, saved):
                self.has_gap = self.has_gap or after_seq != self.seq
                self.seq = seq
                for _ in range(min(saved - self._saved, len(self._unsaved))):  # raw frames are not kept
                    self._unsaved.popleft()
                self._saved = saved
            case SyncStep2(update):
                self.doc.apply_update(update)
                self.is_synced = True
            case Welcome():
                self.welcome, self.seq = message, message.seq
                self.phase, self.language, self.seats = message.phase, message.language, message.seats
                self._keep_lines(Said(**line) for line in message.lines)
                self._keep_elements(message.elements)
            case Said():
                self._keep_lines([message])
            case Drawn(_, elements):
                self._keep_elements(elements)
            case LanguageChosen():
                self.language = message.language
            case Moved():
                self.phase = message.phase
            case Present(seats):
                self.seats = seats
            case Refused():
                self.refusals.append(message)
            case Awareness() | SyncStep1():
                pass

    def _keep_lines(self, lines: Iterable[Said]) -> None:
        for line in lines:
            self.lines[line.seq] = line

    def _keep_elements(self, elements: Iterable[dict[str, Any]]) -> None:
        for element in elements:
            self.elements[element["id"]] = element


def _offset(text: str, position: int) -> int:
    """A position in code points as pycrdt counts: in bytes of UTF-8."""
    if text.isascii():
        return min(position, len(text))
    return len(text[:position].encode())
