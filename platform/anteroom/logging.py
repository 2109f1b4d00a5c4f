"""Logging: one event per line, readable or JSON, and nothing in it by which a person could be recognised.

Whatever a library writes passes here too: e-mail and network addresses and query strings are struck out.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

E_MAIL = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
QUERY = re.compile(r"(?<=[\w/])\?[\w.~%+-]+=[^\s\"'<>]*")
IPV4 = r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\w)"
IPV6 = r"(?<![\w:])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])"
MAYBE_ADDRESS = re.compile(f"{IPV4}|{IPV6}")
HIDDEN = "[hidden]"


def configuration(form: str, level: str) -> dict[str, Any]:
    """For Django's LOGGING; sets up structlog on the way.

    form: "console" for people, "json" for machines. level: name of the least level written.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [
                    take_reference,
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    strike_out,
                    _renderer(form),
                ],
            }
        },
        "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["out"], "level": level},
        "loggers": {
            # Theirs would mail and write in other forms; ours does it all.
            "django": {"handlers": [], "propagate": True},
            "daphne": {"level": "WARNING"},
            "celery": {"level": "WARNING"},
            "aioice": {"level": "WARNING"},  # names addresses of both sides
        },
    }


def take_reference(_: Any, __: str, event: EventDict) -> EventDict:
    """A failed request carries the reference that its page showed (anteroom/failures.py)."""
    reference = getattr(getattr(event.get("_record"), "request", None), "reference", None)
    if reference:
        event["reference"] = reference
    return event


def strike_out(_: Any, __: str, event: EventDict) -> EventDict:
    """Hide what could name a person in every text of the event, tracebacks included."""
    return {key: discreet(value) if isinstance(value, str) else value for key, value in event.items()}


def discreet(text: str) -> str:
    """The text without e-mail addresses, query strings and network addresses but the machine's own."""
    text = QUERY.sub("?" + HIDDEN, E_MAIL.sub(HIDDEN, text))
    return MAYBE_ADDRESS.sub(lambda found: HIDDEN if _is_foreign_address(found[0]) else found[0], text)


def _is_foreign_address(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified)


def _renderer(form: str) -> Callable[..., Any]:
    if form == "json":
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
    )
