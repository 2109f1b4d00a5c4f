"""A board as a still picture: Excalidraw elements in, one SVG out. Pure.

Plain strokes instead of hand-drawn ones: it has to be readable, not alike. Colours and numbers are checked
and text is escaped here again, whatever the board has let in.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any
from xml.sax.saxutils import escape, quoteattr

Element = dict[str, Any]
Point = tuple[float, float]

PADDING = 16.0
INK = "#1e1e1e"
FRAME_INK = "#9b9b9b"
CODE_FONTS = (3, 8)
"""Excalidraw's numbers of its monospaced fonts: Cascadia, Comic Shanns."""
HEAD_LENGTH, HEAD_ANGLE = 18.0, math.radians(22)
MAX_RADIUS = 32.0
"""Of a rounded corner, as Excalidraw's adaptive radius."""

_COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}|[a-z]{1,24}")
_DASHES = {"dashed": "8 9", "dotted": "1.5 6"}


def board_svg(elements: Sequence[Element], *, label: str) -> str:
    """The picture, sized to what is on the board; "" for an empty board. label: what a screen reader says."""
    drawn = [element for element in elements if not element.get("isDeleted")]
    if not drawn:
        return ""
    left, top, right, bottom = _bounds(drawn)
    left, top = left - PADDING, top - PADDING
    width, height = right + PADDING - left, bottom + PADDING - top
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label={quoteattr(label)} '
        f'viewBox="{_n(left)} {_n(top)} {_n(width)} {_n(height)}" width="{_n(width)}" height="{_n(height)}" '
        f'fill="none" stroke-linecap="round" stroke-linejoin="round">{"".join(map(_drawn, drawn))}</svg>'
    )


# --- one element ----------------------------------------------------------------------------------------


def _drawn(element: Element) -> str:
    draw = _SHAPES.get(str(element.get("type")))
    if draw is None:
        return ""
    x, y, width, height = _box(element)
    wrap = ""
    angle = _number(element, "angle")
    if angle:
        wrap += f' transform="rotate({_n(math.degrees(angle))} {_n(x + width / 2)} {_n(y + height / 2)})"'
    opacity = _number(element, "opacity", 100)
    if opacity < 100:
        wrap += f' opacity="{_n(max(opacity, 0) / 100)}"'
    return f"<g{wrap}>{draw(element)}</g>"


def _rectangle(element: Element) -> str:
    x, y, width, height = _box(element)
    radius = min(min(width, height) / 4, MAX_RADIUS) if element.get("roundness") else 0
    return (
        f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" rx="{_n(radius)}"'
        f"{_stroke(element)}{_fill(element)}/>"
    )


def _diamond(element: Element) -> str:
    x, y, width, height = _box(element)
    middle_x, middle_y = x + width / 2, y + height / 2
    corners = ((middle_x, y), (x + width, middle_y), (middle_x, y + height), (x, middle_y))
    points = " ".join(f"{_n(a)},{_n(b)}" for a, b in corners)
    return f'<polygon points="{points}"{_stroke(element)}{_fill(element)}/>'


def _ellipse(element: Element) -> str:
    x, y, width, height = _box(element)
    return (
        f'<ellipse cx="{_n(x + width / 2)}" cy="{_n(y + height / 2)}" rx="{_n(width / 2)}" '
        f'ry="{_n(height / 2)}"{_stroke(element)}{_fill(element)}/>'
    )


def _line(element: Element) -> str:
    points = _points(element)
    if not points:
        return ""
    is_closed = len(points) > 2 and math.dist(points[0], points[-1]) < 1
    fill = _fill(element) if is_closed else ""
    path = _smooth(points) if element.get("roundness") else _straight(points)
    heads = ""
    if element.get("type") == "arrow" and len(points) > 1:
        if element.get("endArrowhead", "arrow"):
            heads += _straight(_head(points[-2], points[-1]))
        if element.get("startArrowhead"):
            heads += _straight(_head(points[1], points[0]))
    drawn = f'<path d="{path}"{_stroke(element)}{fill}/>'
    return drawn + (f'<path d="{heads}"{_stroke(element, is_dashed=False)}/>' if heads else "")


def _freedraw(element: Element) -> str:
    points = _points(element)
    if len(points) == 1:
        points.append(points[0])  # a dot: a line of no length with round ends
    return f'<path d="{_smooth(points)}"{_stroke(element)}/>' if points else ""


def _text(element: Element) -> str:
    size = _number(element, "fontSize", 20)
    height = size * _number(element, "lineHeight", 1.25)
    x, y, width, _ = _box(element)
    anchor, at = {"center": ("middle", x + width / 2), "right": ("end", x + width)}.get(
        str(element.get("textAlign")), ("start", x)
    )
    family = "monospace" if element.get("fontFamily") in CODE_FONTS else "sans-serif"
    lines = "".join(
        f'<tspan x="{_n(at)}" y="{_n(y + row * height + height / 2)}">{escape(line)}</tspan>'
        for row, line in enumerate(str(element.get("text", "")).split("\n"))
    )
    return (
        f'<text font-family="{family}" font-size="{_n(size)}" text-anchor="{anchor}" '
        f'dominant-baseline="central" xml:space="preserve" fill="{_colour(element.get("strokeColor"), INK)}">'
        f"{lines}</text>"
    )


def _frame(element: Element) -> str:
    x, y, width, height = _box(element)
    return (
        f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" rx="8" '
        f'stroke="{FRAME_INK}" stroke-width="1"/><text x="{_n(x)}" y="{_n(y - 6)}" font-family="sans-serif" '
        f'font-size="14" fill="{FRAME_INK}">{escape(str(element.get("name") or "Frame"))}</text>'
    )


_SHAPES = {
    "rectangle": _rectangle,
    "diamond": _diamond,
    "ellipse": _ellipse,
    "line": _line,
    "arrow": _line,
    "freedraw": _freedraw,
    "text": _text,
    "frame": _frame,
}


# --- paths ----------------------------------------------------------------------------------------------


def _straight(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in points)


def _smooth(points: Sequence[Point]) -> str:
    """Through the middles between the points, with the points as handles."""
    if len(points) < 3:
        return _straight(points)
    path = f"M{_n(points[0][0])} {_n(points[0][1])}"
    for (x, y), (next_x, next_y) in pairwise(points[1:-1]):
        path += f"Q{_n(x)} {_n(y)} {_n((x + next_x) / 2)} {_n((y + next_y) / 2)}"
    (x, y), (last_x, last_y) = points[-2:]
    return path + f"Q{_n(x)} {_n(y)} {_n(last_x)} {_n(last_y)}"


def _head(before: Point, tip: Point) -> tuple[Point, Point, Point]:
    """The three points of an arrowhead at `tip`."""
    along = math.atan2(tip[1] - before[1], tip[0] - before[0])
    length = min(HEAD_LENGTH, math.dist(before, tip) / 2)
    sides = [
        (tip[0] - length * math.cos(along + turn), tip[1] - length * math.sin(along + turn))
        for turn in (HEAD_ANGLE, -HEAD_ANGLE)
    ]
    return sides[0], tip, sides[1]


# --- values ---------------------------------------------------------------------------------------------


def _box(element: Element) -> tuple[float, float, float, float]:
    """Left, top, width, height; of a line those of its points."""
    if "points" in element:
        points = _points(element) or [(_number(element, "x"), _number(element, "y"))]
        xs, ys = [x for x, _ in points], [y for _, y in points]
        return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)
    x, y = _number(element, "x"), _number(element, "y")
    width, height = _number(element, "width"), _number(element, "height")
    return min(x, x + width), min(y, y + height), abs(width), abs(height)


def _bounds(elements: Iterable[Element]) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of all of them as they are turned."""
    xs, ys = [], []
    for element in elements:
        x, y, width, height = _box(element)
        angle = _number(element, "angle")
        sin, cos = math.sin(angle), math.cos(angle)
        for a, b in ((-width, -height), (width, -height), (-width, height), (width, height)):
            xs.append(x + width / 2 + (a * cos - b * sin) / 2)
            ys.append(y + height / 2 + (a * sin + b * cos) / 2)
    return min(xs), min(ys), max(xs), max(ys)


def _points(element: Element) -> list[Point]:
    x, y = _number(element, "x"), _number(element, "y")
    return [(x + float(a), y + float(b)) for a, b in element.get("points", ())]


def _number(element: Element, name: str, default: float = 0.0) -> float:
    value = element.get(name, default)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else default


def _n(number: float) -> str:
    """A number as short as it can be drawn."""
    return f"{number:.1f}".rstrip("0").rstrip(".")


def _colour(value: Any, default: str) -> str:
    if not isinstance(value, str) or not _COLOUR.fullmatch(value):
        return default
    return "none" if value == "transparent" else value


def _stroke(element: Element, *, is_dashed: bool = True) -> str:
    width = _number(element, "strokeWidth", 2)
    drawn = f' stroke="{_colour(element.get("strokeColor"), INK)}" stroke-width="{_n(width)}"'
    dashes = _DASHES.get(str(element.get("strokeStyle")))
    return drawn + (f' stroke-dasharray="{dashes}"' if dashes and is_dashed else "")


def _fill(element: Element) -> str:
    colour = _colour(element.get("backgroundColor"), "none")
    if colour == "none":
        return ""
    # Hatching stands for a lighter fill.
    opacity = "" if element.get("fillStyle", "solid") == "solid" else ' fill-opacity="0.5"'
    return f' fill="{colour}"{opacity}'
