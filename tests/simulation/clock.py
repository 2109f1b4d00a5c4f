"""Virtual time, and processes that can be killed or stopped in it.

`VirtualLoop` is an asyncio event loop that never sleeps: when nothing is ready, time jumps to the next timer.
A minute of a room's life takes as long as its work does. Whatever asks for a thread fails loudly.

`Process` marks everything that runs on a server process's behalf, by a context variable that tasks and
timers inherit. A killed process is not cancelled, which would run its `finally` blocks: its callbacks are
never called again, as after `kill -9`. A frozen one keeps its callbacks until it thaws, like one that was
stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import warnings
from asyncio import events
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NoReturn

EPOCH = datetime(2026, 1, 1, 9, tzinfo=UTC)
"""When every simulation begins."""
TIMER_LATENESS_S = 0.002
"""A timer may fire so late: two that are due together fire in any order, as on a real machine."""
MOST_STEPS_AT_ONCE = 200_000
"""More callbacks than this without time passing, and something goes round in a circle."""


class Stuck(AssertionError):
    """Nothing will ever happen again, or something happens for ever."""


class Process:
    """What one server process does. `skew_s`: how far its clock is off."""

    def __init__(self, name: str, skew_s: float = 0.0) -> None:
        self.name = name
        self.skew_s = skew_s
        self.is_dead = False
        self.is_frozen = False
        self._kept: list[events.Handle] = []
        self._tasks: set[asyncio.Task[Any]] = set()

    def context(self) -> Context:
        """A context in which everything belongs to this process."""
        context = Context()
        context.run(_process.set, self)
        return context

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run it as a task of this process."""
        return asyncio.get_running_loop().create_task(work, context=self.context())

    def kill(self) -> None:
        """End it between two callbacks; nothing of it runs again."""
        self.is_dead = True
        self._kept.clear()

    def bury(self) -> None:
        """After the simulation: let go of what it left half done, whose `finally` blocks may run now."""
        self.kill()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # what never began need not be awaited
            for task in self._tasks:
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                with contextlib.suppress(Exception):
                    task.get_coro().close()

    def freeze(self) -> None:
        """Stop it between two callbacks."""
        self.is_frozen = True

    def thaw(self, loop: VirtualLoop) -> None:
        """Go on where it stopped; timers that came due meanwhile fire now."""
        self.is_frozen = False
        kept, self._kept = self._kept, []
        if not self.is_dead:
            loop.take_back(kept)

    def now(self, loop: VirtualLoop) -> float:
        """The time by this process's clock, in seconds since the epoch."""
        return loop.now().timestamp() + self.skew_s


_process: ContextVar[Process | None] = ContextVar("process", default=None)


def current() -> Process:
    """The process on whose behalf this code runs."""
    process = _process.get()
    assert process is not None, "nobody's code asks whose it is"
    return process


NOBODY = Context()
"""The context of what belongs to no process: the network, the database, the people."""


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop whose time is a number. `random` decides between what asyncio leaves open."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random
        self._time_s = 0.0
        self._steps_at_once = 0
        self.steps = 0
        self.set_task_factory(self._make_task)

    def time(self) -> float:
        return self._time_s

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self._time_s)

    def after(self, delay_s: float, do: Callable[..., object], *arguments: object) -> asyncio.TimerHandle:
        """Call it later on nobody's behalf: the world goes on when a process dies."""
        return self.call_later(delay_s, do, *arguments, context=NOBODY.copy())

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        late_s = self._random.random() * TIMER_LATENESS_S
        return super().call_at(when + late_s, callback, *args, context=context)

    def take_back(self, handles: list[events.Handle]) -> None:
        self._ready.extend(handles)  # type: ignore[attr-defined]

    def _make_task(self, loop: Any, work: Any, context: Context | None = None) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, context=context)
        owner = (context or copy_context()).get(_process)
        if owner is not None:
            owner._tasks.add(task)
            task.add_done_callback(owner._tasks.discard)
        return task

    # --- what BaseEventLoop asks of a loop ------------------------------------------------------------

    def _run_once(self) -> None:
        scheduled: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        ready = self._ready  # type: ignore[attr-defined]
        while scheduled and scheduled[0].cancelled():
            heapq.heappop(scheduled)._scheduled = False  # type: ignore[attr-defined]
        if not ready:
            if not scheduled:
                raise Stuck("nothing is ready and no timer is set")
            self._time_s = max(self._time_s, scheduled[0].when())
            self._steps_at_once = 0
        while scheduled and scheduled[0].when() <= self._time_s:
            timer = heapq.heappop(scheduled)
            timer._scheduled = False  # type: ignore[attr-defined]
            ready.append(timer)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                self._run(handle)

    def _run(self, handle: events.Handle) -> None:
        owner = handle._context.get(_process)  # type: ignore[attr-defined]
        if owner is not None and owner.is_dead:
            return
        if owner is not None and owner.is_frozen:
            owner._kept.append(handle)
            return
        self.steps += 1
        self._steps_at_once += 1
        if self._steps_at_once > MOST_STEPS_AT_ONCE:
            raise Stuck(f"{handle!r} and others go on without time passing")
        handle._run()

    def _process_events(self, event_list: list[Any]) -> None:
        raise AssertionError("nothing outside the simulation sends events")

    def _write_to_self(self) -> None:
        pass  # there is no sleep to be woken from

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Any, *args: Any
    ) -> NoReturn:
        raise AssertionError(f"a thread in virtual time, for {func}")
