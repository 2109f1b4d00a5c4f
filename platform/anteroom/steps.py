"""What a person at the terminal reads: one line per step, and one sentence when it cannot go on.

Standard library only: this speaks before anything is installed.
"""

from __future__ import annotations

import errno
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

NAME_WIDTH = 13
NOTE_WIDTH = 52
DISK_FULL = (
    "The disk is full, or the quota is used up. Make room (a first start needs about 1.5 GB) and try again."
)
NO_SPACE = re.compile(r"No space left on device|ENOSPC|disk full|Disk quota exceeded", re.IGNORECASE)


class Trouble(Exception):
    """Why it cannot go on, in one sentence for the person who typed the command."""


class Step:
    """One line of progress; `note` is what it ends with."""

    def __init__(self) -> None:
        self.note = ""


@contextmanager
def step(name: str) -> Iterator[Step]:
    """Print the name at once, and note and seconds once the block is through."""
    _say(f"  {name:<{NAME_WIDTH}} ", end="")
    started = time.monotonic()
    line = Step()
    try:
        yield line
    except BaseException:
        _say("failed")
        raise
    _say(f"{line.note:<{NOTE_WIDTH}} {time.monotonic() - started:6.1f} s")


def done(name: str, note: str, seconds: float) -> None:
    """The same line at once, for steps that run side by side."""
    _say(f"  {name:<{NAME_WIDTH}} {note[:NOTE_WIDTH]:<{NOTE_WIDTH}} {seconds:6.1f} s")


def say(text: str = "") -> None:
    """Print a line for the person at the terminal."""
    _say(text)


def disk_is_full(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def explain(what: str, output: str) -> Trouble:
    """Turn the output of a failed program into a Trouble: a full disk gets its own sentence."""
    if NO_SPACE.search(output):
        return Trouble(DISK_FULL)
    lines = [line for line in output.strip().splitlines() if line.strip()]
    return Trouble("\n    ".join([what, *lines[-8:]]))


def _say(text: str, end: str = "\n") -> None:
    try:
        print(text, end=end, flush=True)
    except UnicodeEncodeError:
        print(text.encode(sys.stdout.encoding or "ascii", "replace").decode("ascii"), end=end, flush=True)
