"""Unmasking: two free yeses, in private, within thirty days; everything else looks like silence."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from feedback import services
from feedback.errors import AlreadyUnmasked, UnmaskClosed
from feedback.forms import CandidateForm, InterviewerForm
from feedback.models import UNMASK_TIME, UnmaskChoice
from feedback.selectors import UnmaskState, standing
from rooms.roles import Role
from tests.feedback.conftest import GUESS, PRAISE, C, I, Interview

ADA = services.Identity(name="Ada", message="Hello!")
BO = services.Identity(email="bo@example.org")


def reveal(interview: Interview, *, advance: bool = True, work_with: bool = True) -> None:
    services.assess_self(seat=interview.seats[C], form=GUESS)
    services.submit(seat=interview.seats[C], form=CandidateForm(work_with, 3, 3, None, 3, ""))
    services.submit(seat=interview.seats[I], form=InterviewerForm(advance, 3, 3, 3, PRAISE, ""))


def states(interview: Interview, now: datetime | None = None) -> tuple[UnmaskState, UnmaskState]:
    one, other = (standing(seat=interview.seats[role], now=now).unmask.state for role in (C, I))
    return one, other


@pytest.mark.parametrize(
    ("advance", "work_with"), [(True, True), (True, False), (False, True), (False, False)]
)
def test_it_opens_only_when_both_wish_to_meet(interview: Interview, advance: bool, work_with: bool) -> None:
    reveal(interview, advance=advance, work_with=work_with)
    opens = advance and work_with
    expected = UnmaskState.OPEN if opens else UnmaskState.CLOSED
    assert states(interview) == (expected, expected)
    if not opens:
        for role in (C, I):
            with pytest.raises(UnmaskClosed):
                services.choose_unmask(seat=interview.seats[role], identity=ADA)
            with pytest.raises(UnmaskClosed):
                services.withdraw_unmask(seat=interview.seats[role])


@pytest.mark.parametrize("role", [C, I])
def test_not_before_the_reveal(interview: Interview, role: Role) -> None:
    interview.submit(role)
    with pytest.raises(UnmaskClosed):
        services.choose_unmask(seat=interview.seats[role], identity=ADA)


def test_a_lapsed_exchange_never_unmasks(interview: Interview) -> None:
    interview.submit(C)
    services.close_if_due(room_id=interview.room.pk, now=interview.exchange.deadline_at)
    with pytest.raises(UnmaskClosed):
        services.choose_unmask(seat=interview.seats[C], identity=ADA)


def test_only_a_mutual_yes_discloses(interview: Interview) -> None:
    reveal(interview)
    candidate, interviewer = interview.seats[C], interview.seats[I]
    assert services.choose_unmask(seat=candidate, identity=ADA) is False
    assert states(interview) == (UnmaskState.CHOSEN, UnmaskState.OPEN)
    assert standing(seat=interviewer).unmask.theirs is None
    assert standing(seat=candidate).unmask.theirs is None
    assert services.choose_unmask(seat=interviewer, identity=BO) is True
    assert states(interview) == (UnmaskState.MUTUAL, UnmaskState.MUTUAL)
    ours, theirs = standing(seat=candidate).unmask, standing(seat=interviewer).unmask
    assert ours.mine == theirs.theirs and ours.theirs == theirs.mine
    assert ours.theirs and (ours.theirs.name, ours.theirs.email) == ("", "bo@example.org")


def test_a_yes_can_be_changed_and_withdrawn_until_both_said_it(interview: Interview) -> None:
    reveal(interview)
    candidate = interview.seats[C]
    services.choose_unmask(seat=candidate, identity=ADA)
    services.choose_unmask(seat=candidate, identity=services.Identity(message="Only this."))
    services.withdraw_unmask(seat=candidate)
    services.withdraw_unmask(seat=candidate)
    assert not UnmaskChoice.objects.exists()
    assert services.choose_unmask(seat=interview.seats[I], identity=BO) is False
    assert states(interview) == (UnmaskState.OPEN, UnmaskState.CHOSEN)
    services.choose_unmask(seat=candidate, identity=services.Identity(message="After all."))
    shown = standing(seat=interview.seats[I]).unmask.theirs
    assert shown and (shown.name, shown.message) == ("", "After all.")


def test_a_mutual_yes_stays(interview: Interview) -> None:
    reveal(interview)
    for role, identity in ((C, ADA), (I, BO)):
        services.choose_unmask(seat=interview.seats[role], identity=identity)
    for role in (C, I):
        with pytest.raises(AlreadyUnmasked):
            services.withdraw_unmask(seat=interview.seats[role])
        with pytest.raises(AlreadyUnmasked):
            services.choose_unmask(seat=interview.seats[role], identity=ADA)
    end = interview.exchange.unmask_until
    assert end
    later = end + UNMASK_TIME
    services.forget(now=later)
    assert states(interview, now=later) == (UnmaskState.MUTUAL, UnmaskState.MUTUAL)


def test_thirty_days_and_then_nothing_is_kept(interview: Interview) -> None:
    reveal(interview)
    services.choose_unmask(seat=interview.seats[C], identity=ADA)
    end = interview.exchange.unmask_until
    assert end
    services.forget(now=end - timedelta(microseconds=1))
    assert UnmaskChoice.objects.count() == 1
    assert states(interview, now=end) == (UnmaskState.CLOSED, UnmaskState.CLOSED)
    with pytest.raises(UnmaskClosed):
        services.choose_unmask(seat=interview.seats[I], identity=BO, now=end)
    services.forget(now=end)
    assert not UnmaskChoice.objects.exists()


def test_the_database_wants_something_shown(interview: Interview) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        UnmaskChoice.objects.create(exchange=interview.exchange, role=C)
