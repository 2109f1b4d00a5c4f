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
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from anteroom import frontend
from anteroom.bootstrap import ROOT
from anteroom.postgres import CannotStart, EmbeddedPostgres
from anteroom.processes import Child
from anteroom.serving import daphne_command, worker_command
from anteroom.steps import Trouble, explain, say, step

DEFAULT_PORT = 8000
EVERY_ADDRESS = ("0.0.0.0", "::", "")
BACKLOG = 128
SERVES_WITHIN_S = 60
LOOK_EVERY_S = 0.2
WEB_STOPS_WITHIN_S = 10
WORKER_STOPS_WITHIN_S = 20
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: list[str]) -> int:
    """Serve until told to stop; 0 after a clean stop. Raises Trouble, KeyboardInterrupt while setting up."""
    options = _parser().parse_args(arguments)
    home = Path(os.environ.get("ANTEROOM_HOME") or ROOT / ".anteroom").absolute()
    os.environ["ANTEROOM_HOME"] = str(home)
    children = Children(home / "logs")
    serving = False
    say("Anteroom")
    try:
        with ExitStack() as stack:
            stack.enter_context(_signals_interrupt(children))
            stack.enter_context(_only_one(home))
            listening = stack.enter_context(_listen(options.host, options.port))
            port = int(listening.getsockname()[1])
            os.environ.setdefault("SITE_URL", f"http://localhost:{port}")
            with step("front end") as line:
                line.note = frontend.build()
            stack.enter_context(_database(home))
            stack.enter_context(_found_by_others(home))
            links = _prepare_site(home, with_demo=options.demo)
            stack.callback(children.stop)
            with step("serving") as line:
                children.start(listening)
                children.wait_until_served(_address_to_ask(options.host, port))
                line.note = os.environ["SITE_URL"]
            for words in links:
                say(words)
            say("\nCtrl-C stops everything.")
            serving = True
            children.watch()
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
    parser.add_argument("--no-demo", dest="demo", action="store_false", help="no demo people, no demo room")
    return parser


class Children:
    """The web server and the worker, each with a log file."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: list[Child] = []

    def start(self, listening: socket.socket) -> None:
        descriptor = listening.fileno()
        web = daphne_command(descriptor=descriptor)
        for name, command, descriptors in (
            ("web server", web, [descriptor]),
            ("worker", worker_command(), []),
        ):
            log_path = self._logs / f"{name.split()[0]}.log"
            self._running.append(Child(name, command, log_path=log_path, cwd=ROOT, pass_fds=descriptors))

    def wait_until_served(self, url: str) -> None:
        """Until database, layer and worker are all there. Raises Trouble."""
        deadline = time.monotonic() + SERVES_WITHIN_S
        told: dict[str, bool] = {}
        while not (told and all(told.values())):
            self._raise_for_the_dead()
            if time.monotonic() > deadline:
                missing = ", ".join(part for part, there in told.items() if not there) or "web server"
                raise Trouble(
                    f"Not there after {SERVES_WITHIN_S} s: {missing}. The logs are in {self._logs}."
                )
            time.sleep(LOOK_EVERY_S)
            told = _health(url) or told

    def watch(self) -> None:
        """Until one of them dies: raises Trouble with its last words."""
        while True:
            self._raise_for_the_dead()
            time.sleep(LOOK_EVERY_S)

    def stop(self) -> None:
        """The web server first, so that nothing new comes in; then the worker, which finishes its tasks."""
        for child, timeout_s in zip(self._running, (WEB_STOPS_WITHIN_S, WORKER_STOPS_WITHIN_S), strict=False):
            with step(child.name) as line:
                dead = child.exit_code is not None
                in_time = child.stop(timeout_s)
                line.note = "had died" if dead else "stopped" if in_time else "killed: it took too long"

    def kill(self) -> None:
        """At once, for those who cannot wait."""
        for child in self._running:
            child.kill()

    def _raise_for_the_dead(self) -> None:
        for child in self._running:
            if child.exit_code is not None:
                raise explain(
                    f"The {child.name} died (exit code {child.exit_code}). Its last words, from "
                    f"{child.log_path}:",
                    child.last_lines() or "(none)",
                )


# --- inside -------------------------------------------------------------------------------------------


@contextmanager
def _signals_interrupt(children: Children) -> Iterator[None]:
    """The first signal ends what we do, in order; a second one kills what has not stopped yet."""
    told = 0

    def handle(number: int, _: object) -> None:
        nonlocal told
        told += 1
        if told == 1:
            say("\nStopping")
            raise KeyboardInterrupt
        children.kill()

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
def _database(home: Path) -> Iterator[None]:
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
        yield
    finally:
        if postgres.pid:
            with step("database") as line:
                postgres.stop()
                line.note = "stopped"


@contextmanager
def _found_by_others(home: Path) -> Iterator[None]:
    """Other commands read our addresses from a file, which holds a password: its owner's alone."""
    path, half = home / "running.json", home / "running.half"
    half.unlink(missing_ok=True)
    half.touch(mode=0o600)
    half.write_text(
        json.dumps({"database_url": os.environ["DATABASE_URL"], "site_url": os.environ["SITE_URL"]})
    )
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


def _address_to_ask(host: str, port: int) -> str:
    reachable = "127.0.0.1" if host in EVERY_ADDRESS else f"[{host}]" if ":" in host else host
    return f"http://{reachable}:{port}/healthz"


def _health(url: str) -> dict[str, bool] | None:
    """What /healthz says; None while nobody answers."""
    request = urllib.request.Request(url, headers={"Host": urlsplit(os.environ["SITE_URL"]).netloc})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy does not reach us
    try:
        with direct.open(request, timeout=5) as answer:
            body = answer.read()
    except urllib.error.HTTPError as error:
        body = error.read()
    except OSError:
        return None
    try:
        parts = json.loads(body)
    except ValueError:
        return None
    return parts if isinstance(parts, dict) else None
