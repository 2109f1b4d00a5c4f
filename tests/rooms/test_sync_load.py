"""The load generator of `bench sync` counts right: driven against a relay in this process that loses,
doubles, merges or turns around what it passes on.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from pycrdt import Doc, Text, merge_updates

from rooms.bench.sync.clients import Door
from rooms.bench.sync.dialects import SYNC, UPDATE, Dialect, Hocuspocus, Plain, sync, sync_body
from rooms.bench.sync.edits import CUT, TEXT, Typing, keystrokes, make_typing
from rooms.bench.sync.load import Load, Step
from rooms.bench.sync.measures import Cold, Figures, Killed, Plan, _Bounds
from rooms.bench.sync.relay import Relay
from rooms.bench.sync.table import bars, table
from rooms.bench.sync.updates import NotAnUpdate, Runs, read_update
from rooms.live.gate import Gate
from rooms.roles import Role
from rooms.traces import read_trace

Change = Callable[[bytes], list[bytes]]
SECONDS = 0.6


@pytest.fixture(scope="module")
def typing() -> tuple[Typing, Typing]:
    return make_typing(CUT)


@contextmanager
def loaded(
    typing: tuple[Typing, Typing],
    rooms: int,
    change: Change = lambda it: [it],
    dialect: Dialect | None = None,
) -> Iterator[Load]:
    """A load with its rooms open at a relay of its own."""
    is_over = threading.Event()
    dialect = dialect or Plain()
    relay = Relay(prefix_size=len(dialect.prefix("r0000")), change=change)
    serving = threading.Thread(target=relay.serve, args=[is_over.is_set])
    serving.start()
    load = Load(("127.0.0.1", relay.port), dialect, typing, name_size=5)
    try:
        load.open([Door(f"r{number:04}", f"/r{number:04}") for number in range(rooms)])
        yield load
    finally:
        load.close()
        is_over.set()
        serving.join(10)
        assert not serving.is_alive()


def is_edit(message: bytes) -> bool:
    return message[:2] == bytes((SYNC, UPDATE))


def test_what_arrives_is_counted_once_and_timed(typing: tuple[Typing, Typing]) -> None:
    with loaded(typing, 3) as load:
        step = load.type(3, SECONDS, warm_s=0.2)
        assert step.edits >= 3 * 2 * 2, "three rooms of two clients, five a second each"
        assert (step.lost, step.doubled, step.closed) == (0, 0, 0)
        assert 0 < step.p50 <= step.p99 <= step.most < math.inf
        assert step.cursors > 0
        assert load.type(2, SECONDS, warm_s=0).edits > 0, "the same rooms go on where they were"


def test_hocuspocus_names_its_rooms_in_each_message(typing: tuple[Typing, Typing]) -> None:
    with loaded(typing, 2, dialect=Hocuspocus()) as load:
        step = load.type(2, SECONDS, warm_s=0)
        assert step.edits and not step.lost


def test_a_lost_edit_is_lost_and_late(typing: tuple[Typing, Typing], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rooms.bench.sync.load.DRAIN_S", 0.3)
    passed: list[bytes] = []

    def change(message: bytes) -> list[bytes]:
        if is_edit(message):
            passed.append(message)
            return [] if len(passed) == 3 else [message]
        return [message]

    with loaded(typing, 1, change) as load:
        step = load.type(1, SECONDS, warm_s=0)
        assert step.lost == 1
        assert step.p99 == math.inf and math.isfinite(step.p50)
        assert not step.is_held


def test_a_doubled_edit_is_seen_and_counts_once(typing: tuple[Typing, Typing]) -> None:
    with loaded(typing, 1, lambda message: [message, message] if is_edit(message) else [message]) as load:
        step = load.type(1, SECONDS, warm_s=0)
        assert step.doubled == step.edits and not step.lost


def test_edits_that_a_server_merges_are_found_one_by_one(typing: tuple[Typing, Typing]) -> None:
    waiting: dict[int, bytes] = {}

    def change(message: bytes) -> list[bytes]:
        if not is_edit(message):
            return [message]
        body = sync_body(message)
        assert body is not None
        update = read_update(body[1])
        writer = (update.inserted or update.deletions)[0][0]
        first = waiting.pop(writer, None)
        if first is None:
            waiting[writer] = body[1]
            return []
        return [sync(UPDATE, merge_updates(first, body[1]))]

    with loaded(typing, 1, change) as load:
        clients = load.rooms[0]
        assert load.edit(dict.fromkeys(clients, 200), at_once=200, timeout_s=10) == 400
        assert [client.seen for client in clients] == [200, 200] and not any(each.doubled for each in clients)


def test_edits_that_change_places_are_found(typing: tuple[Typing, Typing]) -> None:
    kept: list[bytes] = []

    def change(message: bytes) -> list[bytes]:
        if not is_edit(message):
            return [message]
        if not kept:
            kept.append(message)
            return []
        return [message, kept.pop()]

    with loaded(typing, 1, change) as load:
        first, second = load.rooms[0]
        assert load.edit({first: 30}, at_once=30, timeout_s=10) == 30
        assert second.seen == 30 and not second.ahead and not second.doubled


def test_a_flood_counts_what_arrives(typing: tuple[Typing, Typing]) -> None:
    with loaded(typing, 2) as load:
        flood = load.flood(2, 0.4, at_once=20)
        assert flood.per_second > 100
        assert all(client.peer.seen == client.sent for pair in load.rooms for client in pair)


def test_a_step_in_which_the_generator_was_late_does_not_count() -> None:
    late = _step(50, p99=1, lag=5.1)
    assert not late.counts and not late.is_held
    assert _step(50, p99=49.9).is_held and not _step(50, p99=50.1).is_held
    assert Figures("x", "x", "", steps=[late]).step(50) is None


# --- the edits ----------------------------------------------------------------------------------------


def test_both_sides_type_the_recording_as_a_yjs_and_our_gate_take_it(typing: tuple[Typing, Typing]) -> None:
    trace = read_trace(CUT)
    end = trace.end.encode("ascii", "replace").decode()
    count = len(keystrokes(trace))
    typing[0].reserve(2 * count)
    doc: Doc[Text] = Doc()
    gate = Gate()
    for update in typing[0].updates[:count]:
        gate.admit(Role.CANDIDATE, gate.check(Role.CANDIDATE, update))
        doc.apply_update(update)
    assert str(doc.get(TEXT, type=Text)) == end
    for update in typing[0].updates[count : 2 * count]:
        gate.admit(Role.CANDIDATE, gate.check(Role.CANDIDATE, update))
        doc.apply_update(update)
    text = str(doc.get(TEXT, type=Text))
    assert end in text and len(text) == 2 * len(end), "typed again where the first time ended"


def test_each_edit_is_known_by_its_characters(typing: tuple[Typing, Typing]) -> None:
    one = typing[1]
    for number, update in enumerate(one.updates[:600]):
        assert one.numbers_in(read_update(update)) == [number]
    state: Doc[Text] = Doc()
    for update in one.updates[:500]:
        state.apply_update(update)
    whole = read_update(state.get_update())
    inserted, deleted = Runs(whole.inserted), Runs(whole.deletions)

    def is_there(number: int) -> bool:
        mark = one.mark(number)
        return (mark.brings is None or mark.brings in inserted) and (
            mark.deletes is None or mark.deletes in deleted
        )

    assert all(map(is_there, range(500))) and not any(map(is_there, range(500, 600)))


def test_what_is_no_update_is_said_to_be_none() -> None:
    for data in (b"", b"\x01", b"\x00\x00\x00", b"\x01\x01\x05\x00\x08\x00\x00\x00"):
        with pytest.raises((NotAnUpdate, IndexError)):
            read_update(data)


# --- the table and the bars ---------------------------------------------------------------------------


def _step(rooms: int, p99: float, lag: float = 0.1) -> Step:
    return Step(
        rooms=rooms, seconds=8, edits=80 * rooms, lost=0, doubled=0, closed=0, cursors=5,
        p50=p99 / 3, p99=p99, most=p99, lag_p99=lag, cpu_s=1,
    )  # fmt: skip


def _figures(name: str, held: int, **fields: object) -> Figures:
    return Figures(name, name, "", steps=[_step(500, 4)], held=held, **fields)  # type: ignore[arg-type]


def test_the_bars_hold_or_not_or_were_not_measured() -> None:
    good = [
        _figures("Anteroom, roomserver", 2000, killed=Killed(900, 0, 900, 0), idle_room_bytes=100_000),
        _figures("Anteroom, daphne", 200), _figures("Anteroom, uvicorn", 400),
        _figures("hocuspocus", 400), _figures("y-websocket", 1000), _figures("pycrdt-websocket", 100),
    ]  # fmt: skip
    assert [bar.holds for bar in bars(good)] == [True] * 7
    bad = [
        _figures("Anteroom, roomserver", 1200, killed=Killed(900, 0, 950, 1), idle_room_bytes=151_000),
        _figures("Anteroom, daphne", 190), _figures("Anteroom, uvicorn", 399),
        _figures("hocuspocus", 400), _figures("y-websocket", 1000), _figures("pycrdt-websocket", 100),
    ]  # fmt: skip
    bad[0].steps = [_step(500, 11)]
    assert [bar.holds for bar in bars(bad)] == [False] * 7
    assert {bar.holds for bar in bars([Figures("hocuspocus", "Hocuspocus", "")])} == {None}


def test_what_was_at_its_limit_cannot_be_surpassed() -> None:
    """Where the other server held all that was tried, nobody knows how much more it would."""
    ours, theirs = _figures("Anteroom, roomserver", 2000), _figures("hocuspocus", 400, is_more=True)
    assert bars([ours, theirs])[0].holds is None
    ours, theirs = _figures("Anteroom, roomserver", 1500, is_more=True), _figures("hocuspocus", 400)
    assert bars([ours, theirs])[0].holds is None


def test_the_table_shows_what_was_measured_with_ratios() -> None:
    shown = table(
        [_figures("Anteroom, roomserver", 2000, cold=Cold(1000, 90.4, 310_000, 300_000)),
         _figures("hocuspocus", 400)],
        steps=(500, 1000),
    )  # fmt: skip
    assert "2,000 (×5.0)" in shown and "1.33 / 4.00" in shown and "310 / 300" in shown
    assert "1000 rooms" not in shown, "a row in which nobody was measured"


def test_the_search_ends_between_what_held_and_what_did_not() -> None:
    plan = Plan(most_rooms=1000, fineness=0.1)

    def search(holds: int, late_from: int = 10_000) -> _Bounds:
        found = _Bounds(failed=plan.most_rooms + 1)
        for _ in range(60):
            rooms = found.next(plan)
            if rooms is None:
                return found
            if rooms <= holds and rooms < late_from:
                found.held = max(found.held, rooms)
            else:
                found.failed, found.was_generator = rooms, rooms >= late_from
        raise AssertionError("it never ends")

    for holds in (0, 1, 2, 7, 63, 640, 999, 1000, 5000):
        found = search(holds)
        assert found.held <= holds and found.held >= min(holds, 1000) / 1.1 - 1, holds
    assert search(5000).held == 1000
    assert search(5000, late_from=300).was_generator and not search(200, late_from=300).was_generator
