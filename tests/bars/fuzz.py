"""Thousands of bent messages of every kind, from everybody who can reach a socket: the server lives and logs
no bug, and whoever else types, in the same room and in another one, is served in time.

--runs: messages per kind and role. Each message of a person in the room is followed by a question, so that it
is known to have been looked at before it counts; whoever is thrown out comes again for the rest. Of the kinds
that are no message at all each one costs a connection, and is refused before anybody asks who sent it: of
those a tenth from each role.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from channels.db import database_sync_to_async
from pycrdt import Doc, Text
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from accounts.models import Person
from anteroom.serving import Site
from rooms import log
from rooms.live.gate import ROOT as CODE
from rooms.models import Seat
from rooms.roles import Role
from rooms.streams import Stream
from rooms.traces import Change, read_trace
from rooms.wire import Refused, Resume, Welcome
from tests.bars import Say, Verdict
from tests.bars.harness import UNHURRIED, Stage, Stopwatch, stage
from tests.bars.mutants import KINDS, NO_MESSAGES, Mill, Shot
from tests.bars.typists import together
from tests.bars.witness import Died, Unable, Witness
from tests.rooms.people import Pair, make_pair, sign_in

TRACE = Path(__file__).resolve().parents[2] / "tests" / "traces" / "friendsforever-start.json.gz"
ROLES = ("candidate", "interviewer", "observer", "stranger", "signed out")
OUTSIDE = {"stranger": 4404, "signed out": 4401}
"""Who gets no further than the door, and what they are told."""
MESSAGES = 10_000
LIMIT_MS = 200.0
AT_ONCE = 6
"""Connections that fuzz at the same time."""
WINDOW = 100
WITHIN_S = 20.0
RAW_WITHIN_S = 0.1
FULL = (4410, 4413)
QUESTION = Resume(1 << 31).encode()
"""Answered with a Welcome, whatever has happened before."""
BUG = re.compile(r"^Traceback|Unhandled|CRITICAL|reference [0-9a-f]{8}", re.MULTILINE)
LIMITS = {**UNHURRIED, "ROOM_SOCKETS_PER_PERSON": "0"}
Trouble = (Died, Unable, OSError, TimeoutError, WebSocketException)


def run(
    *, runs: int | None, plant: bool, say: Say, shell: str = "daphne", seed: int = 1,
    kinds: tuple[str, ...] = tuple(KINDS), roles: tuple[str, ...] = ROLES,
) -> Verdict:  # fmt: skip
    """plant: every update passes the gate. seed: of the whole run. kinds, roles: some of them."""
    total = f"{runs or MESSAGES} messages of each of {len(kinds)} kinds from each of {len(roles)} roles"
    say(f"Seed {seed}, {shell}: {total}.")
    with stage(plant="gate-off" if plant else None, shell=shell, environment=LIMITS) as on:
        return asyncio.run(_Fuzzing(on, runs or MESSAGES, seed, say).run(kinds, roles, shell))


class _Fuzzing:
    """One run of the bar."""

    def __init__(self, on: Stage, messages: int, seed: int, say: Say) -> None:
        self._site: Site = on.site
        self._messages = messages
        self._seed = seed
        self._say = say
        sides = read_trace(TRACE).sides
        self._changes: list[Change] = [*sides[0], *sides[1]]
        self._sent: Counter[str] = Counter()
        self._refused = 0
        self._connections = 0
        self._took_ms: dict[str, list[float]] = {"same room": [], "another room": []}
        self._wrong: list[str] = []

    async def run(self, kinds: tuple[str, ...], roles: tuple[str, ...], shell: str) -> Verdict:
        watch = Stopwatch()
        elsewhere = await database_sync_to_async(make_pair)()
        async with self._witness(elsewhere, elsewhere.candidate) as other, self._witness() as same:
            try:
                await other.come()
                await other.watch()
                for role, kind in ((role, kind) for role in roles for kind in kinds):
                    began = time.monotonic()
                    await self._fuzz(role, kind, same)
                    self._say(f"{role}, {kind}: {time.monotonic() - began:.1f} s")
                self._took_ms["another room"] += await other.figures()
            except Trouble as trouble:
                self._wrong.append(f"{self._where}: {trouble}")
        if await asyncio.to_thread(self._site.has_died):
            self._wrong.append(f"{self._where}: the server died")
        if bug := BUG.search(text := self._site.log_path.read_text(errors="replace")):
            self._wrong.append(f"the log tells of a bug: {text[bug.start() : bug.start() + 2_000]}")
        p99 = {where: round(_p99(took), 1) for where, took in self._took_ms.items()}
        figure = max(p99.values())
        return Verdict("fuzz", figure, LIMIT_MS, not self._wrong and figure < LIMIT_MS, {
            "messages": sum(self._sent.values()), "refused_with_the_socket": self._refused,
            "connections": self._connections, "p99_ms": p99,
            "timed": {where: len(took) for where, took in self._took_ms.items()},
            "wrong": self._wrong[:3], "seed": self._seed, "shell": shell, "seconds": round(watch.seconds),
        })  # fmt: skip

    def _witness(self, pair: Pair | None = None, looking: str = "") -> Witness:
        if pair is None:
            return Witness("", ("", ""), self._site.url)
        return Witness(self._url(pair), (pair.interviewer, looking or pair.interviewer), self._site.url)

    def _url(self, pair: Pair) -> str:
        return f"{self._site.socket_url}/sockets/rooms/{pair.room_id}"

    # --- one kind from one role -------------------------------------------------------------------------

    async def _fuzz(self, role: str, kind: str, witness: Witness) -> None:
        """In a room of its own, with somebody else in it."""
        self._where = f"{role}, {kind} (seed {self._seed})"
        pair = await database_sync_to_async(make_pair)()
        cookie = await database_sync_to_async(_seat)(role, pair)
        bystander = pair.candidate if role == "interviewer" else pair.interviewer
        await witness.come(self._url(pair), (bystander, bystander))
        await witness.watch()
        messages = (
            max(1, self._messages // 10) if kind in NO_MESSAGES and role not in OUTSIDE else self._messages
        )
        left = [messages]
        work = self._knock if role in OUTSIDE else self._pour
        await together(
            work(
                self._url(pair), cookie, role, left, Mill(kind, self._rng(role, kind, number), self._changes)
            )
            for number in range(AT_ONCE)
        )
        self._sent[self._where] = messages
        self._took_ms["same room"] += await witness.figures()
        text = (await witness.type("the end"))["text"]
        if await witness.load() != text or await database_sync_to_async(_replay)(pair) != text:
            self._wrong.append(f"{self._where}: who comes new, or the log, has another text")

    def _rng(self, *where: object) -> random.Random:
        return random.Random(f"{self._seed} {where}")

    async def _pour(self, url: str, cookie: str, role: str, left: list[int], mill: Mill) -> None:
        """From a seat: windows of messages until enough have been looked at."""
        while left[0] > 0:
            shots = mill.take(min(WINDOW, left[0]))
            if shots[0].is_raw:  # nothing after it can be told apart
                mill.give_back(shots[1:], None)
                shots = shots[:1]
            left[0] -= len(shots)
            looked_at, is_closed = await self._window(url, cookie, shots)
            left[0] += len(shots) - looked_at
            self._refused += is_closed
            mill.give_back(shots[looked_at:], shots[looked_at - 1] if is_closed and looked_at else None)

    async def _window(self, url: str, cookie: str, shots: list[Shot]) -> tuple[int, bool]:
        """How many of these were looked at, and whether the last of them ended the connection."""
        socket = await self._connect(url, cookie)
        answers = _Answers(socket)
        is_raw = shots[0].is_raw
        pouring: asyncio.Task[None] | None = None
        try:
            await answers.until(1, WITHIN_S)
            pouring = asyncio.create_task(_send(socket, shots))
            await answers.until(1 + len(shots), RAW_WITHIN_S if is_raw else WITHIN_S)
            return len(shots), False
        except TimeoutError:
            if is_raw and answers.count:  # half a frame: the server waits for the other half, as it should
                return 1, False
            raise TimeoutError(f"no answer in {WITHIN_S} s after {answers.count} messages") from None
        except WebSocketException:
            if not answers.count:
                raise Unable(f"a seat was not let in: {socket.close_code} {socket.close_reason}") from None
            return answers.count, True
        finally:
            if pouring is not None:
                pouring.cancel()
                await asyncio.gather(pouring, return_exceptions=True)
            socket.transport.abort()

    async def _knock(self, url: str, cookie: str, role: str, left: list[int], mill: Mill) -> None:
        """From outside: messages sent while the door is still being looked at."""
        while left[0] > 0:
            shots = mill.take(min(WINDOW, left[0]))
            left[0] -= len(shots)
            socket = await self._connect(url, cookie)
            sending = asyncio.create_task(_send(socket, shots, with_questions=False))
            heard: list[bytes | str] = []
            try:
                async with asyncio.timeout(WITHIN_S):
                    with suppress(WebSocketException):
                        async for frame in socket:
                            heard.append(frame)
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
                socket.transport.abort()
            if [frame for frame in heard if frame[:1] != bytes((Refused.kind,))]:
                self._wrong.append(f"{self._where}: something was told through the door: {heard[:2]!r:.300}")
            if not any(shot.is_raw for shot in shots) and socket.close_code not in (
                OUTSIDE[role],
                1006,
                1009,
            ):
                self._wrong.append(f"{self._where}: closed with {socket.close_code}")

    async def _connect(self, url: str, cookie: str) -> ClientConnection:
        self._connections += 1
        return await connect(
            url, additional_headers={"Cookie": cookie} if cookie else {}, origin=self._site.url,  # type: ignore[arg-type]
            compression=None, ping_interval=None, max_size=None, max_queue=None, open_timeout=WITHIN_S,
        )  # fmt: skip


class _Answers:
    """Counts the Welcomes of a connection: the first for coming in, one more for each question."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.count = 0

    async def until(self, count: int, within_s: float) -> None:
        """Raises TimeoutError, WebSocketException."""
        async with asyncio.timeout(within_s):
            while self.count < count:
                frame = await self._socket.recv()
                self.count += frame[:1] == bytes((Welcome.kind,))


async def _send(socket: ClientConnection, shots: list[Shot], *, with_questions: bool = True) -> None:
    with suppress(WebSocketException, OSError):
        for shot in shots:
            if shot.is_raw:
                assert isinstance(shot.frame, bytes)
                socket.transport.write(shot.frame)
            else:
                await socket.send(shot.frame)
            if with_questions:
                await socket.send(QUESTION)


def _seat(role: str, pair: Pair) -> str:
    """The cookie of somebody in this role."""
    match role:
        case "candidate":
            return pair.candidate
        case "interviewer":
            return pair.interviewer
        case "signed out":
            return ""
    person = Person.objects.create_user(f"{random.getrandbits(64):x}@example.org")
    if role == "observer":
        Seat.objects.create(room_id=pair.room_id, role=Role.OBSERVER, person=person, mask="Still Owl")
    return sign_in(person)


def _replay(pair: Pair) -> str:
    """The text as any Yjs makes it of the log."""
    doc: Doc[Text] = Doc()
    text = doc.get(CODE, type=Text)
    for entry in _code(pair):
        doc.apply_update(entry.payload)
    return str(text)


def _code(pair: Pair) -> Iterator[log.Entry]:
    return (entry for entry in log.entries(pair.room_id) if entry.stream is Stream.CODE)


def _p99(took_ms: list[float]) -> float:
    return sorted(took_ms)[int(len(took_ms) * 0.99)] if took_ms else float("inf")
