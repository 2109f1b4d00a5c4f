"""Each way once. How long it takes is the bar's question, not the suite's."""

from __future__ import annotations

import pytest

from tests.bars import try_bar
from tests.bars.revoke import WAYS

pytestmark = pytest.mark.slow  # starts servers of its own


def test_a_right_that_ends_closes_its_socket() -> None:
    verdict = try_bar("revoke", runs=1)
    assert verdict.details["still_open"] == verdict.details["others_closed"] == 0, verdict
    assert verdict.details["closings"] == len(WAYS)


def test_without_a_second_look_it_stays_open() -> None:
    verdict = try_bar("revoke", runs=1, plant=True)
    assert not verdict.ok and verdict.details["still_open"] == len(WAYS), verdict
