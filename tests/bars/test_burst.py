"""A few hundred messages instead of a thousand. How long it takes is the bar's question, not the suite's."""

from __future__ import annotations

import pytest

from tests.bars import try_bar
from tests.bars.burst import GIVE_UP_S, KEPT

pytestmark = pytest.mark.slow  # starts servers of its own

MESSAGES = 3 * KEPT


def test_a_gap_is_found_and_closed() -> None:
    verdict = try_bar("burst", runs=MESSAGES)
    assert verdict.details["messages_lost"] > 0, "nothing was at stake"
    assert verdict.details["gaps_found"] > 0 and verdict.figure < GIVE_UP_S, verdict


def test_without_numbers_it_stays() -> None:
    verdict = try_bar("burst", runs=MESSAGES, plant=True)
    assert verdict.details["messages_lost"] > 0, "nothing was at stake"
    assert not verdict.ok and verdict.details["seconds"]["messages lost"] >= GIVE_UP_S, verdict
