"""People who type all the time, and what of it must never be lost.

Each thing a person sends carries a word of its own, so that what was promised to them ("saved") and what the
other side was shown can be looked up in the log afterwards.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.db import connection
from websockets.exceptions import WebSocketException

from anteroom.serving import Site
from rooms.client import RoomClient
from rooms.live.room import Facts, LiveRoom
from rooms.log import entries
from tests.bars import Verdict
from tests.bars.harness import make_couple
from tests.rooms.people import Pair

PAUSE_S = 0.005
"""Between two edits of one person, on average: some hundred times a fast typist."""
LONG_CHARACTERS = 3_000
"""Of a text that is rather tidied than continued, so that hundreds of crashes take minutes."""
GONE = (ConnectionError, OSError, TimeoutError, WebSocketException)
"""What a client raises when its server is killed."""


class Typist:
    """One person who types words, deletes some of them again, and says others."""

    def __init__(self, client: RoomClient, letter: str) -> None:
        self.client = client
        self.letter = letter
        self.sent: list[tuple[str, str]] = []
        """What was done and with which word, in the order of sending; one durable message each."""
        self.deleted: set[str] = set()

    @property
    def acknowledged(self) -> list[tuple[str, str]]:
        """What the server said to be saved."""
        return self.sent[: len(self.sent) - self.client.unsaved]

    def words(self, *, done: str) -> set[str]:
        """The acknowledged words that were typed, deleted or said."""
        return {word for what, word in self.acknowledged if what == done}

    async def stay_and_type(self, rng: random.Random, enough: asyncio.Event) -> None:
        """Type until the connection is gone, or it is enough. Do not cancel it: a frame may be half out."""
        with suppress(*GONE):
            while not enough.is_set():
                await self.act(rng)
                await asyncio.sleep(rng.expovariate(1 / PAUSE_S))

    async def act(self, rng: random.Random) -> None:
        """One thing: mostly a new word, sometimes a deletion or a line of chat."""
        word = f"{self.letter}{len(self.sent)}"
        tidies = 0.55 if len(str(self.client.text)) > LONG_CHARACTERS else 0.15
        match rng.random():
            case chance if chance < 0.05:
                self.sent.append(("said", word))
                await self.client.say(word)
            case chance if chance < tidies and (old := self._an_old_word(rng)):
                text = str(self.client.text)
                self.deleted.add(old)
                self.sent.append(("deleted", old))
                await self.client.edit((text.index(f"{old} "), len(old) + 1, ""))
            case chance:
                self.sent.append(("typed", word))
                at = 0 if chance < 0.75 else len(str(self.client.text))
                await self.client.edit((at, 0, f"{word} "))

    def _an_old_word(self, rng: random.Random) -> str | None:
        mine = [
            word for what, word in self.acknowledged[-50:] if what == "typed" and word not in self.deleted
        ]
        return rng.choice(mine) if mine else None


@dataclass(frozen=True)
class Claims:
    """What the people of a room may rely on at one moment: words, and a place in the log."""

    typed: set[str]
    shown: set[str]
    deleted: set[str]
    said: set[str]
    place: int


class Table:
    """A room, its two typists, and the log as far as it was looked at."""

    def __init__(self, site: Site) -> None:
        couple = make_couple(site)
        self.pair: Pair = couple.pair
        self.typists = (Typist(couple.candidate, "c"), Typist(couple.interviewer, "i"))
        self.log = LiveRoom.replay([], Facts("", "python", 0, 0, {}))

    @property
    def clients(self) -> tuple[RoomClient, RoomClient]:
        return self.typists[0].client, self.typists[1].client

    def claims(self) -> Claims:
        """What both were promised and shown until now. Call it where the clients live."""
        typed: set[str] = set()
        shown: set[str] = set()
        deleted: set[str] = set()
        said: set[str] = set()
        place = 0
        for typist, other in (self.typists, self.typists[::-1]):
            client = typist.client
            typed |= typist.words(done="typed") - typist.deleted
            shown |= {word for word in str(client.text).split() if word[0] == other.letter} - other.deleted
            deleted |= typist.words(done="deleted")
            said |= typist.words(done="said") | {line.text for line in client.lines.values()}
            place = max(place, client.seq)
        return Claims(typed, shown, deleted, said, place)

    def losses(self, claims: Claims | None = None) -> list[str]:
        """What was claimed, by default until now, and the log in the database does not hold. Asks Postgres.

        Claims come first and the log second: what is committed in between is nobody's loss.
        """
        claims = claims or self.claims()
        try:
            for entry in entries(self.pair.room_id, after_seq=self.log.seq):
                if entry.seq != self.log.seq + 1:
                    return [f"the log goes on with {entry.seq} behind {self.log.seq}"]
                self.log.take(entry)
        finally:
            connection.close()  # this thread's; a Postgres may be killed before the next question
        there = set(self.log.document.text.split())
        heard = {line.text for line in self.log.chat.after(0)}
        # Whatever was deleted meanwhile is missing rightly.
        gone = self.typists[0].deleted | self.typists[1].deleted
        wanted = {
            "typed and saved": claims.typed - gone - there,
            "shown": claims.shown - gone - there,
            "deleted and saved": claims.deleted & there,
            "said": claims.said - heard,
        }
        lost = [f"{word} was {how}" for how, words in wanted.items() for word in sorted(words)]
        if claims.place > self.log.seq:
            lost.append(f"place {claims.place} of the log was shown, it ends at {self.log.seq}")
        return lost

    async def meet(self, timeout_s: float = 20) -> None:
        """Who is away comes back, and both send what they still owe. Raises what a killed server makes them
        raise."""
        await together(_come(client) for client in self.clients)
        await together(client.until_saved(timeout_s) for client in self.clients)

    async def part(self) -> None:
        """Both leave."""
        for client in self.clients:
            await client.close()

    async def is_equal(self, timeout_s: float = 10) -> bool:
        """Whether both hold the same document as the log, once nothing is on its way."""
        one, other = self.clients
        try:
            await one.until(lambda: digest(str(one.text)) == digest(str(other.text)), timeout_s=timeout_s)
        except TimeoutError:
            return False
        unlogged = await asyncio.to_thread(self.losses, self.claims())
        return not unlogged and digest(self.log.document.text) == digest(str(one.text))


class Crowd:
    """Many tables of one site, and what was found lost so far."""

    def __init__(self, site: Site, rooms: int, rng: random.Random) -> None:
        self._tables = [Table(site) for _ in range(rooms)]
        self._rng = rng
        self._enough = asyncio.Event()
        self.losses: list[str] = []
        self.unequal = 0
        """Rooms whose people or log did not hold the same in the end."""
        self.under_way = 0
        """Sent and not acknowledged at the moments of the crashes: what a crash could have hurt."""

    @property
    def clients(self) -> list[RoomClient]:
        return [client for table in self._tables for client in table.clients]

    @property
    def is_broken(self) -> bool:
        return bool(self.losses or self.unequal)

    @property
    def sent(self) -> int:
        """Edits and lines of everybody."""
        return sum(len(typist.sent) for table in self._tables for typist in table.typists)

    def start_typing(self) -> list[asyncio.Task[None]]:
        """Everybody types until the connection is gone, or until `stop_typing`."""
        self._enough.clear()
        return [
            asyncio.create_task(typist.stay_and_type(random.Random(self._rng.random()), self._enough))
            for table in self._tables
            for typist in table.typists
        ]

    async def stop_typing(self, typing: list[asyncio.Task[None]]) -> None:
        """Wait until they have stopped."""
        self._enough.set()
        await asyncio.gather(*typing)

    def start_coming(self) -> list[asyncio.Task[None]]:
        """Everybody comes back."""
        return [asyncio.create_task(table.meet()) for table in self._tables]

    def crashed(self) -> None:
        """It happened just now: count what was under way."""
        self.under_way += sum(client.unsaved for client in self.clients)

    async def look(self, when: str) -> None:
        """Look up in the log what was promised and shown."""
        for number, table in enumerate(self._tables):
            lost = await asyncio.to_thread(table.losses, table.claims())
            self.losses += [f"{when}, room {number}: {each}" for each in lost]

    async def compare(self) -> None:
        """Everybody comes back and sends what is owed: the same document here, there and in the log."""
        await together(self.start_coming())
        self.unequal += (await asyncio.gather(*(table.is_equal() for table in self._tables))).count(False)

    def verdict(self, bar: str, **details: Any) -> Verdict:
        """Held when nothing was lost, all are equal, and something was at stake."""
        figure = len(self.losses) + self.unequal
        return Verdict(
            bar, figure, 0, figure == 0 and self.under_way > 0,
            {
                "lost": len(self.losses), "unequal_rooms": self.unequal, "sent": self.sent,
                "under_way_at_crashes": self.under_way, "examples": self.losses[:5], **details,
            },
        )  # fmt: skip


async def _come(client: RoomClient) -> None:
    if not client.is_connected:
        await client.connect()


def digest(text: str) -> str:
    """SHA-256 of a document's text."""
    return hashlib.sha256(text.encode()).hexdigest()


async def together(calls: Iterable[Awaitable[None]]) -> None:
    """Wait for all of them; raise the first error after all have ended."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
