"""A restart of each holds; with the plant the first flush shows it. How long is the bar's question."""

from __future__ import annotations

import pytest

from tests.bars import try_bar
from tests.bars.restart import GIVE_UP_S

pytestmark = pytest.mark.slow  # starts servers of its own


def test_restarts_lose_nothing_and_leave_nobody_deaf() -> None:
    verdict = try_bar("restart", runs=1)
    wanted = {"lost": 0, "silent": 0, "unequal_rooms": 0, "restarts": {"redis": 1, "postgres": 1}}
    assert {key: verdict.details[key] for key in wanted} == wanted, verdict
    assert verdict.figure < GIVE_UP_S, verdict


def test_forgetting_the_groups_shows() -> None:
    verdict = try_bar("restart", runs=1, plant=True)
    assert not verdict.ok and verdict.details["silent"] > 0, verdict
