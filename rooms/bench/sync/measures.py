"""What is measured of one server, one thing after another, each on a freshly started server."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pycrdt import Doc

from rooms.bench.sync.clients import Door
from rooms.bench.sync.dialects import STEP_2, UPDATE, sync_body
from rooms.bench.sync.edits import Mark, Typing
from rooms.bench.sync.load import Flood, Load, LoadError, Step
from rooms.bench.sync.servers import Server
from rooms.bench.sync.sockets import Refused, Wire
from rooms.bench.sync.updates import Runs, read_update

WARM_ROOMS = 5
NEW_ROOMS_TYPE_S = 5
"""Before they count: a server makes much of what it needs for a room when somebody first types there."""
QUIET_S = 0.6
"""A server that has sent nothing for so long has sent what it had."""
READ_TIMEOUT_S = 60.0
SETTLE_S = 60.0
HOPELESS_MS = 500.0
"""A step this slow is not tried a second time."""


@dataclass(frozen=True)
class Plan:
    """How much of what."""

    steps: tuple[int, ...] = (1, 50, 200, 500, 1000)
    seconds: float = 8.0
    most_rooms: int = 2_600
    fineness: float = 0.08
    """The search for the rooms held ends when what held and what did not are this close."""
    flood_s: float = 4.0
    idle_rooms: int = 300
    full_rooms: int = 40
    full_edits: int = 3_000
    """Of both sides together in a full room: five minutes of two people who never stop typing."""
    history: int = 260_000
    cold_opens: int = 3
    kill_rooms: int = 20
    kill_s: float = 17.0
    only: tuple[str, ...] = ("steps", "flood", "memory", "cold", "kill")


@dataclass
class Cold:
    """One document opened after a restart; the median of some restarts."""

    history: int
    ms: float
    bytes: int
    compact_bytes: int
    """What pycrdt makes of the same document with nothing but its state."""


@dataclass
class Killed:
    """What was gone after kill -9."""

    shown: int
    """Edits that the other side had."""
    lost: int
    saved: int
    """Edits their writer was told to be saved; 0 where a server never says so."""
    saved_lost: int


@dataclass
class Figures:
    """Everything measured of one server."""

    name: str
    title: str
    stores: str
    steps: list[Step] = field(default_factory=list)
    held: int = 0
    """Rooms at which 99 of 100 edits took less than 50 ms."""
    is_more: bool = False
    """It held all that was tried, or the generator could not go further."""
    floods: dict[int, Flood] = field(default_factory=dict)
    idle_room_bytes: float | None = None
    full_room_bytes: float | None = None
    cold: Cold | None = None
    killed: Killed | None = None
    problems: list[str] = field(default_factory=list)

    def step(self, rooms: int) -> Step | None:
        """The best that counts of those with so many rooms."""
        return min(
            (each for each in self.steps if each.rooms == rooms and each.counts),
            key=lambda each: each.p99, default=None,
        )  # fmt: skip

    @property
    def cpu_ms_per_1000(self) -> float | None:
        """CPU in ms for 1,000 edits and the cursor moves among them, at 200 rooms or the most that held."""
        held = [each for each in self.steps if each.is_held and each.rooms <= 200 and each.cpu_s]
        best = max(held, key=lambda each: each.rooms, default=None)
        return best.cpu_s * 1e6 / best.edits if best and best.edits else None

    def as_json(self) -> dict[str, Any]:
        """As plain values; what is endless or unknown is null."""
        told = asdict(self)
        told["cpu_ms_per_1000"] = self.cpu_ms_per_1000
        told["floods"] = {str(rooms): each.per_second for rooms, each in self.floods.items()}
        return _finite(told)  # type: ignore[no-any-return]


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass
class _Bounds:
    """Between what held and what did not."""

    failed: int
    held: int = 0
    was_generator: bool = False
    """At `failed` it was the generator that was late, so that nothing is known of the server."""

    def next(self, plan: Plan) -> int | None:
        """How many rooms to try; None when the answer is as fine as was asked."""
        if self.held >= plan.most_rooms or self.failed <= self.held * (1 + plan.fineness) + 1:
            return None
        if self.failed > plan.most_rooms:
            return min(max(self.held + 1, round(self.held * 1.3)), plan.most_rooms)
        return (self.held + self.failed) // 2 or 1


class Measuring:
    """Measures one server after another with the same typing."""

    def __init__(self, typing: Sequence[Typing], plan: Plan, say: Callable[[str], Any]) -> None:
        self.typing = typing
        self.plan = plan
        self.say = say
        self._compact: dict[int, int] = {}

    def measure(self, server: Server) -> Figures:
        """Everything of the plan; what fails is said in `problems` and the rest goes on."""
        figures = Figures(server.name, server.title, server.stores)
        parts: dict[str, Callable[[Server, Figures], None]] = {
            "memory": self.memory, "steps": self.rooms, "flood": self.flood, "cold": self.cold,
            "kill": self.kill,
        }  # fmt: skip
        for name, part in parts.items():
            if name not in self.plan.only:
                continue
            try:
                server.start()
                part(server, figures)
            except (LoadError, Refused, OSError) as error:
                figures.problems.append(f"{name}: {error}")
                self.say(f"  {server.title}: {name} failed: {error}")
            finally:
                server.stop()
        return figures

    # --- rooms ----------------------------------------------------------------------------------------

    def rooms(self, server: Server, figures: Figures) -> None:
        """The steps of the plan, then the search for the most rooms held."""
        load = self._load(server)
        found = _Bounds(failed=self.plan.most_rooms + 1)
        try:
            for rooms in self.plan.steps:
                if rooms >= found.failed:
                    break
                self._try(load, server, figures, rooms, found)
                load = self._again(load, server)
            while (more := found.next(self.plan)) is not None:
                self._try(load, server, figures, more, found)
                load = self._again(load, server)
        finally:
            load.close()
        figures.held = found.held
        figures.is_more = found.was_generator or found.held >= self.plan.most_rooms

    def _try(self, load: Load, server: Server, figures: Figures, rooms: int, found: _Bounds) -> None:
        """One step, a second time when it fails."""
        if rooms > len(load.rooms):
            load.open(server.doors(rooms - len(load.rooms)))
            load.type(rooms, NEW_ROOMS_TYPE_S, warm_s=0)
        for _ in range(2):
            step = load.type(rooms, self.plan.seconds, cpu_s=server.cpu_s)
            figures.steps.append(step)
            self.say("  " + told(server.title, step))
            if step.is_held:
                found.held = max(found.held, rooms)
                return
            if step.closed or step.lost or step.p99 > HOPELESS_MS:
                break
        if rooms < found.failed:
            found.failed, found.was_generator = rooms, not step.counts

    def _again(self, load: Load, server: Server) -> Load:
        """The same load, or a new one on a new server where the last step left something behind."""
        clients = [client for pair in load.rooms for client in pair]
        if all(client.state == "open" and client.peer.seen == client.sent for client in clients):
            return load
        load.close()
        server.stop()
        server.start()
        return self._load(server)

    def flood(self, server: Server, figures: Figures) -> None:
        """Updates a second when both sides type as fast as the other receives."""
        for rooms, at_once in ((1, 400), (50, 20)):
            load = self._load(server)
            try:
                load.open(server.doors(rooms))
                figures.floods[rooms] = flood = load.flood(rooms, self.plan.flood_s, at_once=at_once)
                self.say(f"  {server.title}: {rooms} rooms saturated: {flood.per_second:,.0f} updates/s")
                if flood.closed:
                    figures.problems.append(f"saturated: {flood.closed} sockets were closed")
            finally:
                load.close()

    # --- memory ---------------------------------------------------------------------------------------

    def memory(self, server: Server, figures: Figures) -> None:
        """What one more room of two clients takes: nothing typed, and after minutes of typing."""
        load = self._load(server)
        try:
            load.open(server.doors(WARM_ROOMS))
            load.type(WARM_ROOMS, 2, warm_s=0)
            before = server.memory_bytes()
            load.open(server.doors(self.plan.idle_rooms))
            load.idle(2)
            idle = server.memory_bytes()
            figures.idle_room_bytes = (idle - before) / self.plan.idle_rooms
            full = [client for pair in load.rooms[-self.plan.full_rooms :] for client in pair]
            wanted = self.plan.full_edits // 2
            load.edit(dict.fromkeys(full, wanted), at_once=10, timeout_s=120)
            load.idle(2)
            more = (server.memory_bytes() - idle) / self.plan.full_rooms
            figures.full_room_bytes = figures.idle_room_bytes + more
            self.say(
                f"  {server.title}: {figures.idle_room_bytes / 1000:,.0f} kB per idle room, "
                f"{figures.full_room_bytes / 1000:,.0f} kB per full one"
            )
        finally:
            load.close()

    # --- a long history, opened cold ------------------------------------------------------------------

    def cold(self, server: Server, figures: Figures) -> None:
        """Type a long history, restart the server, and time one newcomer until they have all of it."""
        door, small = server.doors(2)
        load = self._load(server)
        try:
            load.open([door, small])
            count = self.plan.history // 2
            began = time.perf_counter()
            arrived = load.edit(dict.fromkeys(load.rooms[0], count), at_once=200, timeout_s=600)
            if arrived < 2 * count:
                raise LoadError(f"only {arrived:,} of {2 * count:,} edits of the history arrived")
            load.edit(dict.fromkeys(load.rooms[1], 20), at_once=20, timeout_s=30)
            typed_s = time.perf_counter() - began
            _settle(server)
        finally:
            load.close()
        _settle(server)
        taken: list[tuple[float, int]] = []
        for _ in range(self.plan.cold_opens):
            server.stop()
            server.start()
            self._open_cold(server, small, 20)
            taken.append(self._open_cold(server, door, count))
        ms = statistics.median(each[0] for each in taken)
        figures.cold = Cold(2 * count, ms, max(each[1] for each in taken), self._compact_bytes(count))
        self.say(
            f"  {server.title}: {2 * count:,} edits (typed in {typed_s:.0f} s) opened cold in {ms:,.0f} ms, "
            f"{figures.cold.bytes / 1000:,.0f} kB sent, {figures.cold.compact_bytes / 1000:,.0f} kB compact"
        )

    def _open_cold(self, server: Server, door: Door, count: int) -> tuple[float, int]:
        """Milliseconds from knocking to having both sides' first `count` edits, and bytes received."""
        wanted = {each.client_id: each.clock_after(count) for each in self.typing}
        began = time.perf_counter()
        wire = Wire(server.address, door.path, door.headers[0], READ_TIMEOUT_S)
        try:
            for message in server.dialect.hello(door.name, b"\x00"):
                wire.send(message)
            have: dict[int, int] = {}
            for payload in wire.messages():
                took_s = time.perf_counter() - began
                size = wire.bytes_in
                for client, clock, length in _update_in(server, door, payload).inserted:
                    have[client] = max(have.get(client, 0), clock + length)
                if all(have.get(client, 0) >= clock for client, clock in wanted.items()):
                    return took_s * 1000, size
        finally:
            wire.close()
        raise LoadError("the history did not come")

    def _compact_bytes(self, count: int) -> int:
        if count not in self._compact:
            doc: Doc[Any] = Doc()
            with doc.transaction():
                for typing in self.typing:
                    for update in typing.updates[:count]:
                        doc.apply_update(update)
            self._compact[count] = len(doc.get_update())
        return self._compact[count]

    # --- kill -9 --------------------------------------------------------------------------------------

    def kill(self, server: Server, figures: Figures) -> None:
        """kill -9 while rooms type; how much of what people had seen, or been promised, is gone."""
        load = self._load(server)
        try:
            load.open(server.doors(self.plan.kill_rooms))
            load.type_until(self.plan.kill_rooms, self.plan.kill_s, server.kill)
        finally:
            load.close()
        server.start()
        killed = Killed(0, 0, 0, 0)
        for pair in load.rooms:
            has = self._what_is_left(server, pair[0].door)
            for client in pair:
                for number in range(client.sent):
                    mark = client.script.typing.mark(number)
                    is_there = has(mark)
                    if client.peer.has_seen(number):
                        killed.shown += 1
                        killed.lost += not is_there
                    if number < client.saved:
                        killed.saved += 1
                        killed.saved_lost += not is_there
        figures.killed = killed
        self.say(f"  {server.title}: kill -9: {killed.lost} of {killed.shown} edits already shown are lost")

    def _what_is_left(self, server: Server, door: Door) -> Callable[[Mark], bool]:
        inserted, deleted = [], []
        wire = Wire(server.address, door.path, door.headers[0], QUIET_S)
        try:
            for message in server.dialect.hello(door.name, b"\x00"):
                wire.send(message)
            for payload in wire.messages():
                update = _update_in(server, door, payload)
                inserted += update.inserted
                deleted += update.deletions
        except TimeoutError:
            pass  # it has said what it had to say
        finally:
            wire.close()
        brings, deletes = Runs(inserted), Runs(deleted)
        return lambda mark: (
            (mark.brings is None or mark.brings in brings)
            and (mark.deletes is None or mark.deletes in deletes)
        )

    # --- small things ---------------------------------------------------------------------------------

    def _load(self, server: Server) -> Load:
        return Load(server.address, server.dialect, self.typing, name_size=server.name_size)


def _update_in(server: Server, door: Door, payload: bytes) -> Any:
    message = payload[len(server.dialect.prefix(door.name)) :]
    body = sync_body(message)
    if body is None or body[0] not in (STEP_2, UPDATE):
        return read_update(b"\x00\x00")
    return read_update(body[1])


def _settle(server: Server) -> None:
    """Wait until the server has done what it still had to do."""
    deadline = time.monotonic() + SETTLE_S
    spent = server.cpu_s()
    while time.monotonic() < deadline:
        time.sleep(1)
        before, spent = spent, server.cpu_s()
        if spent - before < 0.05:
            return


def told(title: str, step: Step) -> str:
    """One step as a line."""
    if not step.counts:
        return (
            f"{title}: {step.rooms} rooms: does not count, the generator was {step.lag_p99:.1f} ms late (p99)"
        )
    words = f"{title}: {step.rooms} rooms: p50 {step.p50:.2f}, p99 {step.p99:.2f} ms"
    if step.cpu_s:
        words += f", CPU {step.cpu_s / step.seconds:.0%}"
    words += f", {step.cursors:.1f} cursors/s seen, generator late {step.lag_p99:.1f} ms (p99)"
    return words + "".join(
        f", {count} {what}"
        for count, what in ((step.lost, "lost"), (step.doubled, "doubled"), (step.closed, "closed"))
        if count
    )
