"""What the worker does for the installation as a whole."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from anteroom.models import Heartbeat

WORKER = "worker"


@shared_task(name="anteroom.tasks.beat", ignore_result=True)
def beat() -> None:
    """Say that the whole way works: the schedule, the broker, the worker and its database."""
    Heartbeat.objects.update_or_create(part=WORKER, defaults={"at": timezone.now()})
