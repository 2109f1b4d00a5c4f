"""What we write as columns is what Postgres reads."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rooms import columns
from rooms.store import PostgresStore

rows = st.lists(
    st.tuples(
        st.uuids(),
        st.integers(-(1 << 31), (1 << 31) - 1),
        st.integers(-(1 << 63), (1 << 63) - 1),
        st.integers(-(1 << 15), (1 << 15) - 1),
        st.binary(max_size=300),
    ),
    min_size=1,
    max_size=40,
)

_ASK = "SELECT * FROM unnest(%b::uuid[], %b::int4[], %b::int8[], %b::int2[], %b::bytea[])"


@pytest.mark.django_db(transaction=True)
async def test_columns_come_back_as_they_were() -> None:
    store = PostgresStore()
    line = await store._writing.get()
    wanted: list[list[tuple[uuid.UUID, int, int, int, bytes]]] = []

    @settings(max_examples=60, deadline=None, database=None)
    @given(rows)
    def collect(each: list[tuple[uuid.UUID, int, int, int, bytes]]) -> None:
        wanted.append(each)

    collect()
    for each in wanted:
        ids, fours, eights, twos, bodies = zip(*each, strict=True)
        written = (
            columns.uuids(ids), columns.int4s(fours), columns.int8s(eights), columns.int2s(twos),
            columns.byteas(bodies),
        )  # fmt: skip
        assert await (await line.execute(_ASK, written, binary=True)).fetchall() == each
    await store.close()
