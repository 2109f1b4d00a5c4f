"""The words of the readable transcript."""

from __future__ import annotations

import random
import time

import pytest

from rooms.timeline import Consented, Left, PhaseReached
from rooms.transcript_page import Role, board_words, clock_of, compare, lines_of, mark_words

MASKS = {Role.CANDIDATE: "Quiet Heron", Role.INTERVIEWER: "Amber Fox"}
BIG_LINES = 4_000
SLOW_S = 1.0


def changed(before: str, now: str) -> tuple[str, int, int]:
    """The new lines, and how many came and went."""
    change = compare(before.split(), now.split())
    assert [line for run in change.runs for line in run.lines] == now.split()
    return (
        " ".join(line for run in change.runs if run.is_new for line in run.lines),
        change.added,
        change.removed,
    )


@pytest.mark.parametrize(
    ("before", "now", "news"),
    [
        ("", "a b", ("a b", 2, 0)),
        ("a b c", "a b c", ("", 0, 0)),
        ("a b c", "a x b c", ("x", 1, 0)),
        ("a b c", "a c", ("", 0, 1)),
        ("a b c", "a x c", ("x", 1, 1)),
        ("a a", "a a a", ("a", 1, 0)),  # one more of the same
        ("a b c d", "c b a d", ("", 0, 0)),  # moved
        ("a b", "", ("", 0, 2)),
    ],
)
def test_what_is_new_in_the_code(before: str, now: str, news: tuple[str, int, int]) -> None:
    assert changed(before, now) == news


@pytest.mark.parametrize(
    ("text", "lines"), [("", []), ("a", ["a"]), ("a\n", ["a"]), ("a\n\nb\n", ["a", "", "b"]), ("\n", [""])]
)
def test_the_lines_of_the_code(text: str, lines: list[str]) -> None:
    assert lines_of(text) == lines


def test_hostile_code_is_compared_as_fast_as_any() -> None:
    """Thousands of lines that are nearly all alike take a real diff minutes."""
    dice = random.Random(3)
    before, now = ([dice.choice(("", "a", "b")) for _ in range(BIG_LINES)] for _ in range(2))
    began = time.perf_counter()
    compare(before, now)
    assert time.perf_counter() - began < SLOW_S


@pytest.mark.parametrize(
    ("at_ms", "words"),
    [(0, "0:00"), (7_999, "0:07"), (247_000, "4:07"), (3_847_000, "1:04:07"), (86_400_000, "day 2")],
)
def test_the_clock_in_words(at_ms: int, words: str) -> None:
    assert clock_of(at_ms) == words


def test_marks_name_masks_alone() -> None:
    assert mark_words(PhaseReached(1, 0, Role.ROOM, "feedback"), MASKS) == "The interview ended"
    assert (
        mark_words(PhaseReached(1, 0, Role.CANDIDATE, "live"), MASKS) == "The interview began (Quiet Heron)"
    )
    assert mark_words(Left(1, 0, Role.INTERVIEWER), MASKS) == "Amber Fox went away"
    assert "not" in mark_words(Consented(1, 0, Role.CANDIDATE, recording=False), MASKS)


def test_a_board_in_words() -> None:
    assert board_words({"rectangle": 2, "arrow": 1}) == "2 rectangles, 1 arrow"
    assert board_words({}) == "nothing"
