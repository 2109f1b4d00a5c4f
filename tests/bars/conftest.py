"""Small versions of the bars: the same code with fewer runs, on the tests' own Postgres."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.bars import harness


@pytest.fixture(autouse=True)
def database_for_bars(site_template: str, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Bars make their own databases, quickly here."""
    harness.template = site_template
    with django_db_blocker.unblock():
        yield
    harness.template = None
