"""A network that delays, tears, holds back, cuts and falls silent, while two people type what was recorded:
five seconds after it has healed all have the same, nothing is lost and nothing is there twice.

--runs: seeds; each has a piece of the recording, a weather, and pages that drop their connections by
themselves. In even ones both write as recorded, where the text in the end is known; in odd ones each types
its part without waiting for the other. The whole recording goes through the weather too, from 50 runs on.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from channels.db import database_sync_to_async
from pycrdt import Doc, Text

from anteroom.serving import Site
from rooms import log
from rooms.client import RoomClient
from rooms.live.gate import ROOT as CODE
from rooms.live.gate import read_vector
from rooms.roles import Role
from rooms.streams import Stream
from rooms.traces import Trace, read_trace
from rooms.wire import Draw, Edit
from rooms.wire import Say as SayLine
from tests.bars import Say, Verdict
from tests.bars.harness import UNHURRIED, Stage, Stopwatch, stage
from tests.bars.pieces import WRITERS, Keystroke, Piece, cut, whole
from tests.bars.typists import digest, together
from tests.faults.proxy import Counts, Proxy
from tests.faults.steady import SteadyClient
from tests.rooms.people import Pair, client_of, make_pair

ROOT = Path(__file__).resolve().parents[2]
RECORDINGS = (
    ROOT.parent / "shared" / "traces" / "friendsforever.json.gz",
    ROOT / "tests" / "traces" / "friendsforever-start.json.gz",
)
"""The whole recording where somebody put it beside the checkout, else the cut that the tests keep."""
SEEDS = 500
AT_ONCE = 8
WITH_THE_WHOLE = 50
KEYSTROKES = 120
LINES = 6
LIMIT_S = 5.0
GIVE_UP_S = 10.0
REST_WITHIN_S = 60.0
SPELLS = (4, 8)
SPELL_S = (0.1, 0.5)
PAUSE_S = 0.015
"""Between two keystrokes of one side, so that typing and storm last about equally long."""
LOOK_S = 0.02
RESTLESS_S = 0.6
"""After so long on average a page drops its connection though nothing told it to."""
RESTLESS_LONG_S = 6.0
BETWEEN_SPELLS_S = (0.5, 2.5)
"""Of the whole recording, which takes minutes: bad weather every other second."""


def run(*, runs: int | None, plant: bool, say: Say, shell: str = "daphne", seed: int = 0) -> Verdict:
    """plant: whoever asks for the rest of the code gets nothing. seed: the first one."""
    recording = next(path for path in RECORDINGS if path.exists())
    trace = read_trace(recording)
    seeds = runs or SEEDS
    say(f"{seeds} seeds from {seed} against {shell}, with pieces of {recording.name}.")
    with stage(plant="no-resync" if plant else None, shell=shell, environment=UNHURRIED) as on:
        trial = _Trial(on, cut(trace, KEYSTROKES), say)
        return asyncio.run(trial.run(range(seed, seed + seeds), trace, shell))


@dataclass(slots=True)
class Result:
    """What one seed brought."""

    seed: int
    keystrokes: int = 0
    took_s: float = GIVE_UP_S
    """From the healing until what was typed before it was saved and the same on both pages."""
    wrong: str = "it did not end"
    connections: int = 0
    counts: Counts = field(default_factory=Counts)


class _Trial:
    """One run of the bar."""

    def __init__(self, on: Stage, pieces: list[Piece], say: Say) -> None:
        self._site: Site = on.site
        self._pieces = pieces
        self._say = say
        self._results: list[Result] = []

    async def run(self, seeds: Iterable[int], trace: Trace, shell: str) -> Verdict:
        watch = Stopwatch()
        waiting = list(reversed(list(seeds)))
        total = len(waiting)

        async def work() -> None:
            while waiting and self._failures < AT_ONCE:
                await self._try(waiting.pop())
                if len(self._results) % 50 == 0:
                    self._say(f"{len(self._results)} seeds, {self._failures} failed")

        await together(work() for _ in range(AT_ONCE))
        details: dict[str, Any] = {}
        if total >= WITH_THE_WHOLE and not self._failures:
            details["whole_recording"] = await self._type_whole(whole(trace))
        worst = max(result.took_s for result in self._results)
        ok = not self._failures and len(self._results) >= total and worst <= LIMIT_S
        return Verdict("partition", round(worst, 2), LIMIT_S, ok, {
            "seeds": len(self._results), "failed": self._failures,
            "failures": [f"seed {each.seed}: {each.wrong}" for each in self._results if each.wrong][:5],
            "median_s": round(sorted(each.took_s for each in self._results)[len(self._results) // 2], 2),
            "keystrokes": sum(each.keystrokes for each in self._results),
            "connections": sum(each.connections for each in self._results),
            **_sum(each.counts for each in self._results),
            **details, "shell": shell, "seconds": round(watch.seconds),
        })  # fmt: skip

    @property
    def _failures(self) -> int:
        return sum(bool(result.wrong) for result in self._results)

    async def _try(self, seed: int) -> None:
        rng = random.Random(seed)
        piece = rng.choice(self._pieces)
        as_recorded = seed % 2 == 0
        result = Result(seed, piece.keystrokes)
        storm = (rng.randint(*SPELLS), SPELL_S)
        try:
            await _Room(self._site, seed, piece, rng).play(result, storm, PAUSE_S, as_recorded=as_recorded)
        except (TimeoutError, ConnectionError) as problem:
            result.wrong = str(problem)
        if result.wrong:
            self._say(f"seed {seed}: {result.wrong}")
        self._results.append(result)

    async def _type_whole(self, piece: Piece) -> dict[str, Any]:
        """All of it at full speed, in weather that goes on until the last keystroke was sent."""
        result = Result(seed=0, keystrokes=piece.keystrokes)
        self._say(f"The whole recording: {piece.keystrokes:,} keystrokes.")
        watch = Stopwatch()
        await _Room(self._site, 0, piece, random.Random(0)).play(result, None, 0, as_recorded=True)
        self._results.append(result)
        if result.wrong:
            self._say(f"the whole recording: {result.wrong}")
        return {
            "keystrokes": piece.keystrokes, "seconds": round(watch.seconds), "wrong": result.wrong,
            "equal_after_s": round(result.took_s, 2), "connections": result.connections,
        }  # fmt: skip


class _Room:
    """One room behind a proxy of its own, and the two who type in it."""

    def __init__(self, site: Site, seed: int, piece: Piece, rng: random.Random) -> None:
        self._site = site
        self._seed = seed
        self._piece = piece
        self._rng = rng
        self._typed: list[bytes] = []
        """Every update that either side made."""
        self._said: list[str] = []
        self._pause_s = 0.0
        self._may_type = asyncio.Event()
        self._may_type.set()
        self._clients: tuple[SteadyClient, SteadyClient]

    async def play(
        self, result: Result, storm: tuple[int, tuple[float, float]] | None, pause_s: float, *,
        as_recorded: bool,
    ) -> None:  # fmt: skip
        """storm: how many spells and how long each; None: until all is typed. pause_s: between keystrokes."""
        self._pause_s = pause_s
        pair = await database_sync_to_async(make_pair)()
        where = urlsplit(self._site.socket_url)
        assert where.hostname and where.port
        async with Proxy(where.hostname, where.port, self._seed) as proxy:
            self._clients = (
                self._client(proxy, pair, Role.CANDIDATE, WRITERS[0]),
                self._client(proxy, pair, Role.INTERVIEWER, WRITERS[1]),
            )
            for client in self._clients:
                await client.stay()
            try:
                await self._play(proxy, result, storm, as_recorded)
                result.wrong = await self._compare(pair, as_recorded)
            finally:
                result.connections = sum(client.connections for client in self._clients)
                result.counts = proxy.counts
                for client in self._clients:
                    await client.leave()

    def _client(self, proxy: Proxy, pair: Pair, role: Role, writer: int) -> SteadyClient:
        return SteadyClient(
            f"ws://localhost:{proxy.port}/sockets/rooms/{pair.room_id}",
            cookie=pair.candidate if role is Role.CANDIDATE else pair.interviewer,
            origin=self._site.url, client_id=writer, rng=random.Random(self._rng.random()),
        )  # fmt: skip

    async def _play(
        self, proxy: Proxy, result: Result, storm: tuple[int, tuple[float, float]] | None, as_recorded: bool
    ) -> None:
        for client in self._clients:
            await client.until(lambda client=client: client.is_synced, "the room")
        typing = [
            asyncio.create_task(self._type(number) if as_recorded else self._type_alone(number))
            for number in (0, 1)
        ]
        beside = [asyncio.create_task(self._say_lines(number)) for number in (0, 1)]
        every_s = RESTLESS_S if storm else RESTLESS_LONG_S
        restless = [asyncio.create_task(self._be_restless(client, every_s)) for client in self._clients]
        try:
            if storm is None:
                while not all(task.done() for task in typing):
                    await proxy.storm(1, SPELL_S)
                    await asyncio.sleep(self._rng.uniform(*BETWEEN_SPELLS_S))
            else:
                await proxy.storm(*storm)
            for task in restless:
                task.cancel()
            # What was typed until now has to be everywhere soon; the rest is typed afterwards.
            self._may_type.clear()
            watch = Stopwatch()
            await self._until_together()
            result.took_s = watch.seconds
            self._pause_s = 0
            self._may_type.set()
            try:
                async with asyncio.timeout(REST_WITHIN_S):
                    await asyncio.gather(*typing, *beside)
            except TimeoutError:
                standing = "; ".join(client.standing for client in self._clients)
                raise TimeoutError(f"typing did not end: {standing}") from None
            await self._until_together()
        finally:
            for task in (*typing, *beside, *restless):
                task.cancel()
            await asyncio.gather(*typing, *beside, *restless, return_exceptions=True)

    async def _until_together(self) -> None:
        """Everything is saved, and both pages show the same. Raises TimeoutError."""
        for client in self._clients:
            await client.until_saved(GIVE_UP_S)
        one, other = map(_state, self._clients)
        try:
            async with asyncio.timeout(GIVE_UP_S):
                while one != other:
                    await asyncio.sleep(LOOK_S)  # either page may be the one that lacks something
                    one, other = map(_state, self._clients)
        except TimeoutError:
            apart = [what for what in one if one[what] != other[what]]
            raise TimeoutError(f"the pages differ in {', '.join(apart)}") from None

    # --- what they do ---------------------------------------------------------------------------------

    async def _type(self, number: int) -> None:
        """As recorded: each keystroke once its writer has what it builds on."""
        client, other = self._clients[number], WRITERS[1 - number]
        for keystroke in self._piece.sides[number]:
            await self._until_has(client, other, keystroke)
            await self._may_type.wait()
            client.doc.apply_update(keystroke.update)
            self._typed.append(keystroke.update)
            await client.send(Edit(keystroke.update))
            await self._rest()

    async def _rest(self) -> None:
        await asyncio.sleep(self._pause_s)
        await self._may_type.wait()

    async def _until_has(self, client: SteadyClient, writer: int, keystroke: Keystroke) -> None:
        def has() -> bool:
            return read_vector(client.doc.get_state()).get(writer, 0) >= keystroke.needs

        if keystroke.needs and not has():
            await client.until(has, "the other side's words", 120)

    async def _type_alone(self, number: int) -> None:
        """The same keystrokes at the same places, whatever is there by now and whatever the other does."""
        client = self._clients[number]
        subscription = client.doc.observe(lambda event: made.append(event.update))
        made: list[bytes] = []
        try:
            for keystroke in self._piece.sides[number]:
                made.clear()
                await client.edit(*keystroke.patches)  # waits for nothing, so all that was made is ours
                self._typed += made
                await self._rest()
        finally:
            client.doc.unobserve(subscription)

    async def _say_lines(self, number: int) -> None:
        """Lines and drawings, which must be there once however often they were sent."""
        client = self._clients[number]
        for turn in range(LINES):
            text = f"{number} says {turn}"
            self._said.append(text)
            await client.send(SayLine(secrets.token_hex(8), text))
            await client.send(Draw([_box(f"box-{number}", number, turn), _box("shared", number, turn)]))
            await asyncio.sleep(self._rng.uniform(0, 0.4))
            await self._may_type.wait()

    async def _be_restless(self, client: SteadyClient, every_s: float) -> None:
        while True:
            await asyncio.sleep(self._rng.expovariate(1 / every_s))
            client.give_up()

    # --- what must be so --------------------------------------------------------------------------------

    async def _compare(self, pair: Pair, as_recorded: bool) -> str:
        """What is not as it should be, over all who have the room."""
        made: Doc[Text] = Doc()
        text = made.get(CODE, type=Text)
        for update in self._typed:
            made.apply_update(update)
        wanted = digest(self._piece.end if as_recorded else str(text))
        entries = await database_sync_to_async(log.entries)(pair.room_id)
        async with client_of(self._site, pair, Role.CANDIDATE) as newcomer:
            found = {
                "the first page": str(self._clients[0].text),
                "the second page": str(self._clients[1].text),
                "the server": str(newcomer.text),
                "the log": _replay(entries),
                "all that was typed": str(text),
            }
            wrong = [who for who, each in found.items() if digest(each) != wanted]
            if wrong:
                return f"another text at {', '.join(wrong)}"
            if [entry.seq for entry in entries] != list(range(1, len(entries) + 1)):
                return "the log has gaps"
            lines = [line.text for line in newcomer.lines.values()]
            for who in (*self._clients, newcomer):
                if Counter(line.text for line in who.lines.values()) != Counter(self._said):
                    return f"lines are lost or there twice: {sorted(lines)}"
                if _drawings(who) != _drawings(newcomer):
                    return "another drawing"
        if any(lines.index(f"{n} says {turn}") > lines.index(f"{n} says {turn + 1}")
               for n in (0, 1) for turn in range(LINES - 1)):  # fmt: skip
            return "lines of one person are out of order"
        return ""


def _state(client: SteadyClient) -> dict[str, object]:
    """What a page shows."""
    return {
        "text": str(client.text),
        "what they have of each other": read_vector(client.doc.get_state()),
        "lines": sorted(line.seq for line in client.lines.values()),
        "drawings": _drawings(client),
    }


def _drawings(client: RoomClient) -> dict[str, tuple[float, float]]:
    """Where each rectangle stands, which tells whose version of it counts."""
    return {key: (each["x"], each["y"]) for key, each in client.elements.items()}


def _box(key: str, number: int, turn: int) -> dict[str, Any]:
    """A rectangle as this side has it at this turn: of one version, but not the same."""
    return {
        "id": key, "type": "rectangle", "x": number, "y": turn, "width": 10, "height": 10,
        "version": turn + 1, "versionNonce": 5 + number, "isDeleted": False,
    }  # fmt: skip


def _replay(entries: list[log.Entry]) -> str:
    """The text as any Yjs makes it of the log alone."""
    doc: Doc[Text] = Doc()
    text = doc.get(CODE, type=Text)
    for entry in entries:
        if entry.stream is Stream.CODE:
            doc.apply_update(entry.payload)
    return str(text)


def _sum(all_counts: Iterable[Counts]) -> dict[str, Any]:
    numbers: Counter[str] = Counter()
    spells: Counter[str] = Counter()
    for counts in all_counts:
        told = asdict(counts)
        spells.update(told.pop("spells"))
        told.pop("connections")
        numbers.update(told)
    return {**numbers, "spells": dict(spells)}
