"""A room whose connection breaks: the page says so at once, comes back by itself, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect

from anteroom.serving import Site, until
from tests.browser import stage
from tests.browser.browsers import LOST_CONNECTION, Visitor
from tests.browser.room import Room

BACK_S = 25
"""Longer than the longest wait between two tries to come back."""


@pytest.fixture
def two_in_a_room(
    staged: None, chromium: Browser, other_chromium: Browser, visit: Callable[..., Visitor]
) -> Iterator[tuple[Room, Room]]:
    """Candidate and interviewer of a room that has begun."""
    held = stage.interview()
    rooms = []
    people = ((chromium, "candidate", held.candidate), (other_chromium, "interviewer", held.interviewer))
    for browser, name, person in people:
        visitor = visit(browser, name)
        visitor.sign_in(person)
        visitor.open(held.lobby)
        room = Room(visitor)
        room.enter()
        rooms.append(room)
    his, hers = rooms
    his.start()
    hers.expect_phase("Live")
    yield his, hers


def expect_reconnecting(room: Room) -> None:
    expect(room.status).to_have_text("Reconnecting…", timeout=15_000)


def test_offline_for_a_while(two_in_a_room: tuple[Room, Room]) -> None:
    """What one types and says without a connection waits in the page and arrives when it is back."""
    his, hers = two_in_a_room
    his.type("one ")
    hers.wait_for_code("one ")
    with his.visitor.expecting(LOST_CONNECTION):
        his.visitor.context.set_offline(True)
        expect_reconnecting(his)
        his.type("two ")
        his.say("Are you still there?")
        hers.page.keyboard.press("Control+Home")
        hers.type("zero ")
        assert hers.code() == "zero one "
        his.visitor.context.set_offline(False)
        until(lambda: hers.code() == "zero one two ", "what was typed offline arrives", BACK_S)
    his.wait_for_code("zero one two ")
    his.wait_until_saved()
    hers.expect_line(
        his.page.locator("#people .person").first.locator(".person-mask").inner_text(), "Are you"
    )
    assert hers.lines() == his.lines() == ["Are you still there?"]


def test_server_restart(two_in_a_room: tuple[Room, Room], site: Site) -> None:
    """kill -9 in the middle of typing: both pages say so, come back, and hold the same text, every key."""
    his, hers = two_in_a_room
    his.type("before ")
    hers.wait_for_code("before ")
    his.say("Said before.")
    his.wait_until_saved()
    with his.visitor.expecting(LOST_CONNECTION), hers.visitor.expecting(LOST_CONNECTION):
        his.type("dur")
        site.kill()
        his.page.keyboard.type("ing")
        for room in (his, hers):
            expect_reconnecting(room)
        his.type(" the outage")
        his.say("Said during.")
        site.start()
        whole = "before during the outage"
        until(lambda: his.code() == hers.code() == whole, "both show everything again", BACK_S)
        for room in (his, hers):
            expect(room.status).to_have_text("Saved", timeout=BACK_S * 1000)
    until(lambda: len(hers.lines()) == 2, "the line said meanwhile arrives")
    assert hers.lines() == his.lines() == ["Said before.", "Said during."]
    his.page.reload()
    his.wait_until_open()
    his.wait_for_code(whole)


def test_two_tabs_of_one_person(two_in_a_room: tuple[Room, Room]) -> None:
    """A second tab joins as the same seat; both tabs and the other side stay one."""
    his, hers = two_in_a_room
    his.type("first tab ")
    second = his.visitor.context.new_page()
    second.goto(his.page.url)
    again = Room(his.visitor, second)
    again.wait_until_open()
    again.wait_for_code("first tab ")
    again.editor.focus()
    second.keyboard.press("Control+End")
    second.keyboard.type("second tab")
    for room in (his, hers):
        room.wait_for_code("first tab second tab")
    expect(hers.page.locator("#people .person")).to_have_count(2)
