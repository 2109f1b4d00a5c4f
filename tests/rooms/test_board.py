"""The whiteboard takes drawings and nothing else."""

from __future__ import annotations

import random
from itertools import permutations
from typing import Any

import pytest

from rooms.errors import BadDrawing
from rooms.live.board import MAX_ELEMENTS, MAX_POINTS, Board, checked

BASE: dict[str, Any] = {
    "id": "a1-B_2", "x": 10, "y": -4.5, "width": 30, "height": 20, "angle": 0, "strokeColor": "#1e1e1e",
    "backgroundColor": "transparent", "fillStyle": "solid", "strokeWidth": 2, "strokeStyle": "solid",
    "roughness": 1, "opacity": 100, "roundness": {"type": 3}, "seed": 12345, "version": 4,
    "versionNonce": 991, "index": "a0V", "isDeleted": False, "groupIds": ["g1"], "frameId": None,
    "boundElements": [{"id": "t1", "type": "text"}], "updated": 1_700_000_000_000,
    "link": None, "locked": False,
}  # fmt: skip
ARROW = {
    **BASE, "type": "arrow", "points": [[0, 0], [10.5, 3]], "lastCommittedPoint": None, "elbowed": False,
    "startBinding": {"elementId": "a1", "focus": 0.1, "gap": 4, "fixedPoint": [0.5, 1]}, "endBinding": None,
    "startArrowhead": None, "endArrowhead": "arrow",
}  # fmt: skip
TEXT = {
    **BASE, "type": "text", "text": "n² → 🙂", "originalText": "n² → 🙂", "fontSize": 20, "fontFamily": 5,
    "textAlign": "left", "verticalAlign": "top", "containerId": None, "autoResize": True, "lineHeight": 1.25,
}  # fmt: skip
STROKE = {
    **BASE, "type": "freedraw", "points": [[0, 0], [1, 2]], "pressures": [0.5, 0.7], "simulatePressure": True,
    "lastCommittedPoint": [1, 2],
}  # fmt: skip
LINE = {**{key: value for key, value in ARROW.items() if key != "elbowed"}, "type": "line", "polygon": False}
DRAWINGS = [
    {**BASE, "type": "rectangle"}, {**BASE, "type": "ellipse"}, {**BASE, "type": "diamond"},
    ARROW, LINE, TEXT, STROKE, {**BASE, "type": "frame", "name": "Plan"},
]  # fmt: skip


@pytest.mark.parametrize("element", DRAWINGS, ids=lambda each: each["type"])
def test_what_excalidraw_draws_is_kept_as_it_is(element: dict[str, Any]) -> None:
    kept = checked(element)
    assert {**kept, "updated": None} == {**element, "updated": None}


@pytest.mark.parametrize("element", DRAWINGS, ids=lambda each: each["type"])
def test_no_element_carries_its_writers_clock_or_links(element: dict[str, Any]) -> None:
    kept = checked(
        {**element, "link": "https://example.org/me", "customData": {"name": "Ada"}, "source": "x"}
    )
    assert kept["link"] is None
    assert kept["updated"] == 1
    assert "customData" not in kept and "source" not in kept


BENT: list[dict[str, Any]] = [
    {"type": "image", "fileId": "f"}, {"type": "embeddable"}, {"type": "iframe"}, {"type": "selection"},
    {"type": None}, {"type": ["text"]}, {"id": ""}, {"id": "x" * 65}, {"id": "a b"}, {"id": 7},
    {"x": float("nan")}, {"y": float("inf")}, {"width": 1e300}, {"x": 10**400}, {"x": True}, {"x": "1"},
    {"x": None}, {"version": -1}, {"version": 1.5}, {"version": 2**40}, {"versionNonce": "1"},
    {"strokeColor": "url(https://example.org)"}, {"strokeColor": "expression(alert(1))"},
    {"fillStyle": "stripes"}, {"isDeleted": 0}, {"groupIds": ["g"] * 501}, {"groupIds": [["g"]]},
    {"boundElements": [{"id": "a", "type": "text", "more": 1}]}, {"roundness": {"type": 3, "deep": {}}},
    {"index": "a" * 65},
]  # fmt: skip


@pytest.mark.parametrize("bent", BENT, ids=str)
def test_what_is_no_drawing_is_refused(bent: dict[str, Any]) -> None:
    with pytest.raises(BadDrawing):
        checked({**BASE, "type": "rectangle", **bent})


@pytest.mark.parametrize(
    "element",
    [
        {**STROKE, "points": [[0, 0]] * (MAX_POINTS + 1)}, {**STROKE, "points": [[0, 0, 0]]},
        {**STROKE, "points": [[0, None]]}, {**STROKE, "points": "0,0"}, {**TEXT, "text": "x" * 10_001},
        {**TEXT, "text": "\ud800"}, {**TEXT, "text": "a\x00"}, {**TEXT, "text": None},
        {key: value for key, value in TEXT.items() if key != "text"},
        {key: value for key, value in ARROW.items() if key != "points"},
        {key: value for key, value in BASE.items() if key != "version"} | {"type": "ellipse"},
        {**ARROW, "startBinding": {"elementId": "a", "focus": [[[[[[]]]]]]}},
    ],
    ids=range(12),
)  # fmt: skip
def test_shapes_without_what_they_need_are_refused(element: dict[str, Any]) -> None:
    with pytest.raises(BadDrawing):
        checked(element)


def test_one_bad_element_spoils_its_message_alone() -> None:
    board = Board()
    board.take(1, board.accept([{**BASE, "type": "rectangle"}])[0])
    with pytest.raises(BadDrawing):
        board.accept([{**BASE, "type": "ellipse", "id": "new"}, {**BASE, "type": "image"}])
    assert [each["id"] for each in board.elements] == [BASE["id"]]


def test_every_order_of_arrival_leaves_the_same_board() -> None:
    versions = [
        {**BASE, "type": "rectangle", "version": version, "versionNonce": nonce, "x": version * 100 + nonce}
        for version, nonce in [(1, 5), (2, 9), (2, 3), (3, 1)]
    ]
    ends = set()
    for order in permutations(versions):
        board = Board()
        for seq, element in enumerate(order, 1):
            board.take(seq, board.accept([element])[0])
        ends.add(board.elements[0]["x"])
    assert ends == {301}


def test_of_equal_versions_the_lower_nonce_wins_as_in_excalidraw() -> None:
    board = Board()
    board.take(1, board.accept([{**BASE, "type": "rectangle", "versionNonce": 5}])[0])
    newer, older = board.accept([{**BASE, "type": "rectangle", "versionNonce": 6}])
    assert (newer, [each["versionNonce"] for each in older]) == ([], [5])
    newer, older = board.accept([{**BASE, "type": "rectangle", "versionNonce": 4}])
    assert ([each["versionNonce"] for each in newer], older) == ([4], [])
    assert board.accept([{**BASE, "type": "rectangle", "versionNonce": 5}]) == ([], []), "the same again"


def test_a_board_is_full_at_some_point() -> None:
    board = Board()
    many = [{**BASE, "type": "rectangle", "id": f"e{number}"} for number in range(MAX_ELEMENTS)]
    board.take(1, board.accept(many)[0])
    with pytest.raises(BadDrawing):
        board.accept([{**BASE, "type": "rectangle", "id": "one-more"}])
    assert board.accept([{**many[0], "version": 99}])[0]


def test_elements_come_in_the_order_in_which_they_are_drawn() -> None:
    board = Board()
    indexes = ["a2", "a0", "a1V", "a1"]
    random.Random(4).shuffle(indexes)
    elements = [{**BASE, "type": "rectangle", "id": index, "index": index} for index in indexes]
    board.take(1, board.accept(elements)[0])
    assert [each["index"] for each in board.elements] == ["a0", "a1", "a1V", "a2"]


def test_a_board_holds_so_many_bytes_and_can_be_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rooms.live.board.MAX_BYTES", 5_000)
    board = Board()
    shapes = [{**DRAWINGS[0], "id": f"e{number}"} for number in range(20)]
    kept = 0
    with pytest.raises(BadDrawing):
        for number, each in enumerate(shapes):
            newer, _ = board.accept([each])
            board.take(number + 1, newer)
            kept += 1
    assert 2 < kept < 20
    again = Board()
    again.read(board.write())
    for full in (board, again):
        with pytest.raises(BadDrawing):
            full.accept([shapes[kept]])
        newer, _ = full.accept([{**DRAWINGS[0], "id": "e0", "version": 123456, "isDeleted": True}])
        assert newer, "what is there can be taken away"
