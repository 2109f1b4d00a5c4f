from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AnteroomConfig(AppConfig):
    name = "anteroom"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from anteroom import celery  # noqa: F401  so that tasks sent from here go to this app's broker

        post_migrate.connect(_install_queue, sender=self)


def _install_queue(**_: Any) -> None:
    from anteroom import queue

    if queue.is_broker():
        queue.install()
