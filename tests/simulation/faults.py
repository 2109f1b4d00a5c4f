"""What goes wrong in one simulation, and how often: a plan drawn from its seed.

Each seed leaves some kinds of trouble out, so that one kind does not hide another.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any

from rooms.roles import PEOPLE, Role
from tests.simulation import network as networks

if TYPE_CHECKING:
    from tests.simulation.world import World

MOST_TABS = 2
"""Of one seat at a time."""


@dataclass(frozen=True)
class Plan:
    """The shape of one simulation."""

    servers: int
    rooms: int
    life_s: float
    """How long people work and things go wrong."""
    deeds_per_s: float
    listener: Role
    quiet: float
    """The part of that which the listener does."""
    moves: tuple[str, ...]
    """Phases that people bring their room to."""
    is_sticky: bool
    """Both sides of a room meet the same server, as a proxy arranges it; else any."""
    is_deaf: bool
    """Servers never hear of one another: all they have is a look at the log now and then."""
    is_tight: bool
    """People may send so little that typing runs into it."""
    skew_s: float
    """How far the servers' clocks are off."""
    window_ms: float
    snapshot_every: int
    delay_s: float
    commit_s: float
    every_s: dict[str, float]
    """Seconds between two troubles of each kind, in the mean."""

    @classmethod
    def of(cls, random: Random) -> Plan:
        every_s = {
            kind: random.uniform(0.2, 1.5) * usual_s
            for kind, usual_s in USUAL_S.items()
            if random.random() < 0.6
        }
        return cls(
            servers=random.choice((1, 2, 2, 3)),
            rooms=random.choice((1, 1, 2)),
            life_s=random.uniform(10, 40),
            deeds_per_s=random.uniform(0.5, 3),
            listener=random.choice(PEOPLE),
            quiet=random.choice((0.0, 0.1, 1.0, 1.0)),
            moves=random.choice((("live",), ("live", "wrap_up"), ("live", "wrap_up", "feedback"))),
            is_sticky=random.random() < 0.3,
            is_deaf=random.random() < 0.25,
            is_tight=random.random() < 0.15,
            skew_s=random.choice((0.0, 0.2, 3.0)),
            window_ms=random.choice((0.0, 2.0, 2.0, 50.0)),
            snapshot_every=random.choice((5, 20, 60)),
            delay_s=random.choice((0.002, 0.03, 0.3)),
            commit_s=random.choice((0.001, 0.005, 0.2)),
            every_s=every_s,
        )


class Faults:
    """Brings trouble until it is told to end."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._random = world.random("faults")
        self._usual: dict[type, Any] = {}
        """The weather of each kind when nothing makes it worse."""

    def begin(self) -> None:
        world, plan = self._world, self._world.plan
        world.weather.delay_s, world.store_weather.commit_s = plan.delay_s, plan.commit_s
        world.layer_weather.dropped = 1.0 if plan.is_deaf else 0.0
        world.weather.unannounced = self._random.choice((0.0, 0.3, 0.9))
        weathers = (world.weather, world.store_weather, world.layer_weather)
        self._usual = {type(weather): replace(weather) for weather in weathers}
        for kind in plan.every_s:
            self._plan_next(kind)

    def end(self) -> None:
        """From now on nothing new goes wrong, and what was broken works."""
        world = self._world
        world.is_calm = True
        for server in list(world.servers):
            server.thaw(world.loop)
        for page in world.pages:
            page.wake()
        while len(world.servers) < world.plan.servers:
            world.start_server()
        for weather in (world.weather, world.store_weather, world.layer_weather):
            weather.__dict__.update(type(weather)().__dict__)

    def _plan_next(self, kind: str) -> None:
        mean_s = self._world.plan.every_s[kind]
        self._world.loop.after(self._random.expovariate(1 / mean_s), self._bring, kind)

    def _bring(self, kind: str) -> None:
        if self._world.is_calm:
            return
        self._world.count(kind)
        self._world.say("TROUBLE", kind)
        KINDS[kind](self)
        self._plan_next(kind)

    def _later(self, within_s: tuple[float, float], do: Callable[..., Any], *arguments: Any) -> None:
        """Do it after a while, unless all is well by then."""

        def unless_over() -> None:
            if not self._world.is_calm:
                do(*arguments)

        # Long ones are rare: as many last up to a tenth of the longest as from there on.
        shortest, longest = within_s
        length_s = math.exp(self._random.uniform(math.log(shortest), math.log(longest)))
        self._world.loop.after(length_s, unless_over)

    def _turns(self, weather: Any, within_s: tuple[float, float], **worse: Any) -> None:
        """It gets worse for a while."""
        before = {name: getattr(self._usual[type(weather)], name) for name in worse}
        weather.__dict__.update(worse)
        self._later(within_s, weather.__dict__.update, before)

    # --- the network ----------------------------------------------------------------------------------

    def _one_link(self) -> networks.Link | None:
        links = [link for link in self._world.links.values() if link.is_open]
        return self._random.choice(links) if links else None

    def cut(self) -> None:
        if link := self._one_link():
            link.cut()

    def deafen(self) -> None:
        if link := self._one_link():
            link.deafen()

    def stall(self) -> None:
        if link := self._one_link():
            link.stall(self._random.choice((0.2, 2.0, 9.0, 15.0)))

    def unreachable(self) -> None:
        self._turns(self._world.weather, (0.5, 10.0), unreachable=self._random.choice((0.3, 1.0)))

    # --- servers --------------------------------------------------------------------------------------

    def kill(self) -> None:
        if self._world.servers:
            self._world.stop_server(self._random.choice(self._world.servers))
            self._later((0.1, 5.0), self._world.start_server)

    def deploy(self) -> None:
        """A new process comes, an old one is told to go."""
        if self._world.servers:
            old = self._random.choice(self._world.servers)
            self._world.start_server()
            self._world.drain_server(old, within_s=self._random.choice((0.5, 5.0)))

    def freeze(self) -> None:
        if self._world.servers:
            server = self._random.choice(self._world.servers)
            server.freeze()
            self._later((0.1, 20.0), server.thaw, self._world.loop)

    # --- the database and the layer -------------------------------------------------------------------

    def database_down(self) -> None:
        self._turns(
            self._world.store_weather, (0.1, 14.0), is_down=True, hang_s=self._random.choice((0.01, 5.0))
        )

    def database_flaky(self) -> None:
        worse = {kind: self._random.choice((0.0, 0.1, 0.4)) for kind in ("refused", "unheard", "late")}
        self._turns(self._world.store_weather, (0.5, 8.0), **worse)

    def layer_down(self) -> None:
        self._turns(self._world.layer_weather, (0.1, 10.0), is_down=True)

    def layer_flaky(self) -> None:
        self._turns(
            self._world.layer_weather, (0.5, 15.0), dropped=self._random.choice((0.2, 1.0)),
            repeated=self._random.choice((0.0, 0.5)), delay_s=self._random.choice((0.001, 0.5, 3.0)),
        )  # fmt: skip

    def layer_forgets(self) -> None:
        self._world.exchange.forget()

    # --- people ---------------------------------------------------------------------------------------

    def reload(self) -> None:
        if self._world.pages:
            page = self._random.choice(self._world.pages)
            self._world.reload_page(page, after_s=self._random.uniform(0.02, 2.0))

    def tab(self) -> None:
        """One tab more, or one less."""
        world = self._world
        if not world.pages:
            return
        page = self._random.choice(world.pages)
        person = world.people[page]
        tabs = [each for each in world.people.values() if each.key == person.key]
        if len(tabs) < MOST_TABS:
            world.load_page(person.room_id, person.role)
        else:
            world.shut_page(page)

    def lid(self) -> None:
        """A page sleeps for a while."""
        if self._world.pages:
            page = self._random.choice(self._world.pages)
            page.sleep()
            self._later((0.5, 30.0), page.wake)

    def sign_out(self) -> None:
        if self._world.pages:
            self._world.sign_out(self._world.people[self._random.choice(self._world.pages)])

    def online(self) -> None:
        """The browser says that the network is back, rightly or not."""
        if self._world.pages:
            self._random.choice(self._world.pages).does("online")


USUAL_S = {
    "cut": 4.0, "deafen": 12.0, "stall": 8.0, "unreachable": 15.0,
    "kill": 8.0, "deploy": 15.0, "freeze": 8.0,
    "database_down": 15.0, "database_flaky": 8.0,
    "layer_down": 15.0, "layer_flaky": 8.0, "layer_forgets": 10.0,
    "reload": 8.0, "tab": 12.0, "online": 10.0, "lid": 10.0, "sign_out": 25.0,
}  # fmt: skip
KINDS: dict[str, Callable[[Faults], None]] = {kind: getattr(Faults, kind) for kind in USUAL_S}
