"""A corpus of crafted messages, each through a real socket: every one is refused, and the room goes on for
the person who sits in it and for one who comes new.

The corpus is tests/bars/corpus/, the deadliest first; --runs tries so many of it. Ten that got through end
it.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from channels.db import database_sync_to_async
from websockets.exceptions import WebSocketException

from anteroom.serving import Site
from rooms import log
from rooms.client import RoomClient
from rooms.roles import Role
from rooms.streams import Stream
from rooms.wire import Committed, Edit, Resume, Welcome
from tests.bars import Say, Verdict
from tests.bars.corpus.messages import Attack, attacks
from tests.bars.corpus.updates import IN_ROOT, OWN, OWN_TEXT, STRING, Scene, item, string, update
from tests.bars.harness import UNHURRIED, Stage, Stopwatch, stage
from tests.bars.witness import Died, Unable, Witness
from tests.rooms.people import client_of, make_pair

VICTIM_TEXT = "untouched "
ENOUGH = 10
OUTCOME_WITHIN_S = 5.0
TOO_LARGE, BAD_FRAME = 1009, 4400
Trouble = (Died, Unable, OSError, TimeoutError, WebSocketException)


def run(*, runs: int | None, plant: bool, say: Say, shell: str = "daphne") -> Verdict:
    """plant: every update passes the gate."""
    with stage(plant="gate-off" if plant else None, shell=shell, environment=UNHURRIED) as on:
        return asyncio.run(_Trial(on, say).run(runs, shell))


class _Trial:
    """One run of the bar."""

    def __init__(self, on: Stage, say: Say) -> None:
        self._site: Site = on.site
        self._say = say
        self._through: list[str] = []
        self._deaths = 0
        self._tried = 0

    async def run(self, runs: int | None, shell: str) -> Verdict:
        watch = Stopwatch()
        total = len(attacks(Scene(1, 1))[:runs])
        self._say(f"{total} crafted messages against {shell}, each in a room where somebody is typing.")
        while self._tried < total and len(self._through) < ENOUGH:
            try:
                await self._in_a_room(total)
            except Trouble as trouble:
                if not self._through:  # the room could not even be opened
                    raise
                self._say(f"the room is given up: {trouble}")
        return Verdict(
            "gate-corpus", len(self._through), 0, not self._through and self._tried == total,
            {
                "tried": self._tried, "of": total, "through": self._through[:ENOUGH],
                "server_deaths": self._deaths, "shell": shell, "seconds": round(watch.seconds),
            },
        )  # fmt: skip

    async def _in_a_room(self, total: int) -> None:
        """Try what is left, in one room, until something got through."""
        if await asyncio.to_thread(self._site.has_died):
            await asyncio.to_thread(self._site.kill)
            await asyncio.to_thread(self._site.start)
        pair = await database_sync_to_async(make_pair)()
        url = f"{self._site.socket_url}/sockets/rooms/{pair.room_id}"
        async with AsyncExitStack() as stack:
            witness = await stack.enter_async_context(
                Witness(url, (pair.interviewer, pair.interviewer), self._site.url)
            )
            victim = (await witness.come())["client_id"]
            attacker = _Attacker(client_of(self._site, pair, Role.CANDIDATE))
            stack.push_async_callback(attacker.leave)
            await attacker.settle()
            text = (await witness.type(VICTIM_TEXT))["text"]
            clock = len(VICTIM_TEXT)
            while self._tried < total:
                attack = attacks(Scene(victim, clock))[self._tried]
                self._tried += 1
                problem = await self._try(attack, attacker, witness, text)
                if problem:
                    self._through.append(f"{attack.name}: {problem}")
                    self._say(self._through[-1])
                    return
                text, clock = text + ".", clock + 1
            if problem := await database_sync_to_async(_look_at_log)(pair.room_id):
                self._through.append(problem)

    async def _try(self, attack: Attack, attacker: _Attacker, witness: Witness, text: str) -> str:
        """What went wrong, if anything did."""
        try:
            wrong = await attacker.send(attack)
            after = await witness.type(".")
            if after["text"] != text + ".":
                wrong = wrong or f"the text is {after['text'][:200]!r}"
            if after["heard"]:
                wrong = wrong or f"the other side heard {str(after['heard'])[:200]}"
            if (found := await witness.load()) != text + ".":
                wrong = wrong or f"who comes new finds {found[:200]!r}"
        except Trouble as trouble:
            wrong = f"the room cannot be used: {trouble}"
        if await asyncio.to_thread(self._site.has_died):
            self._deaths += 1
            wrong = f"the server died ({wrong})"
        return wrong


class _Attacker:
    """The other side of the room, who owns their client."""

    def __init__(self, client: RoomClient) -> None:
        client.holds_edits = True  # what others write is of no interest
        self._client = client

    async def settle(self) -> None:
        """Write the own text that some attacks are about."""
        await self._client.connect()
        await self._client.send(Edit(update(item(STRING, string(OWN_TEXT), parent=IN_ROOT), client=OWN)))
        await self._client.until_saved()

    async def leave(self) -> None:
        await self._client.close()

    async def send(self, attack: Attack) -> str:
        """Send it and see what comes of it; "" when that is what should."""
        client = self._client
        if client.close_code is not None:
            client.received.clear()
            await client.connect(sync=False)
            await client.until(lambda: _welcomes(client), "the room")
        refusals, saved = len(client.refusals), _saved(client)
        await client.send_raw(attack.frame)
        if attack.outcome == "closed":
            return await self._is_closed(saved)
        if attack.outcome != "unheard":
            try:
                await client.until(lambda: len(client.refusals) > refusals, "a refusal", OUTCOME_WITHIN_S)
            except ConnectionError:
                return f"the socket was closed with {client.close_code} and without a word"
            except TimeoutError:
                return "it was not refused"
        return "" if await self._stays() or attack.outcome == "refused" else "the socket did not stay"

    async def _stays(self) -> bool:
        client = self._client
        welcomes = _welcomes(client)
        try:
            await client.send(Resume(0))
            await client.until(lambda: _welcomes(client) > welcomes, "an answer", OUTCOME_WITHIN_S)
        except (ConnectionError, WebSocketException):
            await client.until_closed(OUTCOME_WITHIN_S)
            return False
        return True

    async def _is_closed(self, saved: int) -> str:
        client = self._client
        try:
            await client.until(lambda: _saved(client) > saved, "an answer", OUTCOME_WITHIN_S)
        except ConnectionError:
            code = client.close_code
            return "" if code in (BAD_FRAME, TOO_LARGE) else f"the socket was closed with {code}"
        except TimeoutError:
            return "it was not refused"
        return "it was taken"


def _saved(client: RoomClient) -> int:
    """How many messages of this socket were taken, as the server says."""
    return max((told.saved for told in client.received if isinstance(told, Committed)), default=0)


def _welcomes(client: RoomClient) -> int:
    return sum(isinstance(message, Welcome) for message in client.received)


def _look_at_log(room_id: object) -> str:
    """Nothing of the attacker's is kept but the one edit that was in order."""
    kept = [entry for entry in log.entries(room_id) if entry.role is Role.CANDIDATE]  # type: ignore[arg-type]
    edits = [entry for entry in kept if entry.stream is Stream.CODE]
    others = [entry for entry in kept if entry.stream not in (Stream.CODE, Stream.PRESENCE)]
    if len(edits) != 1 or others:
        return f"the log holds {len(edits)} edits and {len(others)} other things of the attacker"
    return ""
