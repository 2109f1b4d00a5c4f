"""One simulation: servers, a database, a layer, a network, people at their pages, and what goes wrong.

All of it follows from one number. `simulate(seed)` raises Broken, or returns what came of it.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import logging
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any
from unittest.mock import patch

from anteroom.errors import SignedOut
from rooms import held as holding
from rooms.live.room import LiveRoom
from rooms.passes import Pass
from rooms.roles import PEOPLE, Role
from rooms.store import Writing
from rooms.wire import Committed, ServerMessage, Welcome
from tests.simulation import layer as layers
from tests.simulation import network as networks
from tests.simulation import store as stores
from tests.simulation.clock import EPOCH, VirtualLoop
from tests.simulation.faults import Faults, Plan
from tests.simulation.ledger import Broken, Ledger
from tests.simulation.network import Link
from tests.simulation.pages import Browser, Page
from tests.simulation.people import Person
from tests.simulation.servers import GENEROUS, TIGHT, Complaints, Referee, Server, Shell, stood_in

BACK_WITHIN_S = 60.0
"""Once nothing goes wrong any more everything agrees within this: a page notices silence after 12 s, waits up
to 10 s to try again and 10 s for an answer; a server gives its log up after 8 s, a dead connection after 45;
servers that a restarted Redis made strangers meet again within 30 s and 12."""
IN_FLIGHT_S = 2.0
"""What time alone brings about (somebody has left) may be on its way at that moment."""
TRACE_CHARACTERS = 200


@dataclass
class Outcome:
    """What a simulation came to. `digest` is the same whenever the seed is."""

    seed: int
    digest: str
    steps: int
    virtual_s: float
    entries: int
    faults: dict[str, int]
    trace: list[str] = field(default_factory=list)


class World(Referee):
    """Everything there is in one simulation."""

    def __init__(
        self, loop: VirtualLoop, seed: int, browser: Browser, traces: bool, changes: Mapping[str, Any]
    ) -> None:
        self.loop, self.seed, self.browser = loop, seed, browser
        self.trace: list[str] = []
        self._traces = traces
        self.broken: BaseException | None = None
        self.plan = replace(Plan.of(self.random("plan")), **changes)
        self.database = stores.Database()
        self.database.committed = self._committed
        self.store_weather, self.layer_weather = stores.Weather(), layers.Weather()
        self.weather = networks.Weather()
        self.exchange = layers.Exchange(loop, self.layer_weather, self.random("layer"))
        self.rooms = [uuid.UUID(int=self.random("rooms").getrandbits(128)) for _ in range(self.plan.rooms)]
        self.ledgers: dict[uuid.UUID, Ledger] = {}
        for room_id in self.rooms:
            row = stores.Row()
            self.database.add(room_id, row)
            self.ledgers[room_id] = Ledger(row.language)
        self.permits: dict[str, Pass] = {}
        self.servers: list[Server] = []
        self.buried: list[Server] = []
        self.pages: list[Page] = []
        self.people: dict[Page, Person] = {}
        self.links: dict[tuple[Page, int], Link] = {}
        self.letters = self._letters()
        self.counts: dict[str, int] = {}
        self.is_calm = False
        """People rest, and nothing new goes wrong."""
        self._numbers = itertools.count()
        self._names = itertools.count(1)
        self._network = self.random("network")
        loop.set_exception_handler(self._went_wrong)

    def random(self, of: str) -> Random:
        """Chance for one thing, so that a change of another leaves it alone."""
        return Random(f"{self.seed}/{of}")

    def say(self, who: str, what: object) -> None:
        """A line of the trace."""
        if self._traces:
            self.trace.append(f"{self.loop.time():9.4f}  {who:<12} {str(what)[:TRACE_CHARACTERS]}")

    def count(self, fault: str) -> None:
        self.counts[fault] = self.counts.get(fault, 0) + 1

    # --- servers --------------------------------------------------------------------------------------

    def start_server(self) -> Server:
        """One more process."""
        name = f"server {next(self._names)}"
        chance = self.random(name)
        store = stores.SimulatedStore(self.loop, self.database, self.store_weather, chance)
        server = Server(
            self.loop, name, store, layers.SimulatedLayer(self.exchange),
            skew_s=self.plan.skew_s * chance.uniform(-1, 1), rate=TIGHT if self.plan.is_tight else GENEROUS,
            window_ms=self.plan.window_ms,
        )  # fmt: skip
        self.servers.append(server)
        self.say(name, "starts")
        return server

    def drain_server(self, server: Server, within_s: float) -> None:
        """It is told to go, and goes once it has let everybody go or the time is up."""
        server.drain(within_s, self.stop_server)

    def stop_server(self, server: Server) -> None:
        """It is gone, however that came about."""
        server.die()
        if server in self.servers:
            self.servers.remove(server)
            self.buried.append(server)

    # --- pages and the network ------------------------------------------------------------------------

    def load_page(self, room_id: uuid.UUID, role: Role) -> Page:
        """Somebody of this seat opens a tab."""
        number = next(self._numbers)
        page_seed = self.random(f"page {number}").getrandbits(31)
        person = Person(self, room_id, role, number)
        if person.key not in self.permits:
            self.sign_in(person)
        page = Page(self.loop, self.browser, number, role.word, page_seed, person.did)
        person.page = page
        self.pages.append(page)
        self.people[page] = person
        page.load()
        person.begin()
        return page

    def sign_in(self, person: Person) -> None:
        """A new session for a seat's person; all their tabs use it from now on."""
        place = self.rooms.index(person.room_id)
        self.permits[person.key] = Pass(
            person.room_id, person.role, 10 * place + person.role.value,
            uuid.UUID(int=100 * place + person.role.value), f"{person.key}, session {next(self._numbers)}", 1,
        )  # fmt: skip

    def sign_out(self, person: Person) -> None:
        """End the session everywhere, and begin a new one: what is open has to be closed."""
        self.database.spent_passes.add(self.permits[person.key])
        self.sign_in(person)

    def was_signed_out(self, key: str) -> bool:
        return any(permit.session_key.startswith(f"{key},") for permit in self.database.spent_passes)

    def reload_page(self, page: Page, after_s: float = 0.0) -> None:
        """Its memory is gone, and the tab comes back."""
        if page in self.people:
            person = self.people[page]
            self.shut_page(page)
            self.loop.after(after_s, self.load_page, person.room_id, person.role)

    def shut_page(self, page: Page) -> None:
        """Its tab is closed: what it had not saved is gone, and its connections with it."""
        page.shut()
        self.pages.remove(page)
        del self.people[page]
        for (each, _), link in list(self.links.items()):
            if each is page and link.is_open:
                link.page_closes()

    def connect(self, page: Page, person: Person, socket: int) -> None:
        """A page opens a socket."""
        self.loop.after(self._delay_s(), self._connect, page, person, socket)

    def _connect(self, page: Page, person: Person, socket: int) -> None:
        chance = self._network.random()
        ready = [server for server in self.servers if not server.is_dead]
        if not ready or chance < self.weather.unreachable / 2:
            self.loop.after(self._delay_s(), page.gone, socket, 1006, "")
            return
        if chance < self.weather.unreachable:
            return  # it is never answered
        permit = self.permits[person.key]
        server = ready[0] if self.plan.is_sticky else self._network.choice(ready)
        shell: Shell | None = None
        link = Link(
            self.loop, self._network, self.weather, page, socket,
            lambda items: shell.arrive(items) if shell else None,
        )  # fmt: skip
        self.links[page, socket] = link
        shell = server.accept(link, permit, page.seen_seq, self)
        self.say(f"page {page.number}", f"socket {socket} reaches {server.name}")

    def _delay_s(self) -> float:
        return self.weather.delay_s * self._network.expovariate(1.0)

    @staticmethod
    def _letters() -> Iterator[str]:
        """Characters that are each typed once; every seventh takes two UTF-16 units."""
        for number in itertools.count():
            yield chr((0x20000 if number % 7 == 6 else 0x4E00) + number)

    def admit(self, session_key: str) -> Pass:
        """Who comes with this cookie. Raises SignedOut."""
        for permit in self.permits.values():
            if permit.session_key == session_key:
                return permit
        raise SignedOut

    # --- the referee ----------------------------------------------------------------------------------

    def _committed(self, writing: Writing) -> None:
        ledger = self.ledgers[writing.room_id]
        for entry in writing.entries:
            self.say("log", entry)
            ledger.commit(entry)

    def lets_out(self, shell: Shell, message: ServerMessage) -> None:
        self.say(shell.server.name, f"to {shell.permit.session_key}: {message}")
        ledger = self.ledgers[shell.permit.room_id]
        ledger.check_shown(message)
        if isinstance(message, Welcome) and message.seq < shell.seen_seq:
            raise Broken(f"the room is at {message.seq}, this page has seen {shell.seen_seq} already")
        if isinstance(message, Committed):
            while shell.acknowledged < message.saved:
                if shell.acknowledged >= len(shell.received):
                    raise Broken(f"{message.saved} messages are called saved, {len(shell.received)} came")
                said = shell.received[shell.acknowledged]
                shell.acknowledged += 1
                if not ledger.holds(shell.permit.role, said):
                    shell.refused -= 1
                    if shell.refused < 0:
                        raise Broken(f"called saved, but not in the log: {said}")

    def _went_wrong(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if self.broken is None:
            error = context.get("exception")
            self.broken = error or Broken(context["message"])
            loop.stop()

    def heard(self, words: str, is_bug: bool) -> None:
        self.say("(logged)", words.replace("\n", " | "))
        if is_bug:
            self._went_wrong(self.loop, {"message": f"the engine logged an error:\n{words}"})

    # --- from the beginning to the end ----------------------------------------------------------------

    async def live(self) -> None:
        """People come, work and suffer; then all is well, and everything has to agree."""
        for _ in range(self.plan.servers):
            self.start_server()
        for room_id in self.rooms:
            for role in PEOPLE:
                self.load_page(room_id, role)
        faults = Faults(self)
        faults.begin()
        await asyncio.sleep(self.plan.life_s)
        faults.end()
        await asyncio.sleep(BACK_WITHIN_S)
        deadline = self.loop.time() + IN_FLIGHT_S
        while True:
            try:
                self.check_all()
            except Broken:
                if self.loop.time() > deadline:
                    raise
                await asyncio.sleep(IN_FLIGHT_S / 10)
            else:
                return

    def check_all(self) -> None:
        """Every page, every server, a replay and a room made of its snapshot say the same. Raises Broken."""
        self._check_pages()
        for server in self.servers:
            for shell in server.links.values():
                if shell.permit in self.database.spent_passes:
                    raise Broken(f"{server.name} keeps a socket of {shell.permit.session_key}, which is over")
        for room_id, ledger in self.ledgers.items():
            ledger.check_code_is_simple()
            self._check_servers(room_id, ledger)

    def _check_pages(self) -> None:
        looks: dict[uuid.UUID, dict[str, dict[str, Any]]] = {}
        for page, person in self.people.items():
            if person.was_closed:
                continue
            seen = page.look()
            name = f"page {page.number} ({person.key})"
            if seen["status"] != "saved" or seen["unsaved"]:
                raise Broken(f"{name} is {seen['status']}, unsaved: {seen['unsaved']}")
            try:
                self.ledgers[person.room_id].check_page(seen)
            except Broken as broken:
                raise Broken(f"{name}: {broken}") from None
            looks.setdefault(person.room_id, {})[name] = seen
            here = {seat["seat"]: seat["here"] for seat in seen["seats"]}
            if here != self._here(person.room_id):
                raise Broken(f"{name} shows {here} as here; here are {self._here(person.room_id)}")
        for seen_here in looks.values():
            check_cursors(seen_here)

    def _here(self, room_id: uuid.UUID) -> dict[str, bool]:
        here = {each.role for each in self.people.values() if each.room_id == room_id and not each.was_closed}
        return {role.word: role in here for role in PEOPLE}

    def _check_servers(self, room_id: uuid.UUID, ledger: Ledger) -> None:
        opened = self.database.open(room_id)
        facts = opened.facts(opened.opened_at or EPOCH)
        whole = LiveRoom.replay(ledger.entries, facts)
        if whole.document.text != str(ledger.code):
            raise Broken("a replay of the log gives other code than the log")
        rooms = [("a replay of the snapshot and what follows", holding._made_from(opened, EPOCH))]
        for server in self.servers:
            held = server.keeper.rooms.get(room_id)
            if held is not None:
                rooms.append((server.name, held.live))
                if held.committed_seq != ledger.head or not held.is_settled:
                    raise Broken(f"{server.name} is at {held.committed_seq}, the log at {ledger.head}")
        for name, room in rooms:
            if (mine := told_by_log(room)) != (theirs := told_by_log(whole)):
                other = [
                    f"{key}: {mine[key]!r}, not {theirs[key]!r}" for key in mine if mine[key] != theirs[key]
                ]
                raise Broken(f"{name} differs from a replay of the log: {'; '.join(other)}")

    def digest(self) -> str:
        """What the logs came to, and by how many steps."""
        digest = hashlib.sha256(f"{self.loop.steps} {self.loop.time()}".encode())
        for ledger in self.ledgers.values():
            for entry in ledger.entries:
                digest.update(f"{entry.seq} {entry.at_ms} {entry.role} ".encode() + entry.payload)
        return digest.hexdigest()[:16]


def check_cursors(looks: dict[str, dict[str, Any]]) -> None:
    """Every page of a room shows every other's cursor where it is, and none besides. Raises Broken."""
    cursors = {str(seen["client"]): seen["cursors"][str(seen["client"])] for seen in looks.values()}
    for name, seen in looks.items():
        shown = {client: place for client, place in seen["cursors"].items() if place or client in cursors}
        if shown != cursors:
            raise Broken(f"{name} shows cursors at {shown}; they are at {cursors}")


def told_by_log(room: LiveRoom) -> dict[str, Any]:
    """All of a room that its log decides."""
    return {
        "seq": room.seq,
        "at_ms": room.at_ms,
        "phase": (room.phase, room.phase_at_ms, room.live_at_ms, room.ends_at_ms),
        "language": room.language,
        "consents": {role: given for role, given in room.consents.items() if given},
        "came": room.came,
        "code": room.document.text,
        "vector": sorted(room.document.vector),
        "owners": room.document.owners,
        "talk": room.chat.after(0),
        "board": room.board.after(0),
    }


def simulate(
    seed: int, browser: Browser, *, traces: bool = False, changes: Mapping[str, Any] | None = None
) -> Outcome:
    """Run one simulation. changes: of its plan, to look at one kind of trouble more closely.

    Raises Broken; its notes are the trace.
    """
    loop = VirtualLoop(Random(f"{seed}/loop"))
    world = World(loop, seed, browser, traces, changes or {})
    complaints = Complaints(world.heard)
    logger = logging.getLogger("rooms")
    before = logger.propagate, logger.level
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(complaints)
    try:
        with (
            stood_in(loop, world.random("ids"), world.admit),
            patch.object(holding, "SNAPSHOT_EVERY", world.plan.snapshot_every),
            patch.object(holding, "SNAPSHOT_BEHIND", world.plan.snapshot_every // 2),
        ):
            try:
                loop.run_until_complete(world.live())
            except RuntimeError:
                if world.broken is None:
                    raise
            if world.broken is not None:
                raise world.broken
    except Exception as error:
        world.say("BROKEN", error)
        error.add_note("\n".join(world.trace))
        raise
    finally:
        for server in [*world.servers, *world.buried]:
            server.bury()
        loop.close()
        logger.removeHandler(complaints)
        logger.propagate, logger.level = before
    entries = sum(ledger.head for ledger in world.ledgers.values())
    return Outcome(seed, world.digest(), loop.steps, loop.time(), entries, world.counts, world.trace)
