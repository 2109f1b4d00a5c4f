"""Rooms, latency, memory and losses of the rooms' servers next to what people run today, in one run.

The server and its database are pinned to one core, the load generator to another. Each room has two clients,
each of whom types five times and moves a cursor five times a second.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import CommandError

if TYPE_CHECKING:
    from rooms.bench.sync.comparators import Scratch
    from rooms.bench.sync.measures import Figures, Plan
    from rooms.bench.sync.ours import Postgres
    from rooms.bench.sync.servers import Server

SHELLS = ("roomserver", "daphne", "uvicorn", "granian")
COMPARATORS = ("hocuspocus", "y-websocket", "pycrdt-websocket")
PARTS = ("memory", "steps", "flood", "cold", "kill")
SHORT = ("roomserver", "hocuspocus", "y-websocket")


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--servers", nargs="+", choices=[*SHELLS, *COMPARATORS], metavar="NAME",
        help=f"which to measure, of {', '.join([*SHELLS, *COMPARATORS])} (all)",
    )  # fmt: skip
    parser.add_argument(
        "--parts", nargs="+", choices=PARTS, metavar="PART",
        help=f"what to measure, of {', '.join(PARTS)} (all)",
    )  # fmt: skip
    parser.add_argument(
        "--steps", nargs="+", type=int, metavar="ROOMS", help="how many rooms to show latencies at"
    )
    parser.add_argument("--seconds", type=float, help="how long each step is measured")
    parser.add_argument("--most-rooms", type=int, help="where the search for the rooms held ends")
    parser.add_argument(
        "--history", type=int, metavar="EDITS", help="how long the history is that is opened cold"
    )
    parser.add_argument(
        "--short", action="store_true",
        help=f"about three minutes: {', '.join(SHORT)}, fewer and shorter steps, no cold open",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="PATH", help="write everything measured there as well")
    parser.add_argument(
        "--scratch", type=Path, help="where what is compared gets installed (bench in ANTEROOM_HOME)"
    )


def run(*, say: Callable[[str], Any], short: bool, scratch: Path | None, **options: Any) -> None:
    """Measure and print. Raises CommandError when nothing could be measured."""
    from rooms.bench.sync.comparators import CannotInstall, Scratch
    from rooms.bench.sync.edits import find_trace, make_typing
    from rooms.bench.sync.measures import Measuring
    from rooms.bench.sync.servers import DidNotStart
    from rooms.bench.sync.table import bars, table

    plan = _plan(short, options)
    names = options["servers"] or (SHORT if short else (*SHELLS, *COMPARATORS))
    server_core, own_core = _cores()
    all_figures: list[Figures] = []
    began = time.monotonic()
    with ExitStack() as stack:
        stack.enter_context(_told_to_stop())
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="anteroom-bench-")))
        home.chmod(0o755)  # started by root, the embedded Postgres runs as another user
        trace = find_trace()
        say(f"Making edits of {trace.name} …")
        measuring = Measuring(make_typing(trace), plan, say)
        postgres: list[Postgres] = []
        packages = Scratch(scratch or settings.HOME / "bench", say)
        packages.folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            say(f"{name} …")
            try:
                server = _make(name, home, server_core, packages, postgres, stack)
            except CannotInstall as error:
                say(f"  {name} cannot be installed here and is left out: {error}")
                continue
            try:
                if own_core is not None:
                    os.sched_setaffinity(0, {own_core})
                all_figures.append(measuring.measure(server))
            except DidNotStart as error:
                say(f"  {error}")
            finally:
                server.close()
        ceiling = _ceiling(home, server_core, measuring) if "steps" in plan.only else None
    if not all_figures:
        raise CommandError("Nothing could be measured.")
    judged = bars(all_figures)
    conditions = _conditions(server_core, own_core, plan, trace, ceiling)
    say("\n" + table(all_figures, plan.steps) + "\n")
    say("\n".join(f"{name:<11}{words}" for name, words in conditions.items()) + "\n")
    say("\n".join(map(str, judged)))
    for figures in all_figures:
        for problem in figures.problems:
            say(f"{figures.title}: {problem}")
    say(f"\n{(time.monotonic() - began) / 60:.0f} minutes.")
    if options["json"] is not None:
        _write(options["json"], all_figures, judged, conditions)


def _plan(short: bool, options: dict[str, Any]) -> Plan:
    from dataclasses import replace

    from rooms.bench.sync.measures import Plan

    plan = Plan()
    if short:
        plan = replace(
            plan, steps=(50, 500), seconds=4, fineness=0.2, flood_s=2, idle_rooms=100, full_rooms=10,
            full_edits=1000, kill_s=12, only=("memory", "steps", "flood", "kill"),
        )  # fmt: skip
    given = {
        "steps": options["steps"] and tuple(options["steps"]),
        "seconds": options["seconds"],
        "most_rooms": options["most_rooms"],
        "history": options["history"],
        "only": options["parts"] and tuple(options["parts"]),
    }
    return replace(plan, **{name: value for name, value in given.items() if value})


def _make(
    name: str, home: Path, core: int | None, packages: Scratch, postgres: list[Postgres], stack: ExitStack
) -> Server:
    from rooms.bench.sync import comparators
    from rooms.bench.sync.ours import Anteroom, Postgres

    if name in SHELLS:
        if not postgres:
            postgres.append(Postgres(home / "postgres", core))
            stack.callback(postgres[0].stop)
        return Anteroom(home / name, core, postgres[0], name)  # type: ignore[arg-type]
    kinds = (comparators.Hocuspocus, comparators.YWebsocket, comparators.PycrdtWebsocket)
    kind = next(each for each in kinds if each.name == name)
    return kind(home / name, core, packages)


def _ceiling(home: Path, core: int | None, measuring: Any) -> str:
    """What the generator loads at most: the same load against a relay that does nothing else."""
    from dataclasses import replace

    from rooms.bench.sync.measures import Measuring
    from rooms.bench.sync.servers import BareRelay

    steps = tuple(rooms for rooms in (500, 1000, 1500) if rooms <= measuring.plan.most_rooms)
    plan = replace(measuring.plan, only=("steps", "flood"), steps=steps, fineness=0.1)
    relay = BareRelay(home / "relay", core)
    try:
        figures = Measuring(measuring.typing, plan, measuring.say).measure(relay)
    finally:
        relay.close()
    flood = figures.floods.get(1)
    words = f"held {figures.held:,} rooms{' or more' * figures.is_more} of a bare relay in Python"
    return words + (f"; {flood.per_second:,.0f} updates/s through it" if flood else "")


def _cores() -> tuple[int | None, int | None]:
    """The server's core and the generator's; None where the machine has no two or cannot pin."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    cores = sorted(os.sched_getaffinity(0))
    return (cores[0], cores[1]) if len(cores) > 1 else (None, None)


@contextmanager
def _told_to_stop() -> Iterator[None]:
    """SIGTERM ends what was started, as Ctrl-C does."""

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    affinity = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        if affinity is not None:
            os.sched_setaffinity(0, affinity)


def _conditions(
    server_core: int | None, own_core: int | None, plan: Plan, trace: Path, ceiling: str | None
) -> dict[str, str]:
    pinned = (
        "server on one core, with its database counted as part of it, generator on another"
        if own_core is not None
        else "NOT PINNED: this machine has one core, or cannot pin; no figure here says much"
    )
    told = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, "
        f"load {os.getloadavg()[0]:.1f}; {pinned}",
        "load": f"two clients a room, each 5 edits and 5 cursor moves a second, typing {trace.name}; "
        f"steps of {plan.seconds:g} s",
        "time": "from one client's send to the other client's read; percentiles over all edits sent",
        "memory": "of the server's own processes alone; the database's is not among it",
    }
    if ceiling:
        told["generator"] = ceiling
    return told


def _write(path: Path, all_figures: list[Figures], judged: list[Any], conditions: dict[str, str]) -> None:
    from dataclasses import asdict

    told = {
        "servers": [each.as_json() for each in all_figures],
        "bars": [asdict(each) for each in judged],
        "conditions": conditions,
    }
    path.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
