"""Whether the parts are there: for load balancers, for `up`, and for people in doubt."""

from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta

import structlog
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.db import Error, connection
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from anteroom.models import Heartbeat
from anteroom.tasks import WORKER

WORKER_SILENT_AFTER_S = 60
LAYER_ANSWERS_WITHIN_S = 2

log = structlog.get_logger(__name__)


@never_cache
async def healthz(request: HttpRequest) -> JsonResponse:
    """{"database": …, "layer": …, "worker": …}, each true or false; 200 only if all are there."""
    database, layer = await asyncio.gather(sync_to_async(database_answers)(), layer_carries())
    worker = database and await sync_to_async(worker_lives)()
    parts = {"database": database, "layer": layer, "worker": worker}
    response = JsonResponse(parts, status=200 if all(parts.values()) else 503)
    response._has_been_logged = True  # type: ignore[attr-defined]  # an answer, not a failure: Django need not log it
    return response


def database_answers() -> bool:
    """One question to Postgres."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return True
    except Error as error:
        log.warning("database does not answer", error=str(error))
        return False


async def layer_carries() -> bool:
    """One message sent through the channel layer and received again."""
    layer = get_channel_layer()
    if layer is None:
        return False
    try:
        async with asyncio.timeout(LAYER_ANSWERS_WITHIN_S):
            channel = await layer.new_channel()
            sent = {"type": "health.check", "nonce": secrets.token_hex(8)}
            await layer.send(channel, sent)
            return bool(await layer.receive(channel) == sent)
    except Exception as error:  # whatever the layer's library raises: it does not carry
        log.warning("channel layer does not carry", error=repr(error))
        return False


def worker_lives() -> bool:
    """The worker ran its heartbeat task not long ago."""
    since = timezone.now() - timedelta(seconds=WORKER_SILENT_AFTER_S)
    return Heartbeat.objects.filter(part=WORKER, at__gte=since).exists()
