"""The bar `fuzz`, small: a few messages of every kind on either server. No time is asserted."""

from __future__ import annotations

import random

import pytest

from rooms.traces import read_trace
from tests.bars.fuzz import TRACE, run
from tests.bars.mutants import KINDS, Mill

pytestmark = pytest.mark.slow  # starts servers of its own

MESSAGES = 15
WITHOUT_GATE = 600


def hush(line: str) -> None:
    """Progress nobody watches."""


@pytest.mark.parametrize(
    ("shell", "roles"),
    [("daphne", ("candidate", "stranger")), ("roomserver", ("interviewer", "observer", "signed out"))],
)
def test_bent_messages_break_nothing(shell: str, roles: tuple[str, ...]) -> None:
    verdict = run(runs=MESSAGES, plant=False, say=hush, shell=shell, roles=roles, seed=2)
    assert not verdict.details["wrong"], verdict
    assert verdict.details["messages"] > MESSAGES * 10
    assert verdict.details["refused_with_the_socket"] > 10 and min(verdict.details["timed"].values()) > 10


def test_without_the_gate_something_breaks() -> None:
    verdict = run(runs=WITHOUT_GATE, plant=True, say=hush, kinds=("edit",), roles=("candidate",))
    assert not verdict.ok and verdict.details["wrong"], verdict


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_makes_the_same_messages_again(kind: str) -> None:
    changes = read_trace(TRACE).sides[0]
    one, again, other = (Mill(kind, random.Random(seed), changes).take(30) for seed in (5, 5, 6))
    assert one == again
    assert one != other or kind == "ask awareness"
