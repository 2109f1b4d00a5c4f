"""What bars stand on: a site started for the occasion, rooms in it, and everything gone afterwards.

Works under pytest and without it. The site is the product as it is started elsewhere; only a planted one is
started through tests/bars/plants.py.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import psutil  # type: ignore[import-untyped]
from django.conf import settings

from anteroom.postgres import CannotStart, EmbeddedPostgres
from anteroom.serving import CannotServe, Shell, Site, drop_database, fresh_name, make_database, migrate
from rooms.client import RoomClient
from rooms.live.room import Facts, LiveRoom
from rooms.log import entries
from rooms.roles import Role
from tests.bars import CannotTry
from tests.rooms.people import Pair, client_of, make_pair

ROLES = (Role.CANDIDATE, Role.INTERVIEWER)

UNHURRIED = {"ROOM_MESSAGES_PER_S": "0", "ROOM_BYTES_PER_S": "0", "ROOM_HANDSHAKES_PER_MINUTE": "0"}
"""Settings that slow nobody down: for bars in which a few people do the work of many."""

template: str | None = None
"""A migrated database to copy, beside the one of DATABASE_URL. The tests set it: migrating takes seconds."""


class PlantedSite(Site):
    """A site in whose server process one protection is broken."""

    def __init__(self, *, plant: str | None, **options: Any) -> None:
        """plant: one of tests/bars/plants.py, None for the product as it is."""
        super().__init__(**options)
        self._plant = plant

    def _spawn(self, command: list[str], *arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        if self._plant:
            python, dash_m, *module = command
            assert dash_m == "-m", command
            command = [python, "-m", "tests.bars.plants", self._plant, *module]
        return super()._spawn(command, *arguments, **options)


@dataclass(frozen=True)
class Stage:
    """A running site and the Postgres behind it, when that one is ours."""

    site: Site
    postgres: EmbeddedPostgres | None
    options: dict[str, Any]
    """With which the site was made."""

    @contextmanager
    def another_site(self) -> Iterator[Site]:
        """A second server of the same kind on the same database, running; stopped at the end."""
        with tempfile.TemporaryDirectory(prefix="anteroom-bar-") as folder:
            home = Path(folder)
            _fill(home)
            site = PlantedSite(home=home, database_url=self.site.database_url, **self.options)
            try:
                site.start()
                yield site
            finally:
                site.stop()


@contextmanager
def stage(
    *,
    plant: str | None = None,
    shell: str = "daphne",
    own_postgres: bool = False,
    postgres_options: dict[str, str] | None = None,
    environment: dict[str, str] | None = None,
) -> Iterator[Stage]:
    """A running site with a database of its own; Django here works on that database meanwhile.

    own_postgres: start a Postgres for this stage even where DATABASE_URL names one, to be killed.
    postgres_options: settings of that Postgres. environment: settings of the site's processes.
    Raises CannotTry.
    """
    if shell not in get_args(Shell):
        raise CannotTry(f"There is no shell {shell!r}. There are: {', '.join(get_args(Shell))}.")
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="anteroom-bar-")))
        home.chmod(0o755)  # started by root, the embedded Postgres runs as another user
        try:
            yield _set_up(stack, home, plant, shell, own_postgres, postgres_options or {}, environment or {})
        except (CannotServe, CannotStart, ImportError) as error:
            raise CannotTry(str(error)) from error
        except Exception as error:
            for log in home.glob("*.log"):
                error.add_note(f"{log.name} ends with:\n{last_lines(log)}")
            raise


def _set_up(
    stack: ExitStack,
    home: Path,
    plant: str | None,
    shell: str,
    own_postgres: bool,
    postgres_options: dict[str, str],
    environment: dict[str, str],
) -> Stage:
    postgres = None
    server = os.environ.get("DATABASE_URL")
    copied = template
    if own_postgres or not server:
        postgres = EmbeddedPostgres(home / "postgres")
        stack.callback(postgres.stop)
        server = postgres.start(options=postgres_options)
        copied = None
    name = fresh_name("bar")
    database_url = make_database(server, name, template=copied)
    if postgres is None:  # one of ours goes as a whole
        stack.callback(drop_database, server, name)
    if copied is None:
        migrate(database_url, home)
    _fill(home)
    options: dict[str, Any] = {"plant": plant, "shell": shell, "settings": environment}
    site = PlantedSite(home=home, database_url=database_url, **options)
    stack.callback(site.stop)
    site.start()
    stack.enter_context(site.database())
    return Stage(site, postgres, options)


def _fill(home: Path) -> None:
    (home / "secret_key").write_text(settings.SECRET_KEY)  # so that sessions made here count there
    (home / "static").mkdir(exist_ok=True)  # nothing was gathered: sockets are asked for, and plain pages


def last_lines(path: Path, count: int = 30) -> str:
    """How a log ends."""
    return "\n".join(path.read_text(errors="replace").strip().splitlines()[-count:])


# --- rooms and people ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Couple:
    """The two people of a room at their sockets, not connected yet."""

    pair: Pair
    clients: tuple[RoomClient, RoomClient]

    @property
    def candidate(self) -> RoomClient:
        return self.clients[0]

    @property
    def interviewer(self) -> RoomClient:
        return self.clients[1]


def make_couple(site: Site) -> Couple:
    """A fresh room of the site and its two people."""
    pair = make_pair()
    candidate, interviewer = (client_of(site, pair, role) for role in ROLES)
    return Couple(pair, (candidate, interviewer))


def replayed(pair: Pair) -> LiveRoom:
    """The room as its log in the database tells it, without any server."""
    return LiveRoom.replay(entries(pair.room_id), Facts("", "python", 0, 0, {}))


# --- what a process takes -----------------------------------------------------------------------------


def server_process(site: Site) -> psutil.Process:
    """The process that serves the site now."""
    return psutil.Process(site.server_pid)


def memory_bytes(process: psutil.Process) -> int:
    """What a process and those it started hold in memory (resident)."""
    total = 0
    for each in (process, *process.children(recursive=True)):
        try:
            total += each.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began
