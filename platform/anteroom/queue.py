"""The queue of tasks on our own Postgres: the SQL of PGMQ, which kombu's transport of that name speaks to."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import connection, transaction
from psycopg.conninfo import make_conninfo

SCHEME = "pgmq://"
VISIBILITY_TIMEOUT_S = 30 * 60
"""After this long an unfinished message is handed out again; above the longest task."""
POLLING_INTERVAL_S = 0.1
THROTTLE_INTERVAL_MS = 50


def is_broker() -> bool:
    """Whether tasks go through Postgres."""
    return bool(settings.CELERY_BROKER_URL.startswith(SCHEME))


def broker_url() -> str:
    """kombu wants a host to name, even where the options say where to connect."""
    return SCHEME + "localhost" if settings.CELERY_BROKER_URL == SCHEME else settings.CELERY_BROKER_URL


def transport_options() -> dict[str, Any]:
    """kombu's options for this database."""
    options: dict[str, Any] = {
        "init_extension": False,  # the SQL is there by `install`
        "use_notify": True,
        "notify_throttle_interval_ms": THROTTLE_INTERVAL_MS,
        "wait_time_seconds": 0,
        "polling_interval": POLLING_INTERVAL_S,
        "visibility_timeout": VISIBILITY_TIMEOUT_S,
        "pool_size": 4,
        "pool_timeout": 5,
    }
    if settings.CELERY_BROKER_URL == SCHEME:
        given = connection.get_connection_params()
        plain = {key: str(value) for key, value in given.items() if isinstance(value, str | int)}
        for unknown_to_libpq in ("prepare_threshold", "autocommit"):
            plain.pop(unknown_to_libpq, None)
        options["conn_string"] = make_conninfo(**plain)
    return options


def install() -> None:
    """Create the queue's tables and functions, or replace those of another version.

    Messages on the way are lost with a replacement; the scans find their work again. A schema that somebody
    else made (the extension itself) is left as it is.
    """
    from pgmq.install import get_embedded_install_sql, get_embedded_sql_version

    ours = f"anteroom: pgmq {get_embedded_sql_version()}"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('anteroom.queue'))")
        cursor.execute("SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = 'pgmq'")
        present = cursor.fetchone()
        if present and (present[0] == ours or not str(present[0]).startswith("anteroom:")):
            return
        cursor.execute("DROP SCHEMA IF EXISTS pgmq CASCADE")
        cursor.execute(get_embedded_install_sql())
        cursor.execute(f"COMMENT ON SCHEMA pgmq IS '{ours}'")
