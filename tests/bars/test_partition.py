"""The bar `partition`, small: a few seeds on either server, and one without resync. No time is asserted."""

from __future__ import annotations

import pytest

from rooms.traces import Change, read_trace
from tests.bars import try_bar
from tests.bars.partition import RECORDINGS
from tests.bars.pieces import cut, encode, whole

pytestmark = pytest.mark.slow  # starts servers of its own

SEEDS = 8


@pytest.mark.parametrize("shell", ["daphne", "roomserver"])
def test_a_bad_network_loses_and_doubles_nothing(shell: str) -> None:
    verdict = try_bar("partition", runs=SEEDS, shell=shell)
    assert verdict.details["failed"] == 0, verdict
    assert verdict.details["cut_inside"] > 0, "nothing was at stake"
    assert verdict.details["connections"] > 2 * 2 * SEEDS, "they came back"


def test_without_resync_pages_stay_apart() -> None:
    verdict = try_bar("partition", runs=2, plant=True)
    assert not verdict.ok and verdict.details["failed"] > 0, verdict


def test_pieces_are_the_recording() -> None:
    trace = read_trace(RECORDINGS[1])
    pieces = cut(trace, 100)
    sides = [sum(len(piece.sides[number]) for piece in pieces) for number in (0, 1)]
    starts = len(pieces) - 1  # the text before all else, once per piece but the first
    assert 3_000 < sum(sides) - starts <= sum(map(len, trace.sides))
    assert whole(trace).end == trace.end
    assert any(stroke.needs for piece in pieces for stroke in piece.sides[1]), "they saw each other"


def test_a_piece_begins_with_its_text() -> None:
    sides = [Change(0, ((3, 0, "c"),))], [Change(1, ((0, 1, ""),)), Change(1, ((0, 0, "🙂"),))]
    piece = encode("abé", sides)
    assert piece.end == "🙂béc"
    assert [stroke.needs for stroke in piece.sides[1]] == [4, 4], "the text and the other side's letter"
