"""What Anteroom promises under attack and failure: `manage.py bar NAME` breaks something and looks.

Without a name it lists the bars. The last line is one JSON object with `bar`, `figure`, `limit` and `ok`; the
exit code is 0 when the bar holds, 1 when it does not, 2 when it could not be tried.
"""

from __future__ import annotations

import json
import signal
import sys
import textwrap
import traceback
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError

HELD, BROKEN, NOT_TRIED = 0, 1, 2


class Command(BaseCommand):
    help = __doc__
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("bar", nargs="?", metavar="NAME", help="which; without it they are listed")
        parser.add_argument("--runs", type=int, help="how often to try, instead of the bar's own number")
        parser.add_argument(
            "--plant", action="store_true", help="break the protection first: the bar must not hold then"
        )
        parser.add_argument("--shell", help="the server to start: daphne (the default), roomserver, …")
        parser.add_argument("--seed", type=int, help="where chance begins, to have a failure again")

    def handle(
        self,
        *,
        bar: str | None,
        runs: int | None,
        plant: bool,
        shell: str | None,
        seed: int | None = None,
        **_: Any,
    ) -> None:
        # Only here: an installation that serves people has no tests.
        from tests.bars import CannotTry, bars, try_bar

        known = bars()
        if bar is None:
            self._list(known)
            return
        if bar not in known:
            raise CommandError(f"There is no bar {bar!r}. There are: {', '.join(known)}.", returncode=2)
        if runs is not None and runs < 1:
            raise CommandError("--runs takes a number from 1.", returncode=2)
        signal.signal(signal.SIGTERM, _interrupt)  # so that what was started is stopped
        try:
            chosen = {} if seed is None else {"seed": seed}
            verdict = try_bar(bar, runs=runs, plant=plant, shell=shell, say=self._say, **chosen)
        except KeyboardInterrupt:
            self._not_tried(bar, "stopped")
        except CannotTry as problem:
            self._not_tried(bar, str(problem))
        except Exception as error:
            self.stderr.write(traceback.format_exc())
            self._not_tried(bar, f"{type(error).__name__}: {error}")
        self._say(verdict.as_json())
        sys.exit(HELD if verdict.ok else BROKEN)

    def _list(self, known: dict[str, str]) -> None:
        for name, sentence in known.items():
            lines = textwrap.wrap(sentence, 88)
            self.stdout.write(f"{name:<16}" + f"\n{'':<16}".join(lines))

    def _not_tried(self, bar: str, problem: str) -> None:
        """Nothing was shown either way: still one line of JSON, and an exit code of its own."""
        self._say(json.dumps({"bar": bar, "figure": None, "limit": None, "ok": False, "error": problem}))
        sys.exit(NOT_TRIED)

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
