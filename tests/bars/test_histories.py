"""A few hundred steps; with the plant the first lonely submission shows it."""

from __future__ import annotations

import pytest

from tests.bars import try_bar

pytestmark = pytest.mark.slow  # starts servers of its own


def test_no_history_breaks_anything() -> None:
    verdict = try_bar("histories", runs=500)
    assert verdict.ok, verdict
    assert sum(verdict.details["ends"].values()) == verdict.details["interviews"] > 5


def test_an_early_reveal_shows() -> None:
    verdict = try_bar("histories", runs=2_000, plant=True)
    assert not verdict.ok, verdict
    assert any("before the reveal" in each or "state" in each for each in verdict.details["examples"])
