"""All that one person's browser receives about an interview, byte by byte."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.feedback.conftest import Interview

FRESH = [
    re.compile(rb'(name="csrfmiddlewaretoken" value=")[^"]+'),
    re.compile(rb'(nonce=")[^"]+'),
    re.compile(rb'("saved_at":\s?")[^"]+'),
]
"""New in every response by design: tokens, nonces, the time of one's own saving."""


@dataclass(frozen=True)
class Received:
    """One response, with what is new in every response taken out."""

    what: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    queries: int


def ask(browser: Client, method: str, path: str, data: Any = None) -> Received:
    """Send one request and take down the whole answer, and how much work it was."""
    kwargs = {} if data is None else {"data": data, "content_type": "application/json"}
    with CaptureQueriesContext(connection) as queries:
        response = getattr(browser, method)(path, **kwargs)
    body = b"".join(response) if response.streaming else response.content
    for pattern in FRESH:
        body = pattern.sub(rb"\1", body)
    headers = {name: re.sub(r"'nonce-[^']+'", "", value) for name, value in response.headers.items()}
    headers.pop("Content-Length", None)  # of the body with its tokens; the cleaned body is compared itself
    return Received(
        f"{method} {path}", response.status_code, tuple(sorted(headers.items())), body, len(queries)
    )


def reads(browser: Client, interview: Interview) -> list[Received]:
    """Every page and answer that can be read about this interview."""
    room = interview.room.pk
    pages = [
        reverse("home"),
        reverse("feedback:feedback", args=[room]),
        reverse("feedback:feedback", args=[room]) + "?private",
        reverse("feedback:feedback", args=[room]) + "?change",
        reverse("rooms:room", args=[room]),
        reverse("rooms:lobby", args=[room]),
        reverse("rooms:transcript", args=[room]),
        f"/api/rooms/{room}/exchange",
        f"/api/rooms/{room}/exchange/glance",
        f"/api/rooms/{room}/transcript",
    ]
    received = [ask(browser, "get", page) for page in pages]
    assert received[1].status == 200, "nobody is signed in, so nothing would be compared"
    return received


def attempts(browser: Client, interview: Interview) -> list[Received]:
    """Every call that changes something, in forms that are refused or that only touch one's own draft."""
    api = f"/api/rooms/{interview.room.pk}/exchange"
    page = reverse("feedback:feedback", args=[interview.room.pk])
    return [
        ask(browser, "put", f"{api}/draft", {"text": "so far"}),
        ask(browser, "put", f"{api}/draft", {"technical": 9}),
        ask(browser, "post", f"{api}/submission", {"text": "too short"}),
        ask(browser, "put", f"{api}/self-assessment", {"how_well": 9}),
        ask(browser, "put", f"{api}/unmask", {"name": "Me"}),
        ask(browser, "delete", f"{api}/unmask"),
        ask(browser, "get", f"{page}?private"),
    ]
