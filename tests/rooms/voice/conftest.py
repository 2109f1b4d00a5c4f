"""A desk on the loopback, and callers that use the loopback too."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from rooms.voice.addresses import Listening
from rooms.voice.desk import Desk

LOOPBACK = Listening(("127.0.0.1",))


@pytest.fixture(autouse=True)
def callers_use_the_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """aioice leaves it out by itself; a machine of tests may have nothing else."""
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])


@pytest_asyncio.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk(LOOPBACK)
    yield desk
    await desk.close()
