"""The room server's processes: forked from one that has everything loaded, watched, started again.

Whatever can still crash natively costs one of them and the sockets it held, whose pages come back by
themselves. A fork needs milliseconds where a fresh start needs a second, and shares the memory of what was
loaded.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

from anteroom.processes import die_with_parent

logger = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.1
"""Before a dead process is started again; doubles with every death that came at once."""
LAST_PAUSE_S = 5.0
AT_ONCE_S = 10.0
STOP_WITHIN_S = 15.0
"""How long they may take to let everybody go."""
BACKLOG = 1024

Work = Callable[[socket.socket], None]


def listen(host: str, port: int, count: int) -> list[socket.socket]:
    """So many listening sockets that share one address. port: 0 picks a free one. Raises OSError.

    Each process accepts from its own, so that the kernel spreads connections evenly. We hold them open
    meanwhile: who connects while a process is being started again waits instead of being turned away.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if count <= 1 or sys.platform != "linux":  # elsewhere the kernel spreads nothing, so they share one
        return [socket.create_server((host, port), family=family, backlog=BACKLOG)] * max(count, 1)
    with socket.create_server((host, port), family=family) as probe:  # or two servers might share it unawares
        port = int(probe.getsockname()[1])
    return [
        socket.create_server((host, port), family=family, backlog=BACKLOG, reuse_port=True)
        for _ in range(count)
    ]


@dataclass(eq=False, slots=True)
class _Process:
    """One place to fill: a socket, and the process that serves it at present."""

    number: int
    listening: socket.socket
    pid: int = 0
    started_at: float = 0.0
    again_at: float = 0.0
    pause_s: float = FIRST_PAUSE_S


class Forks:
    """One process for each listening socket, for as long as we live."""

    def __init__(self, listening: list[socket.socket], work: Work) -> None:
        """work: what each process does with its socket, until SIGTERM."""
        self._processes = [_Process(number, each) for number, each in enumerate(listening, 1)]
        self._work = work
        self._is_stopping = False

    def run(self) -> None:
        """Keep them alive until SIGTERM or SIGINT, then tell them and wait until they are gone.

        Must be called from the main thread of a process with no other: the others would not be forked.
        """
        woken, waker = socket.socketpair()
        for each in (woken, waker):
            each.setblocking(False)
        before = {number: signal.signal(number, self._told) for number in (signal.SIGTERM, signal.SIGINT)} | {
            signal.SIGCHLD: signal.signal(signal.SIGCHLD, lambda *_: None)
        }
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        try:
            self._watch(woken)
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)
            woken.close()
            waker.close()

    def _told(self, number: int, frame: FrameType | None) -> None:
        self._is_stopping = True

    def _watch(self, woken: socket.socket) -> None:
        while not self._is_stopping:
            now = time.monotonic()
            for each in self._processes:
                if not each.pid and now >= each.again_at:
                    self._start(each)
            pauses = [each.again_at - now for each in self._processes if not each.pid]
            select.select([woken], [], [], max(0.0, min(pauses)) if pauses else None)
            _empty(woken)
            self._reap()
        for each in self._processes:
            each.listening.close()
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_WITHIN_S
        while any(each.pid for each in self._processes):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                logger.warning("room processes were too slow to stop")
                self._signal(signal.SIGKILL)
            select.select([woken], [], [], max(0.1, left_s))
            _empty(woken)
            self._reap()

    def _start(self, process: _Process) -> None:
        parent = os.getpid()
        process.started_at = time.monotonic()
        process.pid = os.fork()
        if process.pid:
            return
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            die_with_parent(signal.SIGTERM, parent)()  # without us they let everybody go, and end
            for other in self._processes:
                if other.listening is not process.listening:
                    other.listening.close()
            self._work(process.listening)
            code = 0
        except BaseException:
            logger.exception("room process %d failed", process.number)
        finally:
            logging.shutdown()
            os._exit(code)

    def _reap(self) -> None:
        for process in self._processes:
            if not process.pid:
                continue
            pid, status = os.waitpid(process.pid, os.WNOHANG)
            if not pid:
                continue
            process.pid = 0
            if self._is_stopping:
                continue
            now = time.monotonic()
            lived_s = now - process.started_at
            process.pause_s = min(process.pause_s * 2, LAST_PAUSE_S) if lived_s < AT_ONCE_S else FIRST_PAUSE_S
            process.again_at = now + process.pause_s
            logger.error("room process %d died (%s) and is started again", process.number, _how(status))

    def _signal(self, number: signal.Signals) -> None:
        for each in self._processes:
            if each.pid:
                os.kill(each.pid, number)


def _empty(woken: socket.socket) -> None:
    try:
        while woken.recv(512):
            pass
    except BlockingIOError:
        pass


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
