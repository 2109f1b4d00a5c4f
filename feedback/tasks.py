"""Due work stands as rows; this scan finds it. Every step may run twice, in two workers, or after a crash."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from feedback import notices, services


@shared_task(name="feedback.tasks.scan", ignore_result=True)
def scan() -> None:
    """Open what a lost signal left, close what is due, mail what is owed, forget what is over."""
    now = timezone.now()
    services.open_missing(now=now)
    services.release_due(now=now)
    notices.send_due(now=now)
    services.forget(now=now)
