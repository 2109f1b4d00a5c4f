"""`bench storage` measures what it says: the log's own table, by real commits."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker

from rooms.bench import storage

TRACE = Path(__file__).resolve().parents[1] / "traces" / "friendsforever-start.json.gz"


@pytest.mark.slow
def test_bytes_of_an_edit(django_db_blocker: DjangoDbBlocker) -> None:
    said: list[str] = []
    with django_db_blocker.unblock():
        storage.run(trace=TRACE, rooms=3, edits=400, say=said.append)
    told = "\n".join(said)
    payload = float(re.search(r"([\d.]+) bytes an edit as it is sent", told)[1])  # type: ignore[index]
    for batch in storage.BATCHES:
        found = re.search(rf"commits of {batch} +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+) +[\d,]+", told)
        assert found, told
        rows, index, both, journal = map(float, found.groups())
        assert rows > payload and journal > payload and index > 8
        assert both == pytest.approx(rows + index, abs=0.2)
