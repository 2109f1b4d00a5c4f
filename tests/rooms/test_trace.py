"""Two people's recorded typing through two real sockets of a real server, at full speed."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import pytest
from channels.db import database_sync_to_async
from pycrdt import Doc, Text

from anteroom.serving import Site
from rooms import log
from rooms.live.room import Facts, LiveRoom
from rooms.roles import Role
from rooms.streams import Stream
from rooms.traces import NotATrace, read_trace, type_trace
from tests.rooms.merging import merged
from tests.rooms.people import client_of, make_pair

pytestmark = pytest.mark.slow  # starts servers of its own

ROOT = Path(__file__).resolve().parents[2]
CUT = ROOT / "tests" / "traces" / "friendsforever-start.json.gz"
WHOLE = ROOT.parent / "shared" / "traces" / "friendsforever.json.gz"
"""The whole recording, where somebody put it beside the checkout."""

TRACES = [
    pytest.param(CUT, id="start"),
    pytest.param(
        WHOLE, id="whole", marks=pytest.mark.skipif(not WHOLE.exists(), reason="the cut stands for it")
    ),
]


@pytest.mark.parametrize("path", TRACES)
async def test_both_sides_the_server_and_the_log_end_with_the_same_text(rooms_site: Site, path: Path) -> None:
    trace = read_trace(path)
    pair = await database_sync_to_async(make_pair)()
    first = client_of(rooms_site, pair, Role.CANDIDATE, client_id=101)
    second = client_of(rooms_site, pair, Role.INTERVIEWER, client_id=202)
    async with first, second:
        began = time.perf_counter()
        await type_trace(trace, (first, second))
        took_s = time.perf_counter() - began
        assert str(first.text) == trace.end
        assert str(second.text) == trace.end
        assert not first.has_gap and not second.has_gap and not first.refusals and not second.refusals
        async with client_of(rooms_site, pair, Role.CANDIDATE) as newcomer:
            assert str(newcomer.text) == trace.end, "the server's document"

    entries = await database_sync_to_async(log.entries)(pair.room_id)
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    code = [entry for entry in entries if entry.stream is Stream.CODE]
    for role, side in zip((Role.CANDIDATE, Role.INTERVIEWER), trace.sides, strict=True):
        assert sum(entry.role is role for entry in code) == len(side)
    replayed = LiveRoom.replay(entries, Facts("", "python", 0, 0, {}))
    assert replayed.document.text == trace.end
    plain: Doc[Text] = Doc()
    text = plain.get("code", type=Text)
    for entry in code:
        plain.apply_update(entry.payload)
    assert str(text) == trace.end, "any Yjs reads the log"
    edits = len(code)
    print(f"{edits:,} edits in {took_s:.1f} s: {edits / took_s:,.0f} a second")


def test_the_cut_is_what_plain_merging_makes_of_it() -> None:
    told = json.loads(gzip.decompress(CUT.read_bytes()))
    assert merged(told["txns"]) == told["endContent"]
    sides = read_trace(CUT).sides
    at_once = sum(change.sees < len(sides[1]) for change in sides[0])
    assert min(map(len, sides)) > 100 and at_once > 100, "both write, and at the same time"


def test_merging_knows_what_a_room_must_do() -> None:
    """Both type at the beginning without having seen each other: the first writer's word stands first."""
    base = {"parents": [], "agent": 0, "patches": [[0, 0, "ab"]]}
    left = {"parents": [0], "agent": 0, "patches": [[1, 1, "X"]]}
    right = {"parents": [0], "agent": 1, "patches": [[1, 0, "Y"]]}
    assert merged([base, left, right]) == "aXY"
    assert merged([base, right, left]) == "aXY"


@pytest.mark.parametrize("told", [
    b"", b"[]", b"{}", b'{"txns": [], "kind": "concurrent"}', b"\x1f\x8bnothing",
    b'{"kind":"concurrent","endContent":"","txns":[{"parents":[],"agent":2,"patches":[]}]}',
    b'{"kind":"concurrent","endContent":"","txns":[{"parents":[],"agent":0,"patches":[]},'
    b'{"parents":[],"agent":0,"patches":[]}]}',
    b'{"endContent":"","txns":[{"patches":[[1]]}]}',
])  # fmt: skip
def test_what_is_no_trace_is_said_to_be_none(tmp_path: Path, told: bytes) -> None:
    path = tmp_path / "trace.json"
    path.write_bytes(told)
    with pytest.raises(NotATrace):
        read_trace(path)


def test_a_sequential_trace_is_one_side(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    path.write_text('{"startContent":"a","endContent":"ab","txns":[{"time":"","patches":[[1,0,"b"]]}]}')
    trace = read_trace(path)
    assert (trace.start, trace.end, len(trace.sides)) == ("a", "ab", 1)
    assert trace.sides[0][0].patches == ((1, 0, "b"),)
