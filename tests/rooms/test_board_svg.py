"""A board as a still picture."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from rooms.board_svg import board_svg

SVG = "{http://www.w3.org/2000/svg}"


def draw(*elements: dict[str, Any]) -> ElementTree.Element:
    return ElementTree.fromstring(board_svg(elements, label="Board"))


def element(type: str, **more: Any) -> dict[str, Any]:
    return {"type": type, "id": "a", "x": 10, "y": 20, "width": 100, "height": 50, **more}


def test_an_empty_board_is_no_picture() -> None:
    assert board_svg([], label="Board") == ""
    assert board_svg([element("rectangle", isDeleted=True)], label="Board") == ""


def test_every_kind_of_element_is_drawn() -> None:
    linear = {"points": [[0, 0], [30, 40], [60, 0]]}
    shapes = {
        "rectangle": "rect", "diamond": "polygon", "ellipse": "ellipse", "line": "path", "arrow": "path",
        "freedraw": "path", "text": "text", "frame": "rect",
    }  # fmt: skip
    for kind, tag in shapes.items():
        more = linear if tag == "path" else {"text": "hi"}
        assert draw(element(kind, **more)).find(f".//{SVG}{tag}") is not None, kind


def test_the_picture_holds_everything_also_what_is_turned() -> None:
    picture = draw(element("rectangle"), element("rectangle", x=200, width=40, height=40, angle=0.785398))
    left, top, width, height = map(float, picture.attrib["viewBox"].split())
    assert (left, top) == (-6, -4.3)  # the padding is 16
    assert left + width - 16 > 248  # 240 is its side, 248.3 its corner when it stands on it
    assert top + height - 16 == 70


def test_text_is_escaped_in_content_and_label() -> None:
    hostile = '</text><script>alert("&")</script>'
    drawn = board_svg([element("text", text=hostile, fontSize=20)], label=hostile + "'\"")
    assert "<script" not in drawn
    tree = ElementTree.fromstring(drawn)
    assert "".join(tree.itertext()) == hostile
    assert tree.attrib["aria-label"] == hostile + "'\""


def test_a_colour_cannot_carry_anything_else() -> None:
    drawn = board_svg(
        [element("rectangle", strokeColor='red" onload="x', backgroundColor="url(http://e.example/)")],
        label="",
    )
    assert "onload" not in drawn and "example" not in drawn


def test_nonsense_numbers_do_not_stop_it() -> None:
    drawn = draw(element("ellipse", x="1", width=float("nan"), height=float("inf"), angle=None, opacity=True))
    assert drawn.find(f".//{SVG}ellipse") is not None


def test_an_arrow_points_at_its_end() -> None:
    picture = draw(element("arrow", x=0, y=0, points=[[0, 0], [100, 0]], endArrowhead="arrow"))
    _, head = picture.iter(f"{SVG}path")
    first, tip, _ = head.attrib["d"].lstrip("M").split("L")
    assert tip == "100 0" and float(first.split()[0]) < 100


def test_a_dot_is_seen() -> None:
    picture = draw(element("freedraw", x=5, y=5, points=[[0, 0]]))
    path = picture.find(f".//{SVG}path")
    assert path is not None and path.attrib["d"] == "M5 5L5 5"
