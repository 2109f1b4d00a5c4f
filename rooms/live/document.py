"""The code of a room: one Yjs document over pycrdt, guarded by the gate.

Whatever pycrdt raises (a Rust panic arrives as a BaseException) may leave a document half changed, so it is
thrown away and made again from what was known to be good.
"""

from __future__ import annotations

import logging
from collections import deque
from random import uniform

from pycrdt import Doc, Text, TransactionEvent

from rooms.errors import BadFrame, CodeTooLong
from rooms.live.gate import ROOT, Gate, Vector, read_vector
from rooms.roles import Role

logger = logging.getLogger(__name__)

NOTHING = b"\x00\x00"
"""An update without structs and without deletions."""
MAX_BYTES = 3 << 19
"""Of the compact state: a million characters and more. Who writes beyond it is sent away, since an edit that
is refused cannot be taken back at its writer's."""
MIN_TAIL_BYTES = 64 * 1024
MAX_VECTOR_BYTES = 64 * 1024
MAX_UNAPPLIED = 64
SPREAD = 0.5, 1.5
"""Times these two: interviews start on the hour, and rooms in which people type alike must not all do at once
what each of them does now and then."""
LAST_DELETIONS = 64
"""Whoever was cut off sends again what was not acknowledged: of an insertion its clock tells, of a deletion
this."""
ORDINARY_BYTES = 256
"""Up to here an update is kept as it came, though it may repeat a deletion; a larger one is looked through,
since a returning client repeats every deletion there ever was."""


class Document:
    """The text that both seats write, with all that merging it needs."""

    def __init__(self) -> None:
        self._gate = Gate()
        self._base = NOTHING
        self._tail: list[bytes] = []
        self._unapplied: list[bytes] = []
        """The end of the tail: what the document has not been given yet. Many at once cost a fifth."""
        self._tail_bytes = 0
        self._deletions: deque[bytes] = deque(maxlen=LAST_DELETIONS)
        self._settle_at = uniform(*SPREAD) * MAX_UNAPPLIED
        self._compact_at = uniform(*SPREAD) * MIN_TAIL_BYTES
        self._fresh()

    def _fresh(self) -> None:
        self._doc: Doc[Text] = Doc()
        self._text = self._doc.get(ROOT, type=Text)

    # --- reading --------------------------------------------------------------------------------------

    @property
    def text(self) -> str:
        self._settle()
        return str(self._text)

    @property
    def vector(self) -> bytes:
        """The state vector: what this document has."""
        self._settle()
        return self._doc.get_state()

    @property
    def owners(self) -> dict[int, Role]:
        """The seat of every clientID that has written."""
        return self._gate.owners

    @property
    def halves(self) -> dict[int, set[int]]:
        """Where a surrogate pair must not be split: see Gate."""
        return self._gate.halves

    @property
    def state(self) -> bytes:
        """All of it as one update, without what was deleted."""
        self._settle()
        return self._doc.get_update()

    def since(self, vector: bytes) -> bytes:
        """What a document with this state vector lacks, as one update. Raises BadFrame."""
        if len(vector) > MAX_VECTOR_BYTES:
            raise BadFrame
        read_vector(vector)
        self._settle()
        try:
            return self._doc.get_update(vector)
        except BaseException as error:
            _unless_meant(error)
            raise BadFrame from error

    # --- writing --------------------------------------------------------------------------------------

    def take(self, role: Role, update: bytes) -> bytes | None:
        """Apply an update of this seat.

        Returns what is new in it, as the update to keep and to show; None when all was known.
        Raises BadFrame, CodeTooLong or FrameTooLarge; the document is then as it was before.
        """
        passed = self._gate.check(role, update)
        if not passed.ends and not passed.deletes:
            return None
        if passed.ends and len(self._base) + self._tail_bytes > MAX_BYTES:
            self._compact()
            if len(self._base) > MAX_BYTES:
                raise CodeTooLong
        if passed.is_keystroke and not (passed.deletes and update in self._deletions):
            self._unapplied.append(update)
            news = update
        elif (
            passed.is_new and len(passed.ends) == 1 and (not passed.deletes or len(update) <= ORDINARY_BYTES)
        ):
            self._apply(update)
            news = update
        else:
            seen = self._apply_and_look(update, passed.ends)
            if seen is None:
                return None
            news = seen
        if passed.deletes:
            self._deletions.append(update)
        self._gate.admit(role, passed)
        self._remember(news)
        return news

    def replay(self, role: Role, update: bytes) -> None:
        """Apply an update from the log, which passed the gate when it was written."""
        self._gate.learn(role, update)
        self._unapplied.append(update)
        self._remember(update)

    def restore(self, state: bytes, owners: dict[int, Role], halves: dict[int, set[int]]) -> None:
        """Become what `state` was, with what else the gate has to know. Raises ValueError."""
        try:
            self._doc.apply_update(state)
        except BaseException as error:
            _unless_meant(error)
            raise ValueError("no state of a document") from error
        self._gate.restore(read_vector(self.vector), owners, halves)
        self._base = state

    def _apply(self, update: bytes) -> None:
        self._settle()
        try:
            self._doc.apply_update(update)
        except BaseException as error:
            self._rebuild()
            _unless_meant(error)
            raise BadFrame from error

    def _apply_and_look(self, update: bytes, ends: Vector) -> bytes | None:
        """Apply and say what changed; None when nothing did."""
        seen: list[bytes] = []

        def see(event: TransactionEvent) -> None:
            seen.append(event.update)

        self._settle()
        doc = self._doc
        subscription = doc.observe(see)
        try:
            self._apply(update)
        finally:
            doc.unobserve(subscription)
        if ends:
            # Structs of several writers can wait for one another in a circle; then they stay outside.
            reached = read_vector(self.vector)
            if any(reached.get(client, 0) < end for client, end in ends.items()):
                self._rebuild()
                raise BadFrame
        return seen[0] if seen and seen[0] != NOTHING else None

    def _settle(self) -> None:
        """Give the document what it lacks."""
        if not self._unapplied:
            return
        try:
            with self._doc.transaction():
                for update in self._unapplied:
                    self._doc.apply_update(update)
            self._unapplied.clear()
        except BaseException as error:
            _unless_meant(error)
            self._rebuild()

    def _remember(self, update: bytes) -> None:
        self._tail.append(update)
        self._tail_bytes += len(update) + 64
        if len(self._unapplied) >= self._settle_at:
            self._settle()
            self._settle_at = uniform(*SPREAD) * MAX_UNAPPLIED
        if self._tail_bytes > self._compact_at:
            self._compact()

    def _compact(self) -> None:
        self._base = self.state
        self._tail.clear()
        self._tail_bytes = 0
        self._compact_at = uniform(*SPREAD) * max(MIN_TAIL_BYTES, len(self._base))

    def _rebuild(self) -> None:
        """The document from what is known to be good.

        What cannot be applied though it passed the gate is left out, here and wherever the log is read.
        """
        self._fresh()
        self._doc.apply_update(self._base)
        self._unapplied.clear()
        for number, update in enumerate(self._tail):
            try:
                self._doc.apply_update(update)
            except BaseException as error:
                _unless_meant(error)
                logger.error(
                    "an update that had passed the gate could not be applied: %s", type(error).__name__
                )
                del self._tail[number]
                return self._rebuild()
        return None


def _unless_meant(error: BaseException) -> None:
    """Let go through what stops the program; pyo3's PanicException is a BaseException too."""
    if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit | MemoryError):
        raise error
