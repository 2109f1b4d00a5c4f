"""Columns of many rows as one value each, in Postgres' binary form for arrays.

psycopg can write lists too, and asks of every element what it is: half of what a row of the log cost here.
The form: dimensions, whether there are nulls, the type of the elements; for the one dimension its length and
first index; then for each element its size and bytes (array_send in Postgres' arrayfuncs.c).
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterable, Sequence
from itertools import repeat

from psycopg import AsyncConnection
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEAD = struct.Struct("!iiIii")
_INT2, _INT4, _INT8, _SIZE = (struct.Struct(form) for form in ("!ih", "!ii", "!iq", "!i"))
_UUID_SIZE = _SIZE.pack(16)
BYTEA, INT8, INT2, INT4, TEXT, UUID = 17, 20, 21, 23, 25, 2950
"""Types of elements, as in Postgres' pg_type.dat."""


class Column(bytes):
    """The values of a column, written."""


class Uuids(Column): ...


class Int2s(Column): ...


class Int4s(Column): ...


class Int8s(Column): ...


class Byteas(Column): ...


class Texts(Column): ...


def uuids(values: Sequence[uuid.UUID]) -> Uuids:
    return Uuids(_head(UUID, len(values)) + b"".join([_UUID_SIZE + value.bytes for value in values]))


def int2s(values: Sequence[int]) -> Int2s:
    return Int2s(_head(INT2, len(values)) + b"".join(map(_INT2.pack, repeat(2), values)))


def int4s(values: Sequence[int]) -> Int4s:
    return Int4s(_head(INT4, len(values)) + b"".join(map(_INT4.pack, repeat(4), values)))


def int8s(values: Sequence[int]) -> Int8s:
    return Int8s(_head(INT8, len(values)) + b"".join(map(_INT8.pack, repeat(8), values)))


def byteas(values: Sequence[bytes]) -> Byteas:
    return Byteas(_head(BYTEA, len(values)) + b"".join(_each_with_size(values)))


def texts(values: Sequence[str]) -> Texts:
    return Texts(_head(TEXT, len(values)) + b"".join(_each_with_size([value.encode() for value in values])))


def register(connection: AsyncConnection[object]) -> None:
    """Let this connection take columns as parameters."""
    oids = {Uuids: 2951, Int2s: 1005, Int4s: 1007, Int8s: 1016, Byteas: 1001, Texts: 1009}
    for kind, oid in oids.items():
        dumper = type(f"{kind.__name__}Dumper", (_AsItIs,), {"oid": oid})
        connection.adapters.register_dumper(kind, dumper)


class _AsItIs(Dumper):
    format = Format.BINARY

    def dump(self, obj: Column) -> Column:
        return obj


def _head(element: int, count: int) -> bytes:
    return _HEAD.pack(1, 0, element, count, 1)


def _each_with_size(values: Sequence[bytes]) -> Iterable[bytes]:
    for value in values:
        yield _SIZE.pack(len(value))
        yield value
