"""What tests of the door may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.cache import cache


@pytest.fixture(autouse=True)
def _fresh_counters() -> Iterator[None]:
    """Tries of one test do not count in the next."""
    cache.clear()
    yield
    cache.clear()
