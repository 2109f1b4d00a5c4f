"""What is left of an interview, in a real browser: transcript, tokens, page of the API, administration."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pycrdt import Doc, Text

from accounts.models import Person
from feedback import services as feedback
from rooms.live.entry import write_event
from rooms.live.gate import ROOT
from rooms.live.lifecycle import Phase
from rooms.models import LogEntry, Room
from rooms.roles import Role
from rooms.streams import Stream
from tests.browser import stage
from tests.browser.browsers import DESKTOP, PHONE, Visitor
from tests.browser.stage import Interview, aside
from tests.browser.test_pages import Sight, look

C, I, R = Role.CANDIDATE, Role.INTERVIEWER, Role.ROOM  # noqa: E741

BRUTE = """def two_sum(numbers: list[int], target: int) -> tuple[int, int]:
    for i, a in enumerate(numbers):
        for j, b in enumerate(numbers):
            if i != j and a + b == target:
                return i, j
    raise ValueError("no two numbers add up")
"""
LOOPS = BRUTE[BRUTE.index("    for") : BRUTE.index("    raise")]
ONE_PASS = """    seen: dict[int, int] = {}
    for i, number in enumerate(numbers):
        if target - number in seen:
            return seen[target - number], i
        seen[number] = i
"""
QUESTION = "Could you do it in one pass? What would you have to remember?"


def shape(id: str, type: str, x: float, y: float, width: float, height: float, **more: Any) -> dict[str, Any]:
    return {
        "id": id, "type": type, "x": x, "y": y, "width": width, "height": height, "angle": 0,
        "strokeColor": "#1e1e1e", "backgroundColor": "transparent", "fillStyle": "solid", "strokeWidth": 2,
        "strokeStyle": "solid", "opacity": 100, "version": 3, "versionNonce": 1, "isDeleted": False,
        "index": f"a{id}", **more,
    }  # fmt: skip


DRAWING = [
    shape("0", "rectangle", 0, 0, 220, 90, backgroundColor="#a5d8ff", roundness={"type": 3}),
    shape("1", "text", 40, 30, 140, 25, text="numbers", fontSize=20, textAlign="center", lineHeight=1.25),
    shape("2", "arrow", 230, 45, 120, 0, points=[[0, 0], [120, 0]], endArrowhead="arrow"),
    shape("3", "ellipse", 360, 0, 180, 90, strokeColor="#e03131"),
    shape("4", "text", 410, 18, 80, 50, text="seen\nvalue → i", fontSize=20, fontFamily=3, lineHeight=1.25),
    shape("5", "diamond", 600, -10, 110, 110, strokeStyle="dashed"),
    shape(
        "6", "freedraw", 0, 130, 200, 40,
        points=[[n * 10, 20 + 18 * (-1) ** n * n / 20] for n in range(21)],
    ),
]  # fmt: skip


@aside
def remembered() -> Interview:
    """An interview of fifty minutes with talk, code, a drawing, and both reviews revealed."""
    held = stage.interview.__wrapped__(title="Two sum, then in one pass")  # type: ignore[attr-defined]
    code = Text()
    doc: Doc[Any] = Doc({ROOT: code})
    updates: list[bytes] = []
    watching = doc.observe(lambda event: updates.append(event.update))
    rows: list[tuple[int, Role, Stream, bytes]] = []

    def tell(at_s: float, role: Role, stream: Stream, kind: str, **said: Any) -> None:
        rows.append((int(at_s * 1000), role, stream, write_event(kind, **said)))

    def write(at_s: float, role: Role) -> None:
        rows.extend((int(at_s * 1000), role, Stream.CODE, update) for update in updates)
        updates.clear()

    def say(at_s: float, role: Role, text: str) -> None:
        tell(at_s, role, Stream.CHAT, "Say", key=str(at_s), text=text)

    tell(0, R, Stream.LIFECYCLE, "Move", phase="lobby")
    tell(0.1, I, Stream.PRESENCE, "Came")
    tell(35, C, Stream.PRESENCE, "Came")
    tell(50, C, Stream.LIFECYCLE, "Consent", recording=True)
    tell(61, I, Stream.LIFECYCLE, "Move", phase="live")
    say(75, I, "Hello! Two numbers of a list that add up to a target: which two?")
    say(102, C, "May I use `enumerate`?\nAnd can a number be used twice?")
    say(110, I, "Yes, and no.")
    for place, character in enumerate(BRUTE):
        code.insert(place, character)
        write(150 + place * 0.3, C)
    say(260, I, QUESTION)
    tell(300, C, Stream.BOARD, "Draw", elements=DRAWING)
    tell(360, C, Stream.PRESENCE, "Left")
    tell(371, C, Stream.PRESENCE, "Came")
    at = BRUTE.index(LOOPS)
    del code[at : at + len(LOOPS)]
    write(1500, C)
    for offset, character in enumerate(ONE_PASS):
        code.insert(at + offset, character)
        write(1501 + offset * 0.2, C)
    code.insert(0, "# Each number remembers where it stood.\n")
    write(2400, I)
    say(2950, I, "That is what I hoped for. Thank you!")
    tell(3000, I, Stream.LIFECYCLE, "Move", phase="wrap_up")
    tell(3100, R, Stream.LIFECYCLE, "Move", phase="feedback")
    doc.unobserve(watching)
    LogEntry.objects.bulk_create(
        LogEntry(room=held.room, seq=seq, at_ms=at_ms, role=role, stream=stream, payload=payload)
        for seq, (at_ms, role, stream, payload) in enumerate(rows, 1)
    )
    opened_at = timezone.now() - timedelta(seconds=3_200)
    Room.objects.filter(pk=held.room.pk).update(
        phase=Phase.FEEDBACK, opened_at=opened_at, live_at=opened_at + timedelta(seconds=61)
    )
    feedback.open_exchange(room_id=held.room.pk)
    stage.submit.__wrapped__(held, C, I)  # type: ignore[attr-defined]
    return held


@aside
def superuser() -> Person:
    made: Person = Person.objects.create_superuser("root@example.org", stage.PASSWORD)
    return made


@pytest.fixture(scope="module")
def held(staged: None) -> Interview:
    return remembered()


def looks_right(page: Page, name: str, request: pytest.FixtureRequest, *, but_for: str = "") -> None:
    """Both sizes, both themes, without complaint; pictures with --shots.

    but_for: a rule that somebody else's markup breaks.
    """
    folder = cast(str | None, request.config.getoption("--shots"))
    sight = Sight(name, lambda cast: "", None)
    complaints = [
        complaint
        for size, (width, height) in (("desk", DESKTOP), ("phone", PHONE))
        for theme in ("light", "dark")
        for complaint in look(page, sight, size, width, height, theme, folder)
        if not (but_for and but_for in complaint)
    ]
    page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
    assert not complaints, "\n" + "\n".join(complaints)


def test_a_transcript_reads_from_top_to_bottom(
    held: Interview, chromium: Browser, visit: Callable[..., Visitor], request: pytest.FixtureRequest
) -> None:
    visitor = visit(chromium, "candidate")
    visitor.sign_in(held.candidate)
    visitor.open(held.transcript)
    page = visitor.page
    expect(page.get_by_text(QUESTION)).to_be_visible()
    last_code = page.locator(".entry-code .code").last
    expect(last_code).to_contain_text("seen[number] = i")
    expect(last_code).not_to_contain_text("i != j")  # deleted by then
    expect(page.locator(".entry-code .code").first).to_be_hidden()  # an older one, folded
    expect(page.get_by_role("img", name="2 texts")).to_be_visible()
    expect(page.get_by_text(stage.PRAISE)).to_be_visible()
    looks_right(page, "transcript-full", request)

    page.get_by_label("Chat").uncheck()
    expect(page.get_by_text(QUESTION)).to_be_hidden()
    page.get_by_label("Chat").check()
    expect(page.get_by_text(QUESTION)).to_be_visible()

    with page.expect_download() as download:
        page.get_by_role("link", name="Download JSON").click()
    transcript = json.loads(Path(download.value.path()).read_text())
    assert transcript["items"][-1]["kind"] == "review"


def test_a_token_is_made_copied_used_and_revoked(
    held: Interview, chromium: Browser, visit: Callable[..., Visitor], request: pytest.FixtureRequest
) -> None:
    visitor = visit(chromium, "candidate")
    visitor.sign_in(held.candidate)
    visitor.open("/me/tokens/")
    page = visitor.page
    page.get_by_label("Name", exact=True).fill("my notes script")
    page.get_by_label("1 year").check()
    page.get_by_role("button", name="Make token").click()
    secret = page.get_by_label("The token").input_value()
    assert secret.startswith("anteroom_")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert visitor.see("navigator.clipboard.readText()") == secret
    looks_right(page, "token-made", request)

    program = visit(chromium, "program")
    headers = {"Authorization": f"Bearer {secret}"}
    address = f"/api/rooms/{held.room.pk}/transcript"
    answer = program.context.request.get(address, headers=headers)
    assert answer.status == 200
    assert stage.PRAISE not in answer.text()  # not ticked

    visitor.open("/me/tokens/")
    assert secret not in page.content()
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("Revoked.")).to_be_visible()
    assert program.context.request.get(address, headers=headers).status == 401


def test_the_page_of_the_api_works_under_our_policy(
    held: Interview, chromium: Browser, visit: Callable[..., Visitor], request: pytest.FixtureRequest
) -> None:
    visitor = visit(chromium, "candidate")
    visitor.sign_in(held.candidate)
    visitor.open("/api/docs")
    page = visitor.page
    listing = page.locator("#operations-rooms-list_rooms")
    expect(listing).to_be_visible()
    looks_right(page, "api-docs", request, but_for="nested-interactive")
    listing.click()
    listing.get_by_role("button", name="Try it out").click()
    listing.get_by_role("button", name="Execute").click()
    expect(listing.locator(".live-responses-table")).to_contain_text(str(held.room.pk))
    folder = cast(str | None, request.config.getoption("--shots"))
    if folder:
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            page.screenshot(path=Path(folder) / f"api-docs-open-{theme}.png", full_page=True)


def test_administration_works_under_our_policy(
    held: Interview, chromium: Browser, visit: Callable[..., Visitor], request: pytest.FixtureRequest
) -> None:
    visitor = visit(chromium, "superuser")
    visitor.sign_in(superuser())
    visitor.open("/admin/")
    page = visitor.page
    folder = cast(str | None, request.config.getoption("--shots"))
    paths = {
        "index": "/admin/",
        "rooms": "/admin/rooms/room/",
        "room": f"/admin/rooms/room/{held.room.pk}/change/",
        "people": "/admin/accounts/person/",
        "exchanges": "/admin/feedback/exchange/",
    }
    for name, path in paths.items():
        visitor.open(path)
        expect(page.locator("#content")).to_be_visible()
        for theme in ("light", "dark") if folder else ():
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            page.screenshot(path=Path(str(folder)) / f"admin-{name}-{theme}.png", full_page=True)
