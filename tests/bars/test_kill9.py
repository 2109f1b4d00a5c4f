"""Three kills hold; with the plant the first one shows it."""

from __future__ import annotations

import pytest

from tests.bars import try_bar

pytestmark = pytest.mark.slow  # starts servers of its own


def test_a_killed_server_loses_nothing() -> None:
    verdict = try_bar("kill9", runs=3)
    assert verdict.ok, verdict
    assert verdict.figure == 0 and verdict.details["kills"] == 3
    assert verdict.details["under_way_at_crashes"] > 0, "nothing was at stake"


def test_acknowledging_before_the_commit_shows() -> None:
    verdict = try_bar("kill9", runs=3, plant=True)
    assert not verdict.ok and verdict.details["lost"] > 0, verdict
