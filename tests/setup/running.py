"""`up` in a process of its own, and what it has said."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import psutil

from anteroom.serving import until

ROOT = Path(__file__).resolve().parents[2]
STARTS_WITHIN_S = 120  # it may have to build the front end
STOPS_WITHIN_S = 40
OURS = ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "SITE_URL", "DJANGO_SETTINGS_MODULE")


def environment(home: Path) -> dict[str, str]:
    """Ours without what the test run set for itself."""
    return {key: value for key, value in os.environ.items() if key not in OURS} | {"ANTEROOM_HOME": str(home)}


def manage(home: Path, *arguments: str, code: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """A command of manage.py, or a piece of Python in its place."""
    program = ["-c", code] if code else [str(ROOT / "manage.py"), *arguments]
    return subprocess.run(
        [sys.executable, *program],
        env=environment(home) | variables, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


class Running:
    """One `up` and what it has said."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.home = home
        self.said_path = home / "said"
        with self.said_path.open("w") as said:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), "up", "--port", "0", *arguments],
                env=environment(home), stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            )  # fmt: skip
        until(lambda: "Ctrl-C" in self.said or self.process.poll(), "up is through", STARTS_WITHIN_S)
        assert self.process.poll() is None, self.said
        found = re.search(r"serving\s+(http://localhost:\d+)", self.said)
        assert found, self.said
        self.url = found[1]
        self.descendants = psutil.Process(self.process.pid).children(recursive=True)

    @property
    def said(self) -> str:
        return self.said_path.read_text()

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def end(self, signal_number: int) -> int:
        self.process.send_signal(signal_number)
        return self.process.wait(STOPS_WITHIN_S)

    def assert_nothing_is_left(self) -> None:
        names = ", ".join(_called(each) for each in self.alive())
        until(lambda: not self.alive(), f"everything ended; at first there was still {names}", STOPS_WITHIN_S)

    def alive(self) -> list[psutil.Process]:
        return [each for each in self.descendants if _is_alive(each)]


def _called(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()[-3:])
    except psutil.Error:  # it ended at this moment
        return str(process.pid)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
