"""`manage.py test`: every check there is, in an order in which the quick ones speak first.

Arguments other than --fast go to pytest, which then runs alone.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from anteroom import frontend
from anteroom.bootstrap import ROOT
from anteroom.steps import done, explain, say, step

FAST = "--fast"
WORKERS = "2"
BIN = Path(sys.executable).parent
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Check:
    """One program that says yes or no."""

    name: str
    command: list[str]
    folder: Path = ROOT
    environment: dict[str, str] | None = None


@dataclass
class Verdicts:
    """What came of the checks so far."""

    failed: list[str] = field(default_factory=list)
    passed: int = 0

    def add(self, name: str, good: bool) -> None:
        if good:
            self.passed += 1
        else:
            self.failed.append(name)


def main(arguments: list[str]) -> int:
    """Run the checks; 0 only if all of them passed. Raises Trouble when something cannot even be set up."""
    started = time.monotonic()
    fast = FAST in arguments
    for_pytest = [each for each in arguments if each != FAST]
    verdicts = Verdicts()
    say("Anteroom's tests")
    with step("front end") as line:
        line.note = frontend.build()
    if for_pytest:
        return _pytest(*for_pytest, *(["-m", "not browser and not slow"] if fast else []))
    if not fast:
        _bring_chromium()
    _side_by_side([_python_checks(), _frontend_checks()], verdicts)
    _tests(
        "python",
        verdicts,
        "-n",
        WORKERS,
        "--dist",
        "loadfile",
        "-m",
        "not browser and not slow" if fast else "not browser and not alone",
    )
    if not fast:
        _tests("one by one", verdicts, "-m", "alone")
        _tests("browser", verdicts, "-m", "browser")
    return _conclude(verdicts, time.monotonic() - started)


# --- inside -------------------------------------------------------------------------------------------


def _python_checks() -> list[Check]:
    ruff = str(BIN / "ruff")
    return [
        Check("ruff", [ruff, "check", "."]),
        Check("ruff format", [ruff, "format", "--check", "."]),
        Check("imports", [str(BIN / "lint-imports")]),
        Check("mypy", [sys.executable, "-m", "mypy"]),
    ]


def _frontend_checks() -> list[Check]:
    checks = []
    for name, arguments in (("biome", ["check", "."]), ("tsc", ["--noEmit"]), ("vitest", ["run"])):
        command, environment = frontend.tool(name)
        checks.append(Check(name, [*command, *arguments], frontend.FRONTEND, environment))
    return checks


def _side_by_side(lanes: list[list[Check]], verdicts: Verdicts) -> None:
    """The checks of one lane follow each other; lanes do not wait for each other."""

    def drive(lane: list[Check]) -> None:
        for check in lane:
            verdicts.add(check.name, _passes(check))

    with ThreadPoolExecutor(len(lanes)) as pool:
        list(pool.map(drive, lanes))


def _passes(check: Check) -> bool:
    started = time.monotonic()
    ran = subprocess.run(
        check.command, cwd=check.folder, env=check.environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
    )  # fmt: skip
    seconds = time.monotonic() - started
    if ran.returncode == 0:
        done(check.name, _closing_line(ran.stdout), seconds)
        return True
    indented = ran.stdout.rstrip().replace("\n", "\n    ")
    say(f"  {check.name}: FAILED after {seconds:.1f} s (exit code {ran.returncode})\n    {indented}")
    return False


def _closing_line(output: str) -> str:
    """The line that counts what passed, else the last one."""
    lines = [" ".join(line.split()) for line in COLOURS.sub("", output).splitlines() if line.strip()]
    counting = [line for line in lines if line.startswith("Tests ")]
    return (counting or lines or ["clean"])[-1]


def _tests(name: str, verdicts: Verdicts, *arguments: str) -> None:
    """pytest speaks for itself as it goes."""
    say(f"\n  {name}: pytest")
    verdicts.add(name, _pytest(*arguments) == 0)


def _pytest(*arguments: str) -> int:
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode


def _bring_chromium() -> None:
    """The machine's Chromium or Playwright's own, installed now if need be: never do without."""
    from playwright.sync_api import sync_playwright

    from rooms.bench.chromium import NoChromium, find_chromium

    with step("Chromium") as line, sync_playwright() as playwright:
        try:
            line.note = find_chromium(playwright)
        except NoChromium:
            ran = subprocess.run(
                [sys.executable, "-m", "playwright", "install", "chromium"],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            )  # fmt: skip
            if ran.returncode:
                raise explain(
                    "The browser tests need Chromium; there is none here and Playwright could not install "
                    "one. Install your system's package (Debian: apt install chromium) and try again.",
                    ran.stdout + ran.stderr,
                ) from None
            line.note = find_chromium(playwright)


def _conclude(verdicts: Verdicts, seconds: float) -> int:
    took = f"in {int(seconds // 60)} min {int(seconds % 60):02d} s"
    if verdicts.failed:
        say(f"\nFailed: {', '.join(verdicts.failed)}; passed: {verdicts.passed}, {took}.")
        return 1
    say(f"\nAll {verdicts.passed} checks passed {took}.")
    return 0
