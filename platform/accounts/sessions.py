"""The session of one browser: how it begins and ends."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth import login, logout
from django.http import HttpRequest, HttpResponse

from accounts.models import Person

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
GUEST_STAYS = timedelta(days=60)
"""A guest is known by their session alone; it outlives feedback (7 days) and unmasking (30 days after)."""
FORGET = '"cache", "storage"'
"""What a browser throws away at sign-out: kept pages and anything a script stored."""


def come_in(request: HttpRequest, person: Person) -> None:
    """Sign this browser in as this person, under a fresh session key."""
    login(request, person, backend=BACKEND)
    if person.is_guest:
        request.session.set_expiry(GUEST_STAYS)


def go_out(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    """End this browser's session and have it forget what it kept."""
    logout(request)
    answer["Clear-Site-Data"] = FORGET
    return answer
