"""A server whose sockets can be asked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django.plugin import DjangoDbBlocker

from anteroom.serving import Site
from tests.rooms.people import socket_site


@pytest.fixture(scope="module")
def rooms_site(
    site_template: str, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> Iterator[Site]:
    """A running server for the tests of one module, and its database for Django here."""
    with socket_site(site_template, tmp_path_factory.mktemp("sockets"), django_db_blocker) as site:
        yield site
