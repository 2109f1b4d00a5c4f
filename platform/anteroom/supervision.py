"""Keeps processes running: one that dies costs only itself and is started again.

A part that dies at once, again and again, is given up with its last words, since starting it once more would
only hide them.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from anteroom.bootstrap import ROOT
from anteroom.processes import Child
from anteroom.steps import NAME_WIDTH, Trouble, explain, say, step

FIRST_PAUSE_S = 0.2
"""Before a part is started again; doubles with every death that came at once."""
AT_ONCE_S = 10.0
"""Who lived shorter than this died at once."""
MAX_DEATHS = 6
"""So many deaths at once in a row, and it is given up: after some 6 s of pauses."""


@dataclass(frozen=True)
class Part:
    """One process that is to be there for as long as we are."""

    name: str
    command: list[str]
    stops_within_s: float
    """How long it may take to finish what it has begun."""
    rank: int = 0
    """Parts of one rank are asked to stop together, the lowest first."""
    descriptors: tuple[int, ...] = ()
    environment: Mapping[str, str] | None = None
    """None: ours."""
    orphan_signal: int = signal.SIGKILL


class _Running:
    """A part with the process that is it at present, or the moment at which there will be another."""

    def __init__(self, part: Part, log_path: Path) -> None:
        self.part = part
        self._log_path = log_path
        self._deaths = 0
        self._again_at: float | None = None
        self._start()

    def _start(self) -> None:
        part = self.part
        self.child = Child(
            part.name, part.command, log_path=self._log_path, orphan_signal=part.orphan_signal, cwd=ROOT,
            pass_fds=part.descriptors, env=part.environment,
        )  # fmt: skip
        self._started = time.monotonic()
        self._again_at = None

    def look(self) -> None:
        """Start it again when it is dead and its pause is over. Raises Trouble when it is given up."""
        if self._again_at is not None:
            if time.monotonic() >= self._again_at:
                died = how(self.child.exit_code or 0)
                self._start()
                say_again(self.part.name, died)
            return
        exit_code = self.child.exit_code
        if exit_code is None:
            return
        lived_s = time.monotonic() - self._started
        self._deaths = self._deaths + 1 if lived_s < AT_ONCE_S else 1
        if self._deaths >= MAX_DEATHS:
            raise self.last_words(f"died {self._deaths} times in a row, each time at once")
        self.child.kill()  # what it may have left behind
        pause_s = FIRST_PAUSE_S * 2 ** (self._deaths - 1)
        self._again_at = time.monotonic() + pause_s

    def last_words(self, what: str) -> Trouble:
        said = self.child.last_lines() or "(none)"
        return explain(f"The {self.part.name} {what}. Its last words, from {self.child.log_path}:", said)

    def raise_if_dead(self) -> None:
        if self.child.exit_code is not None:
            raise self.last_words(f"died ({how(self.child.exit_code)})")


class Supervisor:
    """The parts of one site, each with a log file named after it."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self._running: list[_Running] = []

    def start(self, part: Part) -> Child:
        """Start a part and answer for it from now on; its process at present."""
        running = _Running(part, self.logs / f"{part.name.replace(' ', '-')}.log")
        self._running.append(running)
        return running.child

    def raise_for_the_dead(self) -> None:
        """Before everything serves, a death is the end. Raises Trouble with its last words."""
        for running in self._running:
            running.raise_if_dead()

    def look(self) -> None:
        """Start again what died. Raises Trouble when one is given up."""
        for running in self._running:
            running.look()

    def watch(self, every_s: float, also: Callable[[], None] = lambda: None) -> None:
        """Look for ever, at something else too. Raises Trouble when a part is given up."""
        while True:
            self.look()
            also()
            time.sleep(every_s)

    def stop(self) -> None:
        """Rank by rank; within a rank all at once, each with its time to finish."""
        for rank in sorted({each.part.rank for each in self._running}):
            leaving = [each for each in self._running if each.part.rank == rank]
            dead = {each for each in leaving if each.child.exit_code is not None}
            asked = time.monotonic()
            for each in leaving:
                each.child.ask_to_end()
            for each in leaving:
                with step(each.part.name) as line:
                    left_s = max(0.0, asked + each.part.stops_within_s - time.monotonic())
                    in_time = each.child.stop(left_s)
                    line.note = "had died" if each in dead else "stopped" if in_time else "killed: too slow"

    def kill(self) -> None:
        """At once, for those who cannot wait."""
        for each in self._running:
            each.child.kill()


def say_again(name: str, how: str) -> None:
    """The one line about a part that came back."""
    say(f"  {name:<{NAME_WIDTH}} died ({how}), started again")


def how(exit_code: int) -> str:
    """What ended a process, in a word or two."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"
