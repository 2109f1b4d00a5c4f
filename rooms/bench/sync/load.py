"""The load: rooms of two clients who type and move their cursors, and when what arrived at the other side.

One thread, one epoll, frames made beforehand. An arrival is known by its bytes: each side's edits come in the
order in which they were sent, so what comes is compared with what must come next; where a server writes an
update anew or merges several, the update is read and its characters say which edits it holds.

The load is open: a send is due at its time whatever the server does. What never arrives counts as late.
"""

from __future__ import annotations

import gc
import math
import random
import select
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rooms.bench.sync import sockets
from rooms.bench.sync.clients import Client, Door, Script
from rooms.bench.sync.dialects import (
    AWARENESS,
    COMMITTED,
    STEP_2,
    SYNC,
    UPDATE,
    Dialect,
    sync_body,
)
from rooms.bench.sync.edits import Typing
from rooms.bench.sync.updates import read_update

PERIOD_S = 0.2
"""Each client types once and moves its cursor once in this time, at moments of its own."""
HELD_MS = 50.0
"""A room is held while 99 of 100 edits are at the other side within this time."""
LATE_MS = 5.0
"""A step in which 1 of 100 sends was later than this does not count: the generator was the slow one."""
DRAIN_S = 10.0
OPENING_AT_ONCE = 24
OPEN_TIMEOUT_S = 60.0
GIVE_UP_S = 4.0
"""A step ends early once so much of typing is under way."""
SENDS_BEFORE_A_LOOK = 24

_now = time.perf_counter


class LoadError(Exception):
    """A room could not be opened."""


@dataclass
class Step:
    """What one step of load measured; times in ms. `edits` is what was sent while it was measured."""

    rooms: int
    seconds: float
    edits: int
    lost: int
    """Sent, but not at the other side ten seconds after the last send."""
    doubled: int
    closed: int
    """Sockets the server closed."""
    cursors: float
    """Others' cursor moves that reached a client, per client and second."""
    p50: float
    p99: float
    most: float
    lag_p99: float
    cpu_s: float = 0.0
    """The server spent on all edits and cursors of this step, its database included."""

    @property
    def counts(self) -> bool:
        """The generator kept its own times."""
        return self.lag_p99 <= LATE_MS

    @property
    def is_held(self) -> bool:
        return self.counts and self.p99 < HELD_MS and not self.closed


@dataclass
class Flood:
    """Closed-loop typing: as fast as the other side receives."""

    rooms: int
    seconds: float
    edits: int
    closed: int

    @property
    def per_second(self) -> float:
        return self.edits / self.seconds


class Load:
    """All clients of one server."""

    def __init__(
        self, address: tuple[str, int], dialect: Dialect, typing: Sequence[Typing], *, name_size: int
    ) -> None:
        """name_size: the length of the rooms' names."""
        self.address = address
        self.dialect = dialect
        prefix_size = len(dialect.prefix("x" * name_size))
        self.scripts = [Script(each, prefix_size) for each in typing]
        self.rooms: list[tuple[Client, Client]] = []
        self._poll = select.epoll()
        self._clients: dict[int, Client] = {}
        self._since = math.inf
        self._latencies: list[float] = []
        self._arrived = 0
        self._cursors = 0
        self._closed = 0
        self._touched: set[Client] = set()

    # --- opening and closing --------------------------------------------------------------------------

    def open(self, doors: Sequence[Door]) -> None:
        """Let both clients into these rooms and wait until each has the document. Raises LoadError."""
        coming: list[Client] = []
        for door in doors:
            prefix = self.dialect.prefix(door.name)
            pair = (Client(door, 0, prefix, self.scripts[0]), Client(door, 1, prefix, self.scripts[1]))
            pair[0].peer, pair[1].peer = pair[1], pair[0]
            self.rooms.append(pair)
            coming += pair
        deadline = _now() + OPEN_TIMEOUT_S
        waiting: set[Client] = set()
        while coming or waiting:
            while coming and len(waiting) < OPENING_AT_ONCE:
                client = coming.pop(0)
                self._knock(client)
                waiting.add(client)
                deadline = _now() + OPEN_TIMEOUT_S
            self._turn(0.1)
            for client in [each for each in waiting if each.state != "coming"]:
                waiting.discard(client)
                if client.state == "closed":
                    raise LoadError(f"a room did not open: {client.problem}")
            if _now() > deadline:
                raise LoadError(f"a room did not open in {OPEN_TIMEOUT_S:g} s")

    def _knock(self, client: Client) -> None:
        connection = socket.create_connection(self.address, timeout=OPEN_TIMEOUT_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        client.socket, client.state = connection, "coming"
        self._clients[connection.fileno()] = client
        self._poll.register(connection.fileno(), select.EPOLLIN)
        host = f"{self.address[0]}:{self.address[1]}"
        self._send(client, sockets.upgrade(host, client.door.path, client.door.headers[client.side]))

    def close(self) -> None:
        """Leave all rooms."""
        for client in list(self._clients.values()):
            self._gone(client, "")
        self._poll.close()

    def _gone(self, client: Client, why: str) -> None:
        if client.state != "closed":
            client.state, client.problem = "closed", why
            self._closed += 1
            self._clients.pop(client.socket.fileno(), None)
            self._poll.unregister(client.socket.fileno())
            client.socket.close()

    # --- load -----------------------------------------------------------------------------------------

    def type(
        self, rooms: int, seconds: float, *, warm_s: float = 1.5, cpu_s: Callable[[], float] = lambda: 0.0
    ) -> Step:
        """Type in the first so many rooms and measure the edits sent after the warm-up.

        cpu_s: what the server has spent so far.
        """
        clients = [client for pair in self.rooms[:rooms] for client in pair]
        for script in self.scripts:
            most = max((client.sent for client in clients if client.script is script), default=0)
            script.reserve(most + math.ceil((seconds + warm_s) / PERIOD_S) + 2)
        self._begin(clients)
        with _no_pauses():
            lags, measured_s, spent_s = self._play(clients, seconds, warm_s, cpu_s)
            self._drain(clients)
        sent = [at for client in clients for at in client.sent_at if at >= self._since]
        self._since = math.inf
        ordered = sorted(self._latencies)
        lost = len(sent) - len(ordered)
        return Step(
            rooms=rooms, seconds=measured_s, edits=len(sent), lost=lost,
            doubled=sum(client.doubled for client in clients), closed=self._closed,
            cursors=self._cursors / len(clients) / measured_s,
            p50=_share(ordered, lost, 0.50), p99=_share(ordered, lost, 0.99), most=_share(ordered, lost, 1.0),
            lag_p99=_share(sorted(lags), 0, 0.99), cpu_s=spent_s,
        )  # fmt: skip

    def _play(
        self, clients: list[Client], seconds: float, warm_s: float, cpu_s: Callable[[], float]
    ) -> tuple[list[float], float, float]:
        """Send what is due when it is due; the sends' lateness, seconds measured, CPU seconds spent."""
        slots = sorted(
            (random.random() * PERIOD_S, number, kind) for number in range(len(clients)) for kind in (0, 1)
        )
        offsets = [offset for offset, _, _ in slots]
        turns = [(clients[number], kind) for _, number, kind in slots]
        lags: list[float] = []
        place, cycle = 0, _now()
        since, end = cycle + warm_s, cycle + warm_s + seconds
        due = cycle + offsets[0]
        began_cpu_s, next_look = 0.0, cycle + 1
        while True:
            now = _now()
            if now >= since and self._since == math.inf:
                self._since, self._cursors, began_cpu_s = now, 0, cpu_s()
                lags.clear()
            if now >= end:
                break
            if now >= next_look:
                next_look = now + 1
                if sum(client.sent - client.peer.seen for client in clients) > GIVE_UP_S / PERIOD_S * len(
                    clients
                ):
                    break
            for _ in range(SENDS_BEFORE_A_LOOK):
                if due > now:
                    break
                client, is_cursor = turns[place]
                lags.append(now - due)
                if client.state == "open":
                    self._send_one(client, is_cursor, now)
                place += 1
                if place == len(turns):
                    place, cycle = 0, cycle + PERIOD_S
                due = cycle + offsets[place]
                now = _now()
            self._turn(max(0.0, due - now))
        ended = _now()
        self._since = min(self._since, ended)
        return [lag * 1000 for lag in lags], max(ended - self._since, 1e-9), cpu_s() - began_cpu_s

    def _send_one(self, client: Client, is_cursor: int, now: float) -> None:
        script = client.script
        if is_cursor:
            number = client.cursor
            client.cursor = (number + 1) % len(script.cursor_tails)
            self._send(client, script.cursor_heads[number] + client.prefix + script.cursor_tails[number])
        else:
            number = client.sent
            client.sent = number + 1
            client.sent_at.append(now)
            self._send(client, script.heads[number] + client.prefix + script.tails[number])

    def type_until(self, rooms: int, seconds: float, cut: Callable[[], None]) -> None:
        """Type in the first so many rooms, let `cut` end the server, and take what was still on its way."""
        clients = [client for pair in self.rooms[:rooms] for client in pair]
        for script in self.scripts:
            most = max((client.sent for client in clients if client.script is script), default=0)
            script.reserve(most + math.ceil(seconds / PERIOD_S) + 2)
        self._begin(clients)
        with _no_pauses():
            self._play(clients, seconds, 0.0, lambda: 0.0)
            cut()
            deadline = _now() + DRAIN_S
            while _now() < deadline and any(client.state == "open" for client in clients):
                self._turn(0.1)

    def edit(self, counts: dict[Client, int], *, at_once: int, timeout_s: float) -> int:
        """Let each client send so many edits, at most `at_once` on their way; how many arrived."""
        for script in self.scripts:
            wanted = [client.sent + count for client, count in counts.items() if client.script is script]
            script.reserve(max(wanted, default=0))
        goals = {client: client.sent + count for client, count in counts.items()}
        self._begin(list(goals))
        self._arrived, deadline = 0, _now() + timeout_s
        with _no_pauses():
            for client, goal in goals.items():
                self._refill(client, goal, at_once)
            while _now() < deadline and any(client.peer.seen < goal for client, goal in goals.items()):
                self._touched.clear()
                self._turn(0.1)
                for client in self._touched:
                    if client.peer in goals:
                        self._refill(client.peer, goals[client.peer], at_once)
                if self._closed:
                    break
        return self._arrived

    def flood(self, rooms: int, seconds: float, *, at_once: int) -> Flood:
        """As fast as it goes: each client has up to `at_once` edits on their way to the other."""
        clients = [client for pair in self.rooms[:rooms] for client in pair]
        self._begin(clients)
        with _no_pauses():
            for client in clients:
                self._refill(client, 1 << 60, at_once)
            since = _now() + min(1.0, seconds / 4)
            self._flood_until(since, at_once)
            self._arrived, began = 0, _now()
            self._flood_until(began + seconds, at_once)
            arrived, took_s = self._arrived, _now() - began
            self._drain(clients)
        return Flood(rooms, took_s, arrived, self._closed)

    def _flood_until(self, end: float, at_once: int) -> None:
        while _now() < end:
            self._touched.clear()
            self._turn(0.1)
            for client in self._touched:
                self._refill(client.peer, 1 << 60, at_once)

    def _refill(self, client: Client, goal: int, at_once: int) -> None:
        """Send in one piece what may be on its way now."""
        upto = min(goal, client.peer.seen + at_once)
        if upto <= client.sent or client.state != "open":
            return
        script, prefix = client.script, client.prefix
        script.reserve(upto)
        pieces: list[bytes] = []
        for number in range(client.sent, upto):
            pieces += (script.heads[number], prefix, script.tails[number])
        now = _now()
        client.sent_at.extend([now] * (upto - client.sent))
        client.sent = upto
        self._send(client, b"".join(pieces))

    def _begin(self, clients: list[Client]) -> None:
        self._latencies, self._cursors, self._closed, self._since = [], 0, 0, math.inf
        for client in clients:
            client.doubled = 0

    def _drain(self, clients: list[Client]) -> None:
        """Wait for what is on its way, as long as something comes."""
        deadline = _now() + DRAIN_S
        while _now() < deadline and any(client.peer.seen < client.sent for client in clients):
            self._turn(0.1)

    def idle(self, seconds: float) -> None:
        """Only listen."""
        end = _now() + seconds
        while (left := end - _now()) > 0:
            self._turn(left)

    # --- the sockets ----------------------------------------------------------------------------------

    def _send(self, client: Client, data: bytes) -> None:
        if client.unsent:
            client.unsent += data
            return
        try:
            sent = client.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._gone(client, str(error))
            return
        if sent < len(data):
            client.unsent = data[sent:]
            self._poll.modify(client.socket.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def _turn(self, timeout_s: float) -> None:
        """Wait for something to come and take it."""
        clients = self._clients
        for number, event in self._poll.poll(timeout_s):
            client = clients.get(number)
            if client is None:
                continue
            if event & select.EPOLLOUT:
                self._poll.modify(number, select.EPOLLIN)
                waiting, client.unsent = client.unsent, b""
                self._send(client, waiting)
            if event & ~select.EPOLLOUT and client.state != "closed":
                try:
                    data = client.socket.recv(sockets.READ_BYTES)
                except BlockingIOError:
                    continue
                except OSError as error:
                    self._gone(client, str(error))
                    continue
                if not data:
                    self._gone(client, client.problem or "the server hung up")
                elif client.state == "open":
                    self._take(client, data)
                else:
                    self._take_first(client, data)

    def _take(self, client: Client, data: bytes) -> None:  # noqa: C901, PLR0912 - the hot path, in one piece
        now = _now()
        if client.data:
            data = client.data + data
        skip = len(client.prefix)
        peer = client.peer
        wanted, own = peer.script.tails, client.script.tails
        at, end = 0, len(data)
        while end - at >= 2:
            size, start = data[at + 1], at + 2
            if size > 125:
                if end - at < 10:
                    break
                if size == 126:
                    size, start = data[start] << 8 | data[start + 1], start + 2
                else:
                    size, start = int.from_bytes(data[start : start + 8], "big"), start + 8
            after = start + size
            if after > end:
                break
            if data[at] != sockets.BINARY:
                self._control(client, data[at], data[start:after])
                at = after
                continue
            at = after
            start += skip
            kind = data[start] if start < after else -1
            if kind == AWARENESS:
                if client.own_id not in data[start : start + 12]:
                    self._cursors += 1
            elif kind == SYNC:
                tail = data[start:after]
                number = client.seen
                if number < peer.sent and tail == wanted[number] and not client.ahead:
                    client.seen = number + 1
                    self._arrived += 1
                    sent_at = peer.sent_at[number]
                    if sent_at >= self._since:
                        self._latencies.append((now - sent_at) * 1000)
                elif client.echoed < client.sent and tail == own[client.echoed]:
                    client.echoed += 1
                else:
                    self._read_anew(client, tail, now)
            elif kind == COMMITTED:
                client.committed = data[start:after]
        client.data = data[at:]
        self._touched.add(client)

    def _read_anew(self, client: Client, tail: bytes, now: float) -> None:
        """An update that is not, byte for byte, the edit that comes next."""
        body = sync_body(tail)
        if body is None or body[0] not in (STEP_2, UPDATE):
            return
        peer = client.peer
        for number in peer.script.typing.numbers_in(read_update(body[1])):
            if client.has_seen(number):
                client.doubled += body[0] == UPDATE
                continue
            client.ahead.add(number)
            self._arrived += 1
            if number < peer.sent and peer.sent_at[number] >= self._since:
                self._latencies.append((now - peer.sent_at[number]) * 1000)
        while client.seen in client.ahead:
            client.ahead.discard(client.seen)
            client.seen += 1

    def _control(self, client: Client, kind: int, payload: bytes) -> None:
        if kind == sockets.PING:
            self._send(client, sockets.frame(payload, sockets.PONG))
        elif kind == sockets.CLOSE:
            code = int.from_bytes(payload[:2], "big")
            self._gone(client, f"closed with {code} {payload[2:].decode(errors='replace')}".strip())

    def _take_first(self, client: Client, data: bytes) -> None:
        """The server's first words: its consent, then the document."""
        data = client.data + data
        if client.state == "coming" and not client.problem:
            answer, found, rest = data.partition(b"\r\n\r\n")
            if not found:
                client.data = data
                return
            if b" 101 " not in answer[:20]:
                self._gone(client, answer.split(b"\r\n", 1)[0].decode("latin-1"))
                return
            client.problem, data = "the document did not come", rest
            for message in self.dialect.hello(client.door.name, b"\x00"):
                self._send(client, sockets.frame(message))
        frames, client.data = sockets.split(data)
        for kind, payload in frames:
            if kind != sockets.BINARY:
                self._control(client, kind, payload)
                continue
            message = payload[len(client.prefix) :]
            if message[:2] == bytes((SYNC, STEP_2)):
                client.state, client.problem = "open", ""


def _share(ordered: Sequence[float], missing: int, share: float) -> float:
    """The value at or below which this share lies (nearest rank); what is missing counts as endless."""
    count = len(ordered) + missing
    if not count:
        return math.nan
    rank = max(0, math.ceil(share * count) - 1)
    return ordered[rank] if rank < len(ordered) else math.inf


@contextmanager
def _no_pauses() -> Iterator[None]:
    """Python's collector waits meanwhile."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
