"""`manage.py up`: everything set up, everything running, everything stopped again.

The order of the steps is the order of what needs what; the order of stopping is the reverse.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from anteroom import frontend
from anteroom.bootstrap import ROOT
from anteroom.postgres import CannotStart, EmbeddedPostgres
from anteroom.proxy import Proxy
from anteroom.redis import OwnRedis
from anteroom.shapes import REDIS_RANK, REDIS_STOPS_WITHIN_S, Shape, one_process, several
from anteroom.steps import Trouble, explain, say, step
from anteroom.supervision import Part, Supervisor, how, say_again

DEFAULT_PORT = 8000
BACKLOG = 128
SERVES_WITHIN_S = 60
LOOK_EVERY_S = 0.2
MOST_PROCESSES = 16
"""Each takes some of the embedded Postgres' hundred connections."""
FOUND_BY_OTHERS = ("DATABASE_URL", "REDIS_URL", "SITE_URL")
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: list[str]) -> int:
    """Serve until told to stop; 0 after a clean stop. Raises Trouble, KeyboardInterrupt while setting up."""
    options = _parser().parse_args(arguments)
    home = Path(os.environ.get("ANTEROOM_HOME") or ROOT / ".anteroom").absolute()
    os.environ["ANTEROOM_HOME"] = str(home)
    running = Running(home)
    serving = False
    say("Anteroom")
    try:
        with ExitStack() as stack:
            stack.enter_context(_signals_interrupt(running))
            stack.enter_context(_only_one(home))
            listening = stack.enter_context(_listen(options.host, options.port))
            port = int(listening.getsockname()[1])
            os.environ.setdefault("SITE_URL", f"http://localhost:{port}")
            # Asked for before anything is started, so that what is missing is said at once.
            proxy = Proxy(home / "nginx", listening) if options.processes else None
            redis = (
                OwnRedis(home / "redis") if options.processes and not os.environ.get("REDIS_URL") else None
            )
            with step("front end") as line:
                line.note = frontend.build()
            stack.enter_context(_database(home, running))
            stack.callback(running.parts.stop)
            if redis:
                _start_redis(redis, running.parts)
            stack.enter_context(_found_by_others(home))
            links = _prepare_site(home, with_demo=options.demo)
            with step("serving") as line:
                running.serve(several(options.processes, proxy) if proxy else one_process(listening))
                line.note = os.environ["SITE_URL"]
            for words in links:
                say(words)
            say("\nCtrl-C stops everything.")
            serving = True
            running.watch()
    except KeyboardInterrupt:
        if not serving:
            raise
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="manage.py up", description="Set everything up, serve it, and stop it cleanly on Ctrl-C."
    )
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="where to listen (8000; 0: a free one)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1: this machine)")
    parser.add_argument(
        "--processes",
        type=_count,
        default=0,
        metavar="N",
        help="N web servers and N room servers behind nginx, with Redis between them (else: one process)",
    )
    parser.add_argument("--no-demo", dest="demo", action="store_false", help="no demo people, no demo room")
    return parser


def _count(text: str) -> int:
    count = int(text)
    if not 1 <= count <= MOST_PROCESSES:
        raise argparse.ArgumentTypeError(f"between 1 and {MOST_PROCESSES}")
    return count


class Running:
    """What `up` has started."""

    def __init__(self, home: Path) -> None:
        self.parts = Supervisor(home / "logs")
        self.postgres: EmbeddedPostgres | None = None

    def serve(self, shape: Shape) -> None:
        """Start these parts and wait until all say that they are there. Raises Trouble."""
        for part in shape.parts:
            self.parts.start(part)
        deadline = time.monotonic() + SERVES_WITHIN_S
        for ask in shape.questions:
            told: dict[str, bool] = {}
            while not (told and all(told.values())):
                self.parts.raise_for_the_dead()
                if time.monotonic() > deadline:
                    missing = ", ".join(part for part, there in told.items() if not there) or "web server"
                    raise Trouble(
                        f"Not there after {SERVES_WITHIN_S} s: {missing}. The logs are in {self.parts.logs}."
                    )
                time.sleep(LOOK_EVERY_S)
                told = ask() or told

    def watch(self) -> None:
        """For ever: what dies is started again. Raises Trouble when that does not help."""
        self.parts.watch(LOOK_EVERY_S, self._revive_database)

    def _revive_database(self) -> None:
        if self.postgres is None or self.postgres.exit_code is None:
            return
        say_again("database", how(self.postgres.exit_code or 0))
        self.postgres.kill()
        try:
            self.postgres.start()
        except CannotStart as error:
            raise explain("The embedded Postgres did not come back.", str(error)) from error


# --- inside -------------------------------------------------------------------------------------------


@contextmanager
def _signals_interrupt(running: Running) -> Iterator[None]:
    """The first signal ends what we do, in order; a second one kills what has not stopped yet."""
    told = 0

    def handle(number: int, _: object) -> None:
        nonlocal told
        told += 1
        if told == 1:
            say("\nStopping")
            raise KeyboardInterrupt
        running.parts.kill()

    before = {number: signal.signal(number, handle) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """One `up` per home: the second learns where the first one is."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise Trouble(
                f"Anteroom is running from this folder already (process {lock.read().strip() or 'unknown'}). "
                "Stop that one first, or give this one a folder of its own with ANTEROOM_HOME."
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@contextmanager
def _listen(host: str, port: int) -> Iterator[socket.socket]:
    """The port is ours from the first moment on, and Daphne gets it later: no late surprise."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
            listening.listen(BACKLOG)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise Trouble(
                f"Port {port} on {host} cannot be used: {why}. Stop what uses it, or choose another one: "
                f"python3 manage.py up --port {DEFAULT_PORT + 80}"
            ) from error
        yield listening


@contextmanager
def _database(home: Path, running: Running) -> Iterator[None]:
    """The database of DATABASE_URL, or one of our own whose address other commands find in the home."""
    if os.environ.get("DATABASE_URL"):
        with step("database") as line:
            line.note = "the one of DATABASE_URL"
        yield
        return
    postgres = EmbeddedPostgres(home / "postgres")
    try:
        with step("database") as line:
            try:
                url = postgres.start()
            except CannotStart as error:
                raise explain("The embedded Postgres did not start.", str(error)) from error
            line.note = f"Postgres on 127.0.0.1:{postgres.port}"
        os.environ["DATABASE_URL"] = url  # for the children
        running.postgres = postgres
        yield
    finally:
        running.postgres = None
        if postgres.pid:
            with step("database") as line:
                postgres.stop()
                line.note = "stopped"


def _start_redis(redis: OwnRedis, parts: Supervisor) -> None:
    with step("redis") as line:
        redis.wait_until_ready(
            parts.start(Part("redis", redis.command, REDIS_STOPS_WITHIN_S, rank=REDIS_RANK))
        )
        os.environ["REDIS_URL"] = redis.url  # for the children
        line.note = f"on 127.0.0.1:{redis.port}"


@contextmanager
def _found_by_others(home: Path) -> Iterator[None]:
    """Other commands read our addresses from a file, which holds a password: its owner's alone."""
    path, half = home / "running.json", home / "running.half"
    half.unlink(missing_ok=True)
    half.touch(mode=0o600)
    told = {name.lower(): os.environ[name] for name in FOUND_BY_OTHERS if os.environ.get(name)}
    half.write_text(json.dumps(told))
    half.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _prepare_site(home: Path, *, with_demo: bool) -> list[str]:
    """Migrations, static files, demo; what to say at the end. Django is loaded from here on."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "anteroom.settings")
    import django
    from django.core.management import call_command
    from django.db import OperationalError, connections

    with step("tables") as line:
        django.setup()
        try:
            call_command("migrate", verbosity=0, interactive=False)
        except OperationalError as error:
            raise explain("The database does not do as it should.", str(error)) from error
        line.note = "up to date"
    with step("static") as line:
        line.note = _collect_static(home)
    words: list[str] = []
    if with_demo:
        from rooms import demo

        with step("demo") as line:
            try:
                ready = demo.prepare()
            except demo.AddressTaken as taken:
                raise Trouble(str(taken)) from taken
            line.note = f"room “{ready.room.title}”"
        words = [
            "\nOpen each link in a browser (or profile) of its own; each signs in once:",
            f"  Candidate    {ready.candidate_link}",
            f"  Interviewer  {ready.interviewer_link}",
            f"  Admin        {ready.admin_link}",
            "New links: python3 manage.py demo",
        ]
    connections.close_all()
    return words


def _collect_static(home: Path) -> str:
    """Gather and compress what browsers load, unless that was done for this very build."""
    from django.conf import settings
    from django.core.management import call_command

    made_of = f"{frontend.stamp()} {sorted(settings.INSTALLED_APPS)} {settings.STORAGES['staticfiles']}"
    stamp = home / "static.stamp"
    if stamp.exists() and Path(settings.STATIC_ROOT).exists() and stamp.read_text() == made_of:
        return "nothing changed"
    stamp.unlink(missing_ok=True)
    call_command("collectstatic", verbosity=0, interactive=False, clear=True)
    stamp.write_text(made_of)
    return "gathered and compressed"
