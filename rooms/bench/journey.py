"""How long a keystroke takes from one real browser into the other one's editor, through a real server.

Two Chromium processes sit in one room of a site started for the occasion, with its own database whose commits
are durable. One types, the other watches its editor with a MutationObserver. Both pages read the same
machine's clock: the small difference between their two readings of it is measured and taken out.
"""

from __future__ import annotations

import math
import os
import platform
import tempfile
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import connection

if TYPE_CHECKING:
    from rooms.bench.keystrokes import Figures

KEYSTROKES = 300


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--keystrokes", type=int, default=KEYSTROKES, help="how many to measure (%(default)s)"
    )
    parser.add_argument(
        "--links",
        nargs=2,
        metavar="LINK",
        help="two sign-in links into one room of a running site, instead of a site of its own",
    )


def run(*, say: Callable[[str], Any], keystrokes: int, links: list[str] | None, **_: Any) -> None:
    """Measure and print. Raises CommandError when something it needs is missing or does not answer."""
    # Only here, since an installation that serves people has no Playwright.
    from playwright.sync_api import Error, sync_playwright

    from rooms.bench.chromium import NoChromium
    from rooms.bench.keystrokes import measure

    with ExitStack() as stack:
        conditions: dict[str, str] = {}
        if links is None:
            say("Starting a site of its own, with durable commits …")
            links, conditions = stack.enter_context(room_of_its_own())
        try:
            with sync_playwright() as playwright:
                say(f"Typing {keystrokes} keys in one browser, watching the other …")
                figures, chromium = measure(playwright, links, keystrokes)
        except NoChromium as error:
            raise CommandError(str(error)) from error
        except (Error, TimeoutError) as error:
            raise CommandError(f"A browser did not do as it was told: {error}") from error
    say(
        "\n" + table(figures, {**conditions, "browser": f"Chromium {chromium}, headless, one process a side"})
    )


@contextmanager
def room_of_its_own() -> Iterator[tuple[list[str], dict[str, str]]]:
    """A site started for this: two sign-in links into one room, and what to tell about it."""
    from accounts.models import Person
    from accounts.services import make_sign_in_link
    from anteroom import frontend
    from anteroom.postgres import EmbeddedPostgres
    from anteroom.serving import Site, drop_database, fresh_name, make_database, migrate
    from rooms.roles import Role
    from rooms.services import invite, open_room, take_seat

    frontend.build()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="anteroom-bench-")))
        home.chmod(0o755)  # started by root, the embedded Postgres runs as another user
        server = os.environ.get("DATABASE_URL")
        if not server:
            postgres = EmbeddedPostgres(home / "postgres")
            server = postgres.start()
            stack.callback(postgres.stop)
        name = fresh_name("bench")
        database_url = make_database(server, name)
        stack.callback(drop_database, server, name)
        migrate(database_url, home)
        site = Site(home=home, database_url=database_url)
        site.prepare()
        stack.callback(site.stop)
        site.start()
        with site.database():
            candidate, interviewer = (Person.objects.create_user() for _ in range(2))
            room = open_room(person=interviewer, title="Benchmark", role=Role.INTERVIEWER, language="python")
            secret = invite(room=room, person=interviewer).partition("#")[2]
            take_seat(secret=secret, person=candidate)
            links = [
                make_sign_in_link(person=person, next_path=f"/rooms/{room.pk}/lobby/")
                for person in (interviewer, candidate)
            ]
            conditions = database_conditions()
        yield links, conditions


def table(figures: Figures, conditions: dict[str, str]) -> str:
    """What was measured and under which conditions, for people."""
    rows = [("in the other's editor", figures.arrived), ("with the frame drawn", figures.drawn)]
    lines = [f"{f'{len(figures.arrived)} keystrokes, ms':<26}{'p50':>8}{'p95':>8}{'p99':>8}{'most':>8}"]
    for name, values in rows:
        ordered = sorted(values)
        shown = (*(percentile(ordered, share) for share in (0.50, 0.95, 0.99)), ordered[-1])
        lines.append(f"{name:<26}" + "".join(f"{value:>8.1f}" for value in shown))
    conditions = {
        **conditions,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, "
        f"load {os.getloadavg()[0]:.1f}",
        "clocks": f"the two pages' differed by {figures.clock_difference_ms:.2f} ms, taken out",
    }
    return "\n".join([*lines, "", *(f"{name:<10}{words}" for name, words in conditions.items())])


def percentile(ordered: list[float], share: float) -> float:
    """The value below or at which this share of the ordered values lies (nearest rank)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def database_conditions() -> dict[str, str]:
    """What makes a commit durable, as the database itself says."""
    with connection.cursor() as cursor:
        said = []
        for name in ("server_version", "synchronous_commit", "fsync"):
            cursor.execute(f"SHOW {name}")
            said.append(cursor.fetchone()[0])
    version, synchronous_commit, fsync = said
    layer = "Redis" if settings.REDIS_URL else "in-memory"
    return {
        "database": f"Postgres {version}, synchronous_commit {synchronous_commit}, fsync {fsync}",
        "server": f"one Daphne process, {layer} layer",
    }
