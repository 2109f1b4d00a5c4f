"""Every test of this folder runs against every server that can carry a room's sockets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import pytest
from pytest_django.plugin import DjangoDbBlocker

from anteroom.serving import Shell, Site
from tests.rooms.people import Pair, make_pair, socket_site

MESSAGES_PER_S = 100
SOCKETS_PER_PERSON = 6
LIMITS = {
    "ROOM_MESSAGES_PER_S": str(MESSAGES_PER_S),
    "ROOM_BYTES_PER_S": "0",
    "ROOM_SOCKETS_PER_PERSON": str(SOCKETS_PER_PERSON),
}
"""Low enough to be met in a moment; bytes have their tests in tests/rooms/test_limits.py."""


@pytest.fixture(scope="package", params=get_args(Shell))
def rooms_site(
    request: pytest.FixtureRequest,
    site_template: str,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Site]:
    """A running server for all tests, and its database for Django here."""
    home = tmp_path_factory.mktemp(request.param)
    with socket_site(site_template, home, django_db_blocker, shell=request.param, switches=LIMITS) as site:
        yield site


@pytest.fixture
def pair(rooms_site: Site) -> Pair:
    return make_pair()
