"""Mails about feedback, and the scan that finds what is due."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from smtplib import SMTPException
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from feedback import notices, services, tasks
from feedback.models import Draft, Exchange, Notice
from rooms.live.lifecycle import Phase
from rooms.models import Room
from tests.feedback.conftest import PRAISE, THANKS, C, I, Interview


@pytest.fixture(autouse=True)
def empty_outbox() -> None:
    mail.outbox = []


def after(interview: Interview, **time: Any) -> int:
    return notices.send_due(now=interview.exchange.opened_at + timedelta(**time))


def recipients() -> list[str]:
    return sorted(each.to[0] for each in mail.outbox)


def test_three_reminders_at_their_times(interview: Interview) -> None:
    times = [
        {"minutes": 59},
        {"hours": 1},
        {"hours": 2},
        {"days": 1},
        {"days": 5},
        {"days": 6},
        {"days": 6.5},
    ]
    assert [after(interview, **each) for each in times] == [0, 2, 0, 2, 0, 2, 0]
    for each in mail.outbox:
        assert len(each.to) == 1 and not each.cc and not each.bcc
        assert f"/rooms/{interview.room.pk}/feedback/" in each.body
        for word in (
            "Ada",
            "Bo",
            "example.org",
            "Practice",
            *(seat.mask for seat in interview.seats.values()),
        ):
            assert word not in each.subject + str(each.body)


def test_who_has_submitted_is_not_reminded(interview: Interview) -> None:
    interview.submit(C)
    assert after(interview, hours=1) == 1
    assert recipients() == [interview.people[I].email]


def test_a_worker_that_was_away_sends_one_reminder(interview: Interview) -> None:
    assert after(interview, days=2) == 2
    assert after(interview, days=2) == 0
    assert after(interview, days=6) == 2


def test_the_reveal_is_told_to_both_and_quotes_nothing(interview: Interview) -> None:
    interview.submit(C, I)
    assert after(interview, minutes=1) == 2
    assert after(interview, days=6) == 0
    assert recipients() == sorted(str(each.email) for each in interview.people.values())
    for each in mail.outbox:
        assert PRAISE not in each.body and THANKS not in each.body


def test_a_one_sided_release_is_told_to_its_addressee(interview: Interview) -> None:
    interview.submit(C)
    services.release_due(now=interview.exchange.deadline_at)
    assert after(interview, days=7, minutes=1) == 1
    assert recipients() == [interview.people[I].email]


def test_nobody_to_write_to(interview: Interview) -> None:
    person = interview.people[C]
    person.email = None
    person.save()
    interview.seats[I].person = None
    interview.seats[I].save()
    assert after(interview, hours=1) == 0
    assert not mail.outbox and not Notice.objects.filter(kind=Notice.Kind.HOUR).exists()


def test_a_mail_that_cannot_go_stays_due(interview: Interview, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise SMTPException("down")

    with monkeypatch.context() as patch:
        patch.setattr(notices.mail, "send", refuse)
        assert after(interview, hours=1) == 0
    assert after(interview, hours=1) == 2


def test_the_scan_opens_what_a_lost_signal_left(interview: Interview) -> None:
    Exchange.objects.all().delete()
    tasks.scan()
    assert interview.exchange.notices.count() == 6
    tasks.scan()
    assert Exchange.objects.count() == 1


def test_the_scan_closes_what_is_due(interviews: Callable[[], Interview]) -> None:
    due, young = interviews(), interviews()
    due.submit(I)
    week = timedelta(days=7, seconds=1)
    Exchange.objects.filter(pk=due.exchange.pk).update(
        opened_at=timezone.now() - week, deadline_at=timezone.now() - timedelta(seconds=1)
    )
    Draft.objects.create(exchange=due.exchange, role=C, answers={"text": "unsent"})
    tasks.scan()
    assert due.exchange.lapsed_at and not young.exchange.is_closed
    assert Room.objects.get(pk=due.room.pk).phase == Phase.LAPSED
    assert not Draft.objects.exists()
