"""Mistakes planted into the engine, each of which the simulation has to find.

`SERVER` patches the Python side as it runs; `PAGE` changes a line of the TypeScript before it is bundled.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

from rooms.held import HeldRoom
from rooms.keeper import Keeper
from rooms.live import snapshot
from rooms.live.effects import Append, Show
from rooms.live.entry import Entry
from rooms.outbox import Socket
from rooms.store import Snapshot, Unavailable, Writing
from rooms.wire import Committed, Drawn, Edit, Said, SyncStep1, decode_from_server
from tests.simulation.pages import Change
from tests.simulation.store import SimulatedStore

_do, _take, _commit = HeldRoom.do, Socket.take, SimulatedStore.commit
_DOINGS = (Edit, Said, Drawn, Committed)
_saved: dict[str, int] = {}
"""What sockets were told to be saved, by id."""

# --- servers ------------------------------------------------------------------------------------------


def _acknowledges_before_the_commit(self: HeldRoom, *arguments: Any, **options: Any) -> None:
    _do(self, *arguments, **options)
    effects = self._steps[-1].effects if self._steps else []
    for effect in effects:
        if isinstance(effect, Append) and isinstance(effect.author, Socket):
            effect.author.saved += 1
    self.flush()


def _shows_before_the_commit(self: HeldRoom, *arguments: Any, **options: Any) -> None:
    _do(self, *arguments, **options)
    for effect in self._steps[-1].effects if self._steps else []:
        if isinstance(effect, Show):
            self._carry_out(effect)
        elif isinstance(effect, Append) and effect.shown is not None:
            self._show(effect.shown, effect.entry.seq, effect.author)


async def _believes_itself_after_a_conflict(self: HeldRoom) -> None:
    self.written(self.live.seq)


async def _takes_an_outage_for_a_commit(self: SimulatedStore, batch: list[Writing]) -> None:
    with contextlib.suppress(Unavailable):
        await _commit(self, batch)


def _catches_up_without_showing(self: HeldRoom, entries: list[Entry]) -> None:
    for entry in entries:
        self.live.take(entry)
        self.committed_seq = entry.seq
    self.flush()


async def _never_catches_up(self: HeldRoom) -> None:
    pass


def _keeps_snapshots_of_what_is_only_decided(self: HeldRoom, *arguments: Any, **options: Any) -> None:
    _do(self, *arguments, **options)
    if self._steps:
        self._keeper.keep_snapshot(self, Snapshot(self.live.seq, snapshot.write(self.live)))


def _forgets_what_waits_after_a_conflict(self: HeldRoom) -> None:
    self._steps.clear()
    self._untaken.clear()
    self.flush()


async def _meets_who_comes_back_as_it_is(self: Keeper, room_id: uuid.UUID) -> HeldRoom:
    """A page may then know more than the room that it comes back to."""
    return await self._hold(room_id)


def _loses_what_it_says_now_and_then(self: Socket) -> list[bytes]:
    """Only what others did: no connection loses that, but a bug in a server might."""
    frames = _take(self)
    told = [decode_from_server(frame) for frame in frames]
    if any(isinstance(each, SyncStep1) for each in told):
        _saved[self.id] = 0  # it has just joined
    if told and isinstance(last := told[-1], Committed):
        is_others_alone = last.saved == _saved[self.id]
        if is_others_alone and last.seq % 2 == 0 and all(isinstance(each, _DOINGS) for each in told):
            return []
        _saved[self.id] = last.saved
    return frames


SERVER: dict[str, tuple[type, str, Callable[..., Any]]] = {
    "acknowledges before the commit": (HeldRoom, "do", _acknowledges_before_the_commit),
    "shows before the commit": (HeldRoom, "do", _shows_before_the_commit),
    "believes itself after a conflict": (HeldRoom, "conflicted", _believes_itself_after_a_conflict),
    "forgets what waits after a conflict": (HeldRoom, "_decide_again", _forgets_what_waits_after_a_conflict),
    "takes an outage for a commit": (SimulatedStore, "commit", _takes_an_outage_for_a_commit),
    "catches up without showing": (HeldRoom, "_follow", _catches_up_without_showing),
    "never catches up": (HeldRoom, "catch_up", _never_catches_up),
    "meets who comes back as it is": (Keeper, "_up_to_date", _meets_who_comes_back_as_it_is),
    "keeps snapshots of what is only decided": (HeldRoom, "do", _keeps_snapshots_of_what_is_only_decided),
}


CLOSER: dict[str, dict[str, Any]] = {
    "meets who comes back as it is": {
        "servers": 3, "rooms": 1, "is_sticky": False, "is_deaf": True, "every_s": {"cut": 1.0, "tab": 5.0},
    },
}  # fmt: skip
"""Of mistakes that take a rare turn to show: what the plan has to be like."""
LOSSES = (Socket, "take", _loses_what_it_says_now_and_then)
"""A mistake of a server that pages make good; see GAP."""


@contextlib.contextmanager
def planted(where: type, method: str, mistake: Callable[..., Any]) -> Iterator[None]:
    """The servers have this mistake."""
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

GAP: dict[str, Change] = {
    "does not mind a gap": (
        _CONNECTION, "    if (afterSeq > this.#seq) this.#askAgain();\n    else this.#seq = ",
        "    this.#seq = ",
    ),
    "does not mind a beat": (_CONNECTION, "if (message.seq > this.#seq || ", "if ("),
}  # fmt: skip
"""Mistakes that show where a server has LOSSES."""
