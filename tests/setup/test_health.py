"""/healthz tells what is missing, and is believed only because each part was really asked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from anteroom import health
from anteroom.models import Heartbeat
from anteroom.tasks import WORKER, beat

pytestmark = pytest.mark.django_db


def ask() -> tuple[int, dict[str, bool]]:
    response = Client().get("/healthz")
    return response.status_code, response.json()


def test_all_there() -> None:
    Heartbeat.objects.create(part=WORKER)
    assert ask() == (200, {"database": True, "layer": True, "worker": True})


def test_a_worker_that_never_spoke_or_fell_silent_is_missing() -> None:
    assert ask() == (503, {"database": True, "layer": True, "worker": False})
    long_ago = timezone.now() - timedelta(seconds=health.WORKER_SILENT_AFTER_S + 1)
    Heartbeat.objects.create(part=WORKER, at=long_ago)
    assert ask()[1]["worker"] is False


def test_the_workers_own_task_is_what_counts() -> None:
    beat()
    assert ask()[0] == 200


def test_a_layer_that_loses_messages_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def lose(self: InMemoryChannelLayer, channel: str, message: dict[str, Any]) -> None: ...

    Heartbeat.objects.create(part=WORKER)
    monkeypatch.setattr(InMemoryChannelLayer, "send", lose)
    monkeypatch.setattr(health, "LAYER_ANSWERS_WITHIN_S", 0.05)
    assert ask() == (503, {"database": True, "layer": False, "worker": True})


def test_without_a_database_nothing_is_said_of_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        def cursor(self) -> None:
            raise OperationalError("connection refused")

    Heartbeat.objects.create(part=WORKER)
    monkeypatch.setattr(health, "connection", Refusing())
    assert ask() == (503, {"database": False, "layer": True, "worker": False})
