"""How much one person may send and how many sockets they may hold, in this process.

Nothing is thrown away: whoever sends more than that is read from more slowly, and TCP tells them. What others
send is not delayed by it.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import blake2b
from time import monotonic

from django.conf import settings

from rooms.errors import Busy, TooManySockets

BURST_S = 10.0
"""How many seconds' worth may come at once. A page that was offline sends all it kept in one go."""
TABS = 2
"""A person's connections together may send this many times what one may."""
AT_THE_DOOR = 32
"""Handshakes that are looked at at the same time; each costs a few queries."""
IN_LINE = 4_000
"""Handshakes that may wait for that. After a restart everybody comes at once."""
COUNTED_MESSAGES, COUNTED_BYTES = 16, 8 * 1024
"""What is counted before it is taken from the buckets: looking at the clock costs more."""
HANDSHAKE_BURST = 30
"""One sign-in's handshakes at once: a few tabs that all reconnect a few times."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What may be sent for long, per second. 0: as much as one likes."""

    messages: float
    bytes: float

    def times(self, factor: float) -> Rate:
        return Rate(self.messages * factor, self.bytes * factor)


class Bucket:
    """Tokens that come back at a steady rate, told by the moment at which it will be full again.

    It may be overdrawn by the last message; then its owner waits until nothing is owed.
    """

    __slots__ = ("_byte_s", "_bytes_full_at", "_message_s", "_messages_full_at")

    def __init__(self, rate: Rate) -> None:
        self._message_s = 1 / rate.messages if rate.messages else 0.0
        self._byte_s = 1 / rate.bytes if rate.bytes else 0.0
        self._messages_full_at = self._bytes_full_at = 0.0

    def take(self, messages: int, size_bytes: int, now_s: float) -> None:
        """So many messages of so many bytes in all have come."""
        self._messages_full_at = max(self._messages_full_at, now_s) + self._message_s * messages
        self._bytes_full_at = max(self._bytes_full_at, now_s) + self._byte_s * size_bytes

    def wait_s(self, now_s: float) -> float:
        """Seconds until the next message may be read; 0 or less: now."""
        return max(self._messages_full_at, self._bytes_full_at) - BURST_S - now_s


@dataclass(eq=False, slots=True)
class _Person:
    bucket: Bucket
    sockets: int = 0


class Allowance:
    """What one connection may send, and its person together with it. Give it back in the end."""

    __slots__ = ("_bytes", "_limits", "_messages", "_own", "_person", "_person_id")

    def __init__(self, limits: Limits, person_id: uuid.UUID, person: _Person) -> None:
        self._limits = limits
        self._person_id = person_id
        self._person = person
        self._own = Bucket(limits.rate)
        self._messages = self._bytes = 0

    def take(self, size_bytes: int) -> bool:
        """Count a message; whether the next may be read at once."""
        self._messages += 1
        self._bytes += size_bytes
        if self._messages < COUNTED_MESSAGES and self._bytes < COUNTED_BYTES:
            return True
        now_s = monotonic()
        for bucket in (self._own, self._person.bucket):
            bucket.take(self._messages, self._bytes, now_s)
        self._messages = self._bytes = 0
        return self._wait_s(now_s) <= 0

    @property
    def wait_s(self) -> float:
        """Seconds until the next message may be read; 0 or less: now."""
        return self._wait_s(monotonic())

    def _wait_s(self, now_s: float) -> float:
        return max(self._own.wait_s(now_s), self._person.bucket.wait_s(now_s))

    def give_back(self) -> None:
        """The connection is gone."""
        self._limits.forget(self._person_id, self._person)


class Limits:
    """The people who are connected to this process, and the door they come in by."""

    def __init__(self, rate: Rate, *, sockets_per_person: int, handshakes_per_minute: float) -> None:
        """0 stands for no limit. handshakes_per_minute: of one sign-in, for long."""
        self.rate = rate
        self._sockets_per_person = sockets_per_person
        self._people: dict[uuid.UUID, _Person] = {}
        self._handshake_s = 60 / handshakes_per_minute if handshakes_per_minute else 0.0
        self._door = asyncio.Semaphore(AT_THE_DOOR)
        self._in_line = 0
        self._rested_at: dict[bytes, float] = {}
        """Of each sign-in that came lately: when it will have as many tries again as one who never came."""

    @asynccontextmanager
    async def turn(self, session_key: str) -> AsyncIterator[None]:
        """Wait for a turn at the door. Raises Busy when this sign-in, or everybody, comes too often."""
        if self._in_line >= IN_LINE or not self._may_try(session_key):
            raise Busy
        self._in_line += 1
        try:
            async with self._door:
                yield
        finally:
            self._in_line -= 1

    def _may_try(self, session_key: str) -> bool:
        if not self._handshake_s or not session_key:
            return True
        now_s = monotonic()
        if len(self._rested_at) >= IN_LINE:
            self._rested_at = {key: at for key, at in self._rested_at.items() if at > now_s}
        # Not the key itself: it opens the person's account, and lives here longer than its socket.
        key = blake2b(session_key.encode(errors="replace"), digest_size=16).digest()
        rested_at = max(self._rested_at.get(key, 0.0), now_s) + self._handshake_s
        if rested_at - now_s > HANDSHAKE_BURST * self._handshake_s:
            return False
        self._rested_at[key] = rested_at
        return True

    def sit_down(self, person_id: uuid.UUID) -> Allowance:
        """One more socket of this person. Raises TooManySockets."""
        person = self._people.get(person_id)
        if person is None:
            person = self._people[person_id] = _Person(Bucket(self.rate.times(TABS)))
        if self._sockets_per_person and person.sockets >= self._sockets_per_person:
            raise TooManySockets
        person.sockets += 1
        return Allowance(self, person_id, person)

    def forget(self, person_id: uuid.UUID, person: _Person) -> None:
        """One socket less. A bucket that is not full yet stays, so that reconnecting does not fill it."""
        person.sockets -= 1
        if person.sockets:
            return
        wait_s = person.bucket.wait_s(monotonic()) + BURST_S
        if wait_s <= 0:
            self._people.pop(person_id, None)
        else:
            asyncio.get_running_loop().call_later(wait_s + 1, self._drop, person_id)

    def _drop(self, person_id: uuid.UUID) -> None:
        person = self._people.get(person_id)
        if person is not None and not person.sockets:
            del self._people[person_id]


_limits: dict[asyncio.AbstractEventLoop, Limits] = {}


def limits() -> Limits:
    """The limits of the running event loop, as the settings say: one per process."""
    loop = asyncio.get_running_loop()
    if loop not in _limits:
        for stale in [each for each in _limits if each.is_closed()]:
            del _limits[stale]
        _limits[loop] = Limits(
            Rate(settings.ROOM_MESSAGES_PER_S, settings.ROOM_BYTES_PER_S),
            sockets_per_person=settings.ROOM_SOCKETS_PER_PERSON,
            handshakes_per_minute=settings.ROOM_HANDSHAKES_PER_MINUTE,
        )
    return _limits[loop]
