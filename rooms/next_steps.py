"""What a person's card of a room says next once the room is over; the apps above answer, rooms only asks.

The feedback app knows whether *this* person has submitted. It answers for the reader alone: nothing here may
tell whether the other side has.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection

Answer = Callable[[uuid.UUID, Collection[uuid.UUID]], set[uuid.UUID]]
"""(person id, room ids) → those rooms for which the person still owes feedback."""

_answers: list[Answer] = []


def answer_with(answer: Answer) -> None:
    """Called once, when an app above is ready."""
    _answers.append(answer)


def rooms_owing(person_id: uuid.UUID, room_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Rooms among `room_ids` that wait for this person's feedback; all of them when no app answers."""
    if not room_ids or not _answers:
        return set(room_ids)
    return set().union(*(answer(person_id, room_ids) for answer in _answers))
