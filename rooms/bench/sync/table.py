"""What was measured, for people: one table, what the bars say, and under which conditions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from rooms.bench.sync.measures import Figures

NOT_MEASURED = "–"
IDLE_ROOM_LIMIT_BYTES = 150_000


@dataclass(frozen=True)
class Bar:
    """One promise: its words, what was found, and whether it held; None where something was not measured."""

    words: str
    found: str
    holds: bool | None

    def __str__(self) -> str:
        verdict = "not measured" if self.holds is None else "held" if self.holds else "NOT HELD"
        return f"{verdict:<13} {self.words}" + (f": {self.found}" if self.found else "")


def table(all_figures: Sequence[Figures], steps: Sequence[int]) -> str:
    """Servers as columns, figures as rows; ratios are to Hocuspocus of the same run."""
    base = next((each for each in all_figures if each.name == "hocuspocus"), None)
    rows: list[tuple[str, list[str]]] = [("", [each.title for each in all_figures])]

    def add(words: str, show: Callable[[Figures], str]) -> None:
        shown = [show(each) for each in all_figures]
        if any(each != NOT_MEASURED for each in shown):
            rows.append((words, shown))

    add("stores edits in", lambda each: each.stores)
    add("rooms held at p99 < 50 ms", lambda each: _rooms(each) + _ratio(each, base, lambda it: it.held))
    for rooms in steps:
        add(f"p50 / p99 at {rooms} rooms, ms", partial(_latency, rooms))
    for rooms in (1, 50):
        add(f"updates/s saturated, {rooms} room{'s' * (rooms > 1)}", partial(_saturated, rooms, base))
    add("kB per idle room", lambda each: _number(_thousandth(each.idle_room_bytes)))
    add("kB per full room", lambda each: _number(_thousandth(each.full_room_bytes)))
    add("CPU ms per 1,000 edits", lambda each: _number(each.cpu_ms_per_1000))
    add("long history opened cold, ms", lambda each: _number(each.cold.ms) if each.cold else NOT_MEASURED)
    add("  kB sent / compact", _sent)
    add("lost by kill -9, of those seen", lambda each: (
        f"{each.killed.lost} of {each.killed.shown:,}" if each.killed else NOT_MEASURED
    ))  # fmt: skip
    add("  of those called saved", _saved)
    first = max(len(words) for words, _ in rows)
    widths = [max(len(shown[place]) for _, shown in rows) for place in range(len(all_figures))]
    return "\n".join(
        f"{words:<{first}}" + "".join(f"  {each:>{width}}" for each, width in zip(shown, widths, strict=True))
        for words, shown in rows
    )


def bars(all_figures: Sequence[Figures]) -> list[Bar]:
    """What was promised, judged by this run."""
    by_name = {each.name: each for each in all_figures}
    hocuspocus, y_websocket, pycrdt = (
        by_name.get(name) for name in ("hocuspocus", "y-websocket", "pycrdt-websocket")
    )
    roomserver, daphne, uvicorn, granian = (
        by_name.get(f"Anteroom, {shell}") for shell in ("roomserver", "daphne", "uvicorn", "granian")
    )
    under_another = max(
        (each for each in (uvicorn, granian) if each and each.held), key=lambda each: each.held, default=None
    )
    other = under_another.name.rpartition(" ")[2] if under_another else "uvicorn or granian"
    ours = [each for each in all_figures if each.name.startswith("Anteroom")]
    killed = [each.killed for each in ours if each.killed]
    lost = sum(each.lost + each.saved_lost for each in killed)
    idle = [each.idle_room_bytes for each in ours if each.idle_room_bytes is not None]
    return [
        _times("roomserver holds 4 times the rooms of Hocuspocus", roomserver, hocuspocus, 4),
        _times("roomserver holds 1.3 times the rooms of y-websocket", roomserver, y_websocket, 1.3),
        _quick(roomserver),
        _times("Channels under Daphne holds twice the rooms of pycrdt-websocket", daphne, pycrdt, 2),
        _times(f"Channels under {other} holds the rooms of Hocuspocus", under_another, hocuspocus, 1),
        Bar(
            "no edit is lost that anybody had seen or was told to be saved",
            f"{lost} of {sum(each.shown for each in killed):,} seen" if killed else "",
            not lost if killed else None,
        ),
        Bar(
            "150 kB at most per idle room",
            f"{max(idle) / 1000:,.0f} kB" if idle else "",
            max(idle) <= IDLE_ROOM_LIMIT_BYTES if idle else None,
        ),
    ]


def _times(words: str, mine: Figures | None, theirs: Figures | None, factor: float) -> Bar:
    if mine is None or theirs is None or not mine.held or not theirs.held:
        return Bar(words, "", None)
    holds = mine.held >= factor * theirs.held
    if theirs.is_more or (mine.is_more and not holds):
        return Bar(words, f"{_rooms(mine)} and {_rooms(theirs)}, so nobody knows", None)
    return Bar(words, f"{_rooms(mine)} and {_rooms(theirs)}, {mine.held / theirs.held:.1f} times", holds)


def _quick(roomserver: Figures | None) -> Bar:
    words = "roomserver at 500 rooms: p50 under 3 ms, p99 under 10 ms"
    step = roomserver.step(500) if roomserver else None
    if step is None:
        return Bar(words, "", None)
    return Bar(words, f"{step.p50:.2f} and {step.p99:.2f} ms", step.p50 < 3 and step.p99 < 10)


def _sent(figures: Figures) -> str:
    cold = figures.cold
    return f"{cold.bytes / 1000:,.0f} / {cold.compact_bytes / 1000:,.0f}" if cold else NOT_MEASURED


def _saved(figures: Figures) -> str:
    killed = figures.killed
    return f"{killed.saved_lost} of {killed.saved:,}" if killed and killed.saved else NOT_MEASURED


def _rooms(figures: Figures) -> str:
    if not any(step.counts for step in figures.steps):
        return NOT_MEASURED
    return f"{figures.held:,}" + " or more" * figures.is_more


def _latency(rooms: int, figures: Figures) -> str:
    step = figures.step(rooms)
    if step is None:
        tried = [each for each in figures.steps if each.rooms == rooms]
        failed = [each for each in figures.steps if each.rooms < rooms and each.counts and not each.is_held]
        return "generator late" if tried else "overloaded" if failed else NOT_MEASURED
    return f"{_ms(step.p50)} / {_ms(step.p99)}"


def _ms(value: float) -> str:
    return "never" if math.isinf(value) else f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def _flood(rooms: int, figures: Figures) -> float | None:
    flood = figures.floods.get(rooms)
    return flood.per_second if flood else None


def _saturated(rooms: int, base: Figures | None, figures: Figures) -> str:
    flood = partial(_flood, rooms)
    return _number(flood(figures)) + _ratio(figures, base, flood)


def _thousandth(value: float | None) -> float | None:
    return None if value is None else value / 1000


def _number(value: float | None) -> str:
    return NOT_MEASURED if value is None else f"{value:,.0f}"


def _ratio(figures: Figures, base: Figures | None, value: Callable[[Figures], float | None]) -> str:
    if base is None or figures is base:
        return ""
    mine, theirs = value(figures), value(base)
    return f" (×{mine / theirs:.1f})" if mine and theirs else ""
