"""From a bare Python to one with everything installed: makes `.venv`, fills it, and starts over inside.

Standard library only, and so is everything imported at the top. A warm start reads three small files.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from anteroom.steps import DISK_FULL, Trouble, disk_is_full, explain, say, step

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
CONSTRAINTS = ".constraints.txt"
RUNTIME = ("requirements.txt",)
TESTS = ("requirements.txt", "tests/requirements.txt")
UV = "uv==0.13.8"
"""Installs in a fifth of pip's time; pip takes over where it cannot run."""
ENTERED = "ANTEROOM_ENTERED"
"""Set across the re-exec, so that a broken environment cannot make it loop."""


def run(arguments: list[str]) -> int:
    """Prepare the environment and run one command; returns the exit code."""
    try:
        wants_tests = arguments[:1] in (["test"], ["bench"], ["bar"])
        Environment(VENV).enter(TESTS if wants_tests else RUNTIME, arguments)
        return _command(arguments)
    except Trouble as trouble:
        print(f"\n{trouble}", file=sys.stderr)
        return 1
    except OSError as error:
        if not disk_is_full(error):
            raise
        print(f"\n{DISK_FULL}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130


def _command(arguments: list[str]) -> int:
    """Inside the environment now: `up` and `test` are ours, the rest is Django's."""
    name = arguments[0] if arguments else "help"
    if name == "up":
        from anteroom.up import main

        return main(arguments[1:])
    if name == "test":
        from anteroom.suite import main

        return main(arguments[1:])
    if name in ("help", "--help", "-h") and len(arguments) < 2:
        say("up                set everything up and serve it; --help for its options")
        say("test              run all tests; --fast: the quick ones; other arguments go to pytest\n")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "anteroom.settings")
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    try:
        execute_from_command_line(["manage.py", *arguments])
    except OperationalError as error:
        raise Trouble(
            "The database does not answer. Start Anteroom in another window (python3 manage.py up), or set "
            f"DATABASE_URL.\n    {str(error).strip().splitlines()[0]}"
        ) from error
    return 0


class Environment:
    """The virtual environment of this checkout and what is known to be installed in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        self.stamp_path = folder / "anteroom.json"

    def enter(self, requirements: tuple[str, ...], arguments: list[str]) -> None:
        """Return only when this process runs inside, with these requirements there. Raises Trouble."""
        if not self.has(requirements):
            with locked():
                self.prepare(requirements)
        if self.is_entered():
            os.environ.pop(ENTERED, None)
            return
        if os.environ.get(ENTERED) == str(self.folder):
            raise Trouble(f"{self.folder} does not start as it should. Delete that folder and try again.")
        os.environ[ENTERED] = str(self.folder)
        sys.stdout.flush()
        os.execv(self.python, [str(self.python), str(ROOT / "manage.py"), *arguments])

    def is_entered(self) -> bool:
        return Path(sys.prefix).resolve() == self.folder.resolve()

    def has(self, requirements: tuple[str, ...]) -> bool:
        """Whether it is sound and these very requirements were installed."""
        return self.is_sound() and self._stamp().get(_name(requirements)) == _fingerprint(requirements)

    def is_sound(self) -> bool:
        """It is there, starts, has our Python version, and was not moved from elsewhere."""
        made_at = self._stamp().get("root", str(ROOT))
        return self.python.exists() and self._version() == sys.version_info[:2] and made_at == str(ROOT)

    def prepare(self, requirements: tuple[str, ...]) -> None:
        """Make what is missing; the caller holds the lock. Raises Trouble."""
        if self.has(requirements):  # somebody else did it while we waited for the lock
            return
        if not self.is_sound() or not self._installers():
            with step("environment") as line:
                line.note = self._make()
        with step("packages") as line:
            files = [argument for name in requirements for argument in ("-r", str(ROOT / name))]
            line.note = self.install(*files, what="The packages Anteroom needs")
        self._put_checkout_on_path()
        covered = [requirements[: count + 1] for count in range(len(requirements))]
        self._write_stamp(root=str(ROOT), **{_name(each): _fingerprint(each) for each in covered})

    def install(self, *arguments: str, what: str) -> str:
        """pip install with these arguments, by uv where possible; says by which. Raises Trouble."""
        self._bring_uv()
        said = ""
        for name, command in self._installers():
            done = subprocess.run(
                [*command, *arguments],
                cwd=ROOT, env=self._index_for_uv(), capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode == 0:
                return f"installed with {name}"
            said = done.stdout + done.stderr
        raise explain(f"{what} could not be installed. Is there a network?", said)

    # --- inside ---------------------------------------------------------------------------------------

    def _make(self) -> str:
        existed = self.folder.exists()
        shutil.rmtree(self.folder, ignore_errors=True)
        python = getattr(sys, "_base_executable", None) or sys.executable
        uv = shutil.which("uv")
        makers = [[uv, "venv", "--quiet", "--python", python, str(self.folder)]] if uv else []
        makers.append([python, "-m", "venv", str(self.folder)])
        said = ""
        try:
            for maker in makers:
                done = subprocess.run(maker, cwd=ROOT, capture_output=True, text=True, check=False)
                if done.returncode == 0 and self.python.exists():
                    self._write_stamp(root=str(ROOT))
                    return f"{self.folder.name} made {'anew ' if existed else ''}for {_python_name()}"
                said = done.stdout + done.stderr
                shutil.rmtree(self.folder, ignore_errors=True)
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)  # half-made is worse than none
            raise
        if "ensurepip" in said or "No module named venv" in said or "No module named 'venv'" in said:
            raise Trouble(
                "This Python cannot make virtual environments: its venv module is incomplete. "
                "On Debian or Ubuntu: apt install python3-venv. Then try again."
            )
        raise explain("The virtual environment could not be made.", said)

    def _installers(self) -> list[tuple[str, list[str]]]:
        """Ways to install into the environment, best first: (name, command up to the arguments)."""
        ways = []
        if uv := self._uv():
            ways.append(("uv", [uv, "pip", "install", "--quiet", "--python", str(self.python)]))
        if self._has_pip():
            ways.append(("pip", [*self._pip(), "install", "--quiet", "--retries", "2"]))
        return ways

    def _bring_uv(self) -> None:
        """uv comes from the same index as everything else; where it does not, pip does its work."""
        if not self._uv() and self._has_pip():
            came = subprocess.run([*self._pip(), "install", "--quiet", UV], capture_output=True, check=False)
            if came.returncode:  # such as a full disk in the middle of it
                self._own_uv().unlink(missing_ok=True)

    def _uv(self) -> str | None:
        return shutil.which("uv") or shutil.which(self._own_uv())

    def _own_uv(self) -> Path:
        return self.folder / "bin" / "uv"

    def _has_pip(self) -> bool:
        return (self._site_packages() / "pip").exists()

    def _pip(self) -> list[str]:
        return [str(self.python), "-m", "pip", "--disable-pip-version-check"]

    def _index_for_uv(self) -> dict[str, str]:
        """uv does not read pip's configuration; a mirror set there must count all the same."""
        environment = dict(os.environ)
        if not environment.keys() & {"UV_DEFAULT_INDEX", "UV_INDEX_URL"}:
            told = subprocess.run(
                [*self._pip(), "config", "get", "global.index-url"],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            index = environment.get("PIP_INDEX_URL") or (told.returncode == 0 and told.stdout.strip())
            if index:
                environment["UV_DEFAULT_INDEX"] = index
        return environment

    def _put_checkout_on_path(self) -> None:
        """So that `daphne`, `celery` and plain `python` find the apps from anywhere."""
        (self._site_packages() / "anteroom.pth").write_text(f"{ROOT / 'platform'}\n{ROOT}\n")

    def _site_packages(self) -> Path:
        return Path(sysconfig.get_path("purelib", "venv", {"base": str(self.folder)}))

    def _version(self) -> tuple[int, ...]:
        try:
            lines = (self.folder / "pyvenv.cfg").read_text().splitlines()
        except OSError:
            return ()
        told = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}
        version = told.get("version") or told.get("version_info") or ""  # venv's word, uv's word
        return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())

    def _stamp(self) -> dict[str, Any]:
        try:
            stamp = json.loads(self.stamp_path.read_text())
        except (OSError, ValueError):
            return {}
        return stamp if isinstance(stamp, dict) else {}

    def _write_stamp(self, **news: str) -> None:
        self.stamp_path.write_text(json.dumps({**self._stamp(), **news}))


@contextmanager
def locked() -> Iterator[None]:
    """One process at a time sets up this checkout."""
    folder = ROOT / ".anteroom"
    folder.mkdir(exist_ok=True)
    with (folder / "setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("  Another command is setting up this folder; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _name(requirements: tuple[str, ...]) -> str:
    return requirements[-1]


def _fingerprint(requirements: tuple[str, ...]) -> str:
    """SHA-256 over the requirements, the pins of what they bring along, and the Python version."""
    digest = hashlib.sha256(repr(sys.version_info[:2]).encode())
    for name in (*requirements, CONSTRAINTS):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def _python_name() -> str:
    return "Python " + ".".join(str(part) for part in sys.version_info[:3])
