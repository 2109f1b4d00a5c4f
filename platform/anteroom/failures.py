"""What is a bug: it goes to the log under a reference, and the person sees that reference."""

from __future__ import annotations

import secrets

import structlog
from django.http import HttpRequest, HttpResponse
from django.template import loader

log = structlog.get_logger(__name__)

BARE_PAGE = (
    "<!doctype html><title>Something went wrong</title><p>Something went wrong on our side. Reference: {}"
)


def report(event: str, error: BaseException, **known: object) -> str:
    """Log a bug with its traceback; the reference to tell the person. known: never names or addresses."""
    reference = _new_reference()
    log.error(event, reference=reference, exc_info=error, **known)
    return reference


def server_error(request: HttpRequest) -> HttpResponse:
    """The page of an unexpected error. Django logs the error next; anteroom/logging.py adds our reference."""
    request.reference = reference = _new_reference()  # type: ignore[attr-defined]
    try:
        page: str = loader.render_to_string("500.html", {"reference": reference})
    except Exception as error:  # the page itself is broken: say the least there is to say
        log.error("error page failed", reference=reference, exc_info=error)
        page = BARE_PAGE.format(reference)
    return HttpResponse(page, status=500)


def _new_reference() -> str:
    return secrets.token_hex(4)
