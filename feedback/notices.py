"""Mails about feedback: one recipient each, in words that name nobody."""

from __future__ import annotations

from datetime import datetime
from smtplib import SMTPException

import structlog
from django.conf import settings
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from accounts import mail
from feedback.models import Notice
from rooms.models import Seat

log = structlog.get_logger(__name__)

SUBJECTS = {
    Notice.Kind.HOUR: "Your feedback on an interview",
    Notice.Kind.DAY: "Your feedback on an interview",
    Notice.Kind.LAST_DAY: "One day left for your feedback on an interview",
    Notice.Kind.READY: "There is feedback for you",
}


def send_due(*, now: datetime | None = None) -> int:
    """Send what is due; returns how many mails went out. What cannot be sent now stays due."""
    now = now or timezone.now()
    due = list(Notice.objects.filter(sent_at=None, due_at__lte=now).values_list("pk", flat=True))
    return sum(_send_safely(pk, now) for pk in due)


def _send_safely(pk: int, now: datetime) -> bool:
    try:
        return _send(pk, now)
    except (SMTPException, OSError) as error:
        # The row is unchanged, so the next scan tries again. The address stays out of the log.
        log.warning("notice_not_sent", error=type(error).__name__)
        return False


@transaction.atomic
def _send(pk: int, now: datetime) -> bool:
    """Send one notice under the lock of its row, so that two workers do not send it twice."""
    notice = Notice.objects.select_for_update(skip_locked=True).filter(pk=pk, sent_at=None).first()
    if notice is None:
        return False
    exchange = notice.exchange
    later = Notice.objects.filter(
        exchange=exchange, role=notice.role, due_at__gt=notice.due_at, due_at__lte=now
    )
    seat = Seat.objects.select_related("person").get(room_id=exchange.room_id, role=notice.role)
    address = seat.person.email if seat.person else None
    if not address or later.exists():
        notice.delete()  # nobody to write to, or a worker that was away would send two reminders at once
        return False
    kind = Notice.Kind(notice.kind)
    link = settings.SITE_URL + reverse("feedback:feedback", args=[exchange.room_id])
    template = "ready" if kind is Notice.Kind.READY else "reminder"
    body = render_to_string(
        f"feedback/mail/{template}.txt", {"link": link, "deadline_at": exchange.deadline_at}
    )
    mail.send(address=address, subject=SUBJECTS[kind], body=body)
    notice.sent_at = now
    notice.save(update_fields=["sent_at"])
    return True
