"""All attacks are held off; with the plant the first one shows it."""

from __future__ import annotations

import pytest

from tests.bars import flood
from tests.bars.attacks import ATTACKS, SlowReader

pytestmark = pytest.mark.slow  # starts servers of its own


def test_no_attack_takes_the_memory() -> None:
    verdict = flood.run(runs=1, plant=False, say=print)
    assert verdict.figure <= verdict.limit, verdict
    assert not verdict.details["endured"] and len(verdict.details["grown_mib"]) == len(ATTACKS)
    waited = verdict.details["others_waited_ms"]
    assert all(each.keys() == {"a keystroke", "a page"} for each in waited.values()), "nobody else was there"
    assert verdict.ok, verdict


def test_stock_daphne_takes_it_all() -> None:
    verdict = flood.run(runs=1, plant=True, say=print, attacks=(SlowReader,))
    assert not verdict.ok and verdict.figure > verdict.limit, verdict
