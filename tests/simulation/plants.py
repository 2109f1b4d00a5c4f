"""Mistakes planted into the engine, each of which the simulation has to find.

`SERVER` patches the Python side as it runs; `PAGE` changes a line of the TypeScript before it is bundled.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

from rooms.held import HeldRoom
from rooms.live import snapshot
from rooms.live.effects import Append, Show
from rooms.live.entry import Entry
from rooms.outbox import Socket
from rooms.store import Snapshot, Unavailable, Writing
from tests.simulation.pages import Change
from tests.simulation.store import SimulatedStore

_do = HeldRoom.do
_commit = SimulatedStore.commit

# --- servers ------------------------------------------------------------------------------------------


def _acknowledges_before_the_commit(self: HeldRoom, *arguments: Any, **options: Any) -> None:
    _do(self, *arguments, **options)
    effects = self._steps[-1].effects if self._steps else []
    for effect in effects:
        if isinstance(effect, Append) and isinstance(effect.author, Socket):
            effect.author.saved += 1
    self._flush()


def _shows_before_the_commit(self: HeldRoom, *arguments: Any, **options: Any) -> None:
    _do(self, *arguments, **options)
    for effect in self._steps[-1].effects if self._steps else []:
        if isinstance(effect, Show):
            self._carry_out(effect)


async def _believes_itself_after_a_conflict(self: HeldRoom) -> None:
    self.written(self.live.seq)


async def _takes_an_outage_for_a_commit(self: SimulatedStore, batch: list[Writing]) -> None:
    with contextlib.suppress(Unavailable):
        await _commit(self, batch)


def _catches_up_without_showing(self: HeldRoom, entries: list[Entry]) -> None:
    for entry in entries:
        self.live.take(entry)
        self.committed_seq = entry.seq
    self._flush()


async def _never_catches_up(self: HeldRoom) -> None:
    pass


def _keeps_snapshots_of_what_is_only_decided(self: HeldRoom, *arguments: Any, **options: Any) -> None:
    _do(self, *arguments, **options)
    if self._steps:
        self._keeper.keep_snapshot(self, Snapshot(self.live.seq, snapshot.write(self.live)))


def _forgets_what_waits_after_a_conflict(self: HeldRoom) -> None:
    self._steps.clear()
    self._untaken.clear()
    self._flush()


SERVER: dict[str, tuple[type, str, Callable[..., Any]]] = {
    "acknowledges before the commit": (HeldRoom, "do", _acknowledges_before_the_commit),
    "shows before the commit": (HeldRoom, "do", _shows_before_the_commit),
    "believes itself after a conflict": (HeldRoom, "conflicted", _believes_itself_after_a_conflict),
    "forgets what waits after a conflict": (HeldRoom, "_decide_again", _forgets_what_waits_after_a_conflict),
    "takes an outage for a commit": (SimulatedStore, "commit", _takes_an_outage_for_a_commit),
    "catches up without showing": (HeldRoom, "_follow", _catches_up_without_showing),
    "never catches up": (HeldRoom, "catch_up", _never_catches_up),
    "keeps snapshots of what is only decided": (HeldRoom, "do", _keeps_snapshots_of_what_is_only_decided),
}


@contextlib.contextmanager
def planted(name: str) -> Iterator[None]:
    """The servers have this mistake."""
    where, method, mistake = SERVER[name]
    with patch.object(where, method, mistake):
        yield


# --- pages --------------------------------------------------------------------------------------------

_CONNECTION = "src/connection.ts"
PAGE: dict[str, Change] = {
    "sends nothing again after coming back": (
        _CONNECTION, "    this.#askForRest();\n    this.#pump();\n", "    this.#askForRest();\n",
    ),
    "does not ask for what it missed": (
        _CONNECTION, "    this.#askForRest();\n    this.#pump();\n", "    this.#pump();\n",
    ),
    "says saved when it has sent": (_CONNECTION, 'this.unsaved ? "saving" : "saved"', '"saved"'),
    "goes on counting on a new socket": (
        _CONNECTION, "    this.#sent = 0;\n    this.#acknowledged = 0;\n", "    this.#sent = 0;\n",
    ),
    "forgets what it sent when the socket is gone": (
        _CONNECTION, "    this.#welcomed = false;\n    this.#sent = 0;\n    if (socket",
        "    this.#welcomed = false;\n    this.#outbox.splice(0, this.#sent);\n    if (socket",
    ),
    "never notices silence": (
        _CONNECTION, 'this.#watch = setTimeout(() => this.#lost(1006, ""), ms);', "void ms;",
    ),
}  # fmt: skip
