"""The whiteboard: Excalidraw elements, each checked against a schema; the newest version of each wins.

An element is copied field by field, so nothing rides along that a drawing does not need: no links, no
images or frames of other pages, no custom data, no clock of somebody's machine.
Shapes: https://github.com/excalidraw/excalidraw/blob/v0.18.0/packages/excalidraw/element/types.ts
Merging: data/reconcile.ts there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from rooms.errors import BadDrawing

Element = dict[str, Any]
Check = Callable[[Any], bool]

MAX_ELEMENTS = 5_000
"""On one board, deleted ones included: they have to stay, or they would come back."""
MAX_BYTES = 4 * 1024 * 1024
"""Of all elements as they are sent: a thousand strokes of a pen."""
MAX_POINTS = 4_000
MAX_TEXT_CHARACTERS = 10_000
MAX_NUMBER = 1e7
MAX_VERSION = 1 << 31
MAX_LIST = 500

_NAME = re.compile(r"[\w\-:.]{1,64}", re.ASCII)
_INDEX = re.compile(r"[0-9A-Za-z]{1,64}")
_COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}|[a-z]{1,24}")


def _number(value: Any) -> bool:
    """Finite and of a size that drawings have; nothing compares with NaN."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_NUMBER


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_VERSION


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _name(value: Any) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _index(value: Any) -> bool:
    return isinstance(value, str) and _INDEX.fullmatch(value) is not None


def _colour(value: Any) -> bool:
    return isinstance(value, str) and _COLOUR.fullmatch(value) is not None


def _text(value: Any) -> bool:
    if not isinstance(value, str) or len(value) > MAX_TEXT_CHARACTERS or "\x00" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _one_of(*values: Any) -> Check:
    return lambda value: isinstance(value, str) and value in values


def _maybe(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _list_of(check: Check, most: int = MAX_LIST) -> Check:
    return lambda value: isinstance(value, list) and len(value) <= most and all(map(check, value))


def _point(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and _number(value[0]) and _number(value[1])


def _shape(**fields: Check) -> Check:
    """An object with some of these fields and no others."""
    return lambda value: (
        isinstance(value, dict) and all(key in fields and fields[key](each) for key, each in value.items())
    )


_ARROWHEADS = _maybe(_name)
_BINDING = _maybe(
    _shape(
        elementId=_name, focus=_number, gap=_number, fixedPoint=_maybe(_point),
        mode=_one_of("inside", "orbit", "skip"),
    )
)  # fmt: skip

_ALL: dict[str, Check] = {
    "id": _name,
    "x": _number,
    "y": _number,
    "width": _number,
    "height": _number,
    "angle": _number,
    "strokeColor": _colour,
    "backgroundColor": _colour,
    "fillStyle": _one_of("hachure", "cross-hatch", "solid", "zigzag"),
    "strokeWidth": _number,
    "strokeStyle": _one_of("solid", "dashed", "dotted"),
    "roughness": _number,
    "opacity": _number,
    "roundness": _maybe(_shape(type=_whole, value=_number)),
    "seed": _whole,
    "version": _whole,
    "versionNonce": _whole,
    "index": _maybe(_index),
    "isDeleted": _flag,
    "groupIds": _list_of(_name),
    "frameId": _maybe(_name),
    "boundElements": _maybe(_list_of(_shape(id=_name, type=_one_of("arrow", "text")))),
    "locked": _flag,
}
_LINEAR: dict[str, Check] = {
    "points": _list_of(_point, MAX_POINTS),
    "lastCommittedPoint": _maybe(_point),
    "startBinding": _BINDING,
    "endBinding": _BINDING,
    "startArrowhead": _ARROWHEADS,
    "endArrowhead": _ARROWHEADS,
}
_TYPES: dict[str, dict[str, Check]] = {
    "rectangle": {},
    "diamond": {},
    "ellipse": {},
    "line": {**_LINEAR, "polygon": _flag},
    "arrow": {
        **_LINEAR,
        "elbowed": _flag,
        "fixedSegments": _maybe(_list_of(_shape(start=_point, end=_point, index=_whole))),
        "startIsSpecial": _maybe(_flag),
        "endIsSpecial": _maybe(_flag),
    },
    "freedraw": {
        "points": _list_of(_point, MAX_POINTS),
        "pressures": _list_of(_number, MAX_POINTS),
        "simulatePressure": _flag,
        "lastCommittedPoint": _maybe(_point),
    },
    "text": {
        "fontSize": _number,
        "fontFamily": _whole,
        "text": _text,
        "originalText": _text,
        "textAlign": _one_of("left", "center", "right"),
        "verticalAlign": _one_of("top", "middle", "bottom"),
        "containerId": _maybe(_name),
        "autoResize": _flag,
        "lineHeight": _number,
        "baseline": _number,
    },
    "frame": {"name": _maybe(_text)},
}
_REQUIRED = ("id", "x", "y", "width", "height", "version", "versionNonce", "isDeleted")


def checked(element: Element) -> Element:
    """A copy of the element with nothing but what its type may have. Raises BadDrawing."""
    kind = element.get("type")
    fields = _TYPES.get(kind) if isinstance(kind, str) else None
    if fields is None:
        raise BadDrawing("The board takes shapes, lines, arrows, strokes and text; nothing else yet.")
    copy: Element = {"type": kind}
    for key, value in element.items():
        check = _ALL.get(key) or fields.get(key)
        if check is None:
            continue
        if not check(value):
            raise BadDrawing
        copy[key] = value
    if any(key not in copy for key in _REQUIRED):
        raise BadDrawing
    if kind in ("line", "arrow", "freedraw") and "points" not in copy:
        raise BadDrawing
    if kind == "text" and "text" not in copy:
        raise BadDrawing
    return {**copy, "link": None, "updated": 1}


def wins(element: Element, over: Element) -> bool:
    """Whether this version replaces the other: the higher one, or of equal ones the lower nonce."""
    if element["version"] != over["version"]:
        return bool(element["version"] > over["version"])
    return bool(element["versionNonce"] < over["versionNonce"])


class Board:
    """The elements as they stand, each with its place in the log."""

    def __init__(self) -> None:
        self._elements: dict[str, Element] = {}
        self._seqs: dict[str, int] = {}
        self._bytes = 0

    def accept(self, elements: list[Element]) -> tuple[list[Element], list[Element]]:
        """Of these elements: what is newer than the board's, and where the board has something newer.

        Raises BadDrawing; then nothing of the message counts.
        """
        newer: dict[str, Element] = {}
        older: list[Element] = []
        for element in map(checked, elements):
            kept = newer.get(element["id"]) or self._elements.get(element["id"])
            if kept is None or wins(element, kept):
                newer[element["id"]] = element
            elif kept["version"] != element["version"] or kept["versionNonce"] != element["versionNonce"]:
                older.append(kept)
        more_bytes = sum(
            _size(each) - self._size_of(each["id"]) for each in newer.values() if not each["isDeleted"]
        )
        is_too_much = more_bytes > 0 and self._bytes + more_bytes > MAX_BYTES
        if is_too_much or len(self._elements.keys() | newer.keys()) > MAX_ELEMENTS:
            raise BadDrawing("The board is full. Clear some of it before drawing more.")
        return list(newer.values()), older

    def take(self, seq: int, elements: list[Element]) -> None:
        """Keep elements from the log."""
        for element in elements:
            kept = self._elements.get(element["id"])
            if kept is None or wins(element, kept):
                self._keep(seq, element)

    def _keep(self, seq: int, element: Element) -> None:
        self._bytes += _size(element) - self._size_of(element["id"])
        self._elements[element["id"]] = element
        self._seqs[element["id"]] = seq

    def _size_of(self, key: str) -> int:
        return _size(self._elements[key]) if key in self._elements else 0

    def after(self, seq: int) -> list[Element]:
        """The elements that changed behind this place in the log, in the order in which they are drawn."""
        changed = [each for key, each in self._elements.items() if self._seqs[key] > seq]
        return sorted(changed, key=lambda each: (each.get("index") or "", each["id"]))

    @property
    def elements(self) -> list[Element]:
        return self.after(0)

    def write(self) -> list[Any]:
        """Everything, for a snapshot."""
        return [[self._seqs[key], element] for key, element in self._elements.items()]

    def read(self, written: list[Any]) -> None:
        """What `write` gave."""
        for seq, element in written:
            self._keep(seq, element)


def _size(element: Element) -> int:
    return len(json.dumps(element, ensure_ascii=False, separators=(",", ":")).encode())
