"""When the seal may be broken: the truth table, and what holds for every case."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.seal import is_open
from rooms.roles import PEOPLE, Role

DEADLINE = datetime(2030, 1, 8, tzinfo=UTC)
BEFORE, AT, AFTER = DEADLINE - timedelta(microseconds=1), DEADLINE, DEADLINE + timedelta(days=1)
C, I = Role.CANDIDATE, Role.INTERVIEWER  # noqa: E741


@pytest.mark.parametrize(
    ("sides", "now", "expected"),
    [
        ([], BEFORE, False),
        ([C], BEFORE, False),
        ([I], BEFORE, False),
        ([C, I], BEFORE, True),
        ([I, C], BEFORE, True),
        ([C, C], BEFORE, False),
        ([C, Role.OBSERVER], BEFORE, False),
        ([C, I, Role.OBSERVER], BEFORE, True),
        ([], AT, True),
        ([C], AT, True),
        ([I], AT, True),
        ([C, I], AT, True),
        ([], AFTER, True),
        ([C], AFTER, True),
    ],
)
def test_truth_table(sides: list[Role], now: datetime, expected: bool) -> None:
    assert is_open(sides, DEADLINE, now) is expected


sides = st.lists(st.sampled_from(Role), max_size=6)
moments = st.datetimes(datetime(2029, 12, 1), datetime(2030, 2, 1), timezones=st.just(UTC))


@given(sides, moments)
def test_before_the_deadline_only_both_open_it(sides: list[Role], now: datetime) -> None:
    if now < DEADLINE:
        assert is_open(sides, DEADLINE, now) is set(PEOPLE).issubset(sides)


@given(sides, sides, moments, st.timedeltas(timedelta(0)))
def test_what_is_open_stays_open(
    sides: list[Role], more: list[Role], now: datetime, later: timedelta
) -> None:
    """Neither time nor another submission closes it again."""
    if is_open(sides, DEADLINE, now):
        assert is_open(sides + more, DEADLINE, now)
        assert is_open(sides, DEADLINE, now + min(later, timedelta(days=10_000)))


@given(sides, moments)
def test_the_order_of_submissions_plays_no_part(sides: list[Role], now: datetime) -> None:
    assert is_open(sides, DEADLINE, now) is is_open(sides[::-1], DEADLINE, now)
