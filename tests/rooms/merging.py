"""Two writers' histories merged in plain Python: what the room's text must be, without asking Yjs.

A list of characters, each remembered by its writer and number, kept in the order of the YATA paper
(https://www.researchgate.net/publication/310212186): a new character goes behind its left neighbour, past
those put there at the same time by a writer who comes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

Id = tuple[int, int]
"""Writer, and the number of the character among the writer's own."""


@dataclass(slots=True, eq=False)
class Character:
    id: Id
    made_in: int
    """The number of its transaction among the writer's own."""
    letter: str
    left: Character | None = None
    right: Character | None = None
    deleted_in: list[Id] = field(default_factory=list)
    """Writer and number of the transactions that deleted it."""


def merged(transactions: Sequence[dict[str, Any]]) -> str:
    """The text in which all transactions of a concurrent trace end."""
    characters: list[Character] = []
    histories: list[list[int]] = []
    typed, done = [0, 0], [0, 0]
    for transaction in transactions:
        agent = transaction["agent"]
        sees = [0, 0]
        for parent in transaction["parents"]:
            sees = [max(pair) for pair in zip(sees, histories[parent], strict=True)]
        sees[agent] += 1  # its own changes, as they are made
        for position, deleted, inserted in transaction["patches"]:
            place = _place(characters, sees, position)
            gone = (each for each in characters[place:] if _is_visible(each, sees))
            for each in list(islice(gone, deleted)):
                each.deleted_in.append((agent, done[agent]))
            for letter in inserted:
                new = Character((agent, typed[agent]), done[agent], letter)
                place = _insert(characters, place, new, sees)
                typed[agent] += 1
        done[agent] += 1
        histories.append(sees)
    return "".join(each.letter for each in characters if not each.deleted_in)


def _knows(sees: list[int], agent: int, number: int) -> bool:
    return number < sees[agent]


def _is_visible(character: Character, sees: list[int]) -> bool:
    return _knows(sees, character.id[0], character.made_in) and not any(
        _knows(sees, agent, number) for agent, number in character.deleted_in
    )


def _place(characters: list[Character], sees: list[int], position: int) -> int:
    """The index behind so many characters that the writer saw."""
    place = 0
    while position:
        position -= _is_visible(characters[place], sees)
        place += 1
    return place


def _insert(characters: list[Character], place: int, new: Character, sees: list[int]) -> int:
    """Put the character behind index `place` - 1; the index behind it."""
    new.left = characters[place - 1] if place else None
    known = (each for each in characters[place:] if _knows(sees, each.id[0], each.made_in))
    new.right = next(known, None)
    passed: set[Id] = set()
    rivals: set[Id] = set()
    for index in range(place, len(characters)):
        other = characters[index]
        if other is new.right:
            break
        passed.add(other.id)
        rivals.add(other.id)
        if other.left is new.left:
            if other.id[0] < new.id[0]:
                place, rivals = index + 1, set()
            elif other.right is new.right:
                break
        elif other.left is not None and other.left.id in passed:
            if other.left.id not in rivals:
                place, rivals = index + 1, set()
        else:
            break
    characters.insert(place, new)
    return place + 1
