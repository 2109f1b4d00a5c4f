"""How often somebody may try: allauth's counters, for our own forms too.

The rates stand in settings.ACCOUNT_RATE_LIMITS.
"""

from __future__ import annotations

from allauth.core import ratelimit
from django.http import HttpRequest

from anteroom.errors import TooMany


def throttle(request: HttpRequest, action: str, *, key: str | None = None) -> None:
    """Count one try of this action. Raises TooMany when there were too many."""
    if not ratelimit.consume(request, action=action, key=key):
        raise TooMany
