"""The worker's app and its schedule.

Due work stands as rows and is found by scans, so a lost or doubled message does no harm. The broker is a
queue on the same Postgres (anteroom/queue.py) unless CELERY_BROKER_URL names another.
"""

from __future__ import annotations

import os
import warnings
from typing import Any

from celery import Celery
from celery.signals import beat_embedded_init, setup_logging, worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "anteroom.settings")

# It warns of pickled messages; ours are JSON and nothing else is accepted.
warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")

BEAT_EVERY_S = 15
SCHEDULE_S = {
    "anteroom.tasks.beat": BEAT_EVERY_S,
    "rooms.tasks.scan": 30,
    "feedback.tasks.scan": 60,
    "accounts.tasks.sweep": 60 * 60,
}
"""Seconds between two runs of each scan."""

app = Celery("anteroom")
app.conf.update(
    task_default_queue="anteroom",
    task_ignore_result=True,
    task_acks_late=True,  # a task whose worker was killed runs again; all of them can
    worker_prefetch_multiplier=4,
    worker_enable_remote_control=False,  # its reply queues would pile up as tables
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
    beat_scheduler="celery.beat:Scheduler",  # in memory: the schedule is short and needs no file
    beat_schedule={
        name: {"task": name, "schedule": every_s, "options": {"expires": every_s}}
        for name, every_s in SCHEDULE_S.items()
    },
)


@app.on_after_configure.connect
def _choose_broker(sender: Celery, **_: Any) -> None:
    """Late, since the connection's parameters come from Django's settings."""
    from django.conf import settings

    from anteroom import queue

    sender.conf.broker_url = settings.CELERY_BROKER_URL
    if queue.is_broker():
        sender.conf.broker_url = queue.broker_url()
        sender.conf.broker_transport_options = queue.transport_options()


app.autodiscover_tasks()


@setup_logging.connect
def _keep_logging(**_: Any) -> None:
    """Django has set up logging already (anteroom/logging.py); Celery's own would write another format."""


@worker_ready.connect
def _say_ready(**_: Any) -> None:
    from anteroom.tasks import beat

    beat()


@beat_embedded_init.connect
def _end_with_worker(**_: Any) -> None:
    """The schedule runs in a process of its own that must not outlive a killed worker."""
    from anteroom.processes import die_with_parent

    die_with_parent(parent=os.getppid())()
