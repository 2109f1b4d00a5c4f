"""The bar `gate-corpus`, small: every crafted message once, some against the room server too, and the
deadliest without a gate."""

from __future__ import annotations

import pytest

from tests.bars import try_bar

pytestmark = pytest.mark.slow  # starts servers of its own

DEADLIEST = 2
SOME = 120
"""The gate is the same in both."""


@pytest.mark.parametrize(("shell", "runs"), [("daphne", None), ("roomserver", SOME)])
def test_every_crafted_message_is_refused_and_the_room_goes_on(shell: str, runs: int | None) -> None:
    verdict = try_bar("gate-corpus", shell=shell, runs=runs)
    assert verdict.ok, verdict
    assert verdict.details["tried"] == runs or verdict.details["tried"] > 350


def test_without_the_gate_the_server_dies() -> None:
    verdict = try_bar("gate-corpus", runs=DEADLIEST, plant=True)
    assert not verdict.ok
    assert verdict.figure > 0 and verdict.details["server_deaths"] > 0, verdict
