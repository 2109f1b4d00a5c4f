"""What belongs to the installation as a whole."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class Heartbeat(models.Model):
    """When a part without a port of its own (the worker) last said that it is alive."""

    part = models.CharField(max_length=32, primary_key=True)
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.part} at {self.at:%H:%M:%S}"
