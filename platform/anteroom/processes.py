"""Child processes that end with us, whatever happens to us.

Each gets a session of its own, so that Ctrl-C at the terminal reaches only the parent, which then stops them
in order. On Linux the kernel ends them when the parent is killed.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1  # linux/prctl.h
LAST_LINES = 12
LOG_LIMIT_BYTES = 5_000_000

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(signal_number: int = signal.SIGKILL, parent: int | None = None) -> Callable[[], None]:
    """For subprocess's `preexec_fn`: the kernel sends this signal to the child when its parent dies.

    The parent must start it from its main thread: what the kernel watches is the thread. What runs between
    fork and exec is one call into C, so other threads' locks do not matter. Or call it in the child itself,
    with the process id of its parent.
    """
    expected = parent or os.getpid()

    def ask() -> None:
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0)
            if os.getppid() != expected:  # it died between fork and here
                os.kill(os.getpid(), signal_number)

    return ask


class Child:
    """One program with a log file."""

    def __init__(
        self,
        name: str,
        command: list[str],
        *,
        log_path: Path,
        orphan_signal: int = signal.SIGKILL,
        **options: Any,
    ) -> None:
        """orphan_signal: what it gets when we die. SIGKILL, unless it has children of its own to end.

        options: more for subprocess.Popen, such as `env`, `pass_fds`, `cwd`.
        """
        self.name = name
        self.log_path = log_path
        log_path.parent.mkdir(parents=True, exist_ok=True)
        _roll(log_path)
        with log_path.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True, preexec_fn=die_with_parent(orphan_signal), **options,  # noqa: PLW1509
            )  # fmt: skip

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative for the signal that ended it."""
        return self._process.poll()

    def last_lines(self, count: int = LAST_LINES) -> str:
        """What it said last since it was started."""
        with self.log_path.open("rb") as log:
            log.seek(self._log_start)
            return "\n".join(log.read().decode(errors="replace").strip().splitlines()[-count:])

    def ask_to_end(self) -> None:
        """Send it SIGTERM and go on."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def stop(self, timeout_s: float) -> bool:
        """Ask it to end and wait; False if it had to be killed. Whatever it started goes too."""
        self.ask_to_end()
        try:
            self._process.wait(timeout_s)
            return True
        except subprocess.TimeoutExpired:
            return False
        finally:
            self.kill()

    def kill(self) -> None:
        """kill -9 of it and of all that is left in its session."""
        with suppress(ProcessLookupError, PermissionError):  # nothing is left; macOS says so with EPERM
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _roll(path: Path) -> None:
    """Keep the log and one before it."""
    if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
        path.replace(path.with_suffix(path.suffix + ".1"))
