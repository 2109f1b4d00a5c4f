"""The feedback page in a browser: nothing typed is lost, nothing sent by mistake, the reveal opens itself."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Browser, Page, expect

from feedback import services
from rooms.models import Seat
from rooms.roles import Role
from tests.browser import stage
from tests.browser.browsers import PHONE, Visitor

Visit = Callable[..., Visitor]

LONG = "You explained every step, and the smallest failing test came first. Well done."


@stage.aside
def say_yes(held: stage.Interview) -> None:
    """The interviewer's yes alone."""
    seat = Seat.objects.get(room=held.room, role=Role.INTERVIEWER)
    services.choose_unmask(seat=seat, identity=services.Identity(name="Bo Finchquill"))


def saved(page: Page) -> None:
    expect(page.get_by_role("status").filter(has_text="Draft saved")).to_be_visible()


def choose(page: Page, question: str, value: str) -> None:
    group = page.get_by_role("group", name=re.compile("^" + re.escape(question)))
    group.get_by_role("radio", name=re.compile(f"^{value}")).check(force=True)


def test_a_draft_survives_a_reload_and_a_lost_connection(chromium: Browser, visit: Visit) -> None:
    held = stage.interview(ended=True)
    bo = visit(chromium, "bo")
    bo.sign_in(held.interviewer)
    bo.open(held.feedback)
    page = bo.page
    words = page.get_by_label("Help your interviewee get better")
    choose(page, "Technical skill", "3")
    words.fill("So far")
    saved(page)
    page.reload()
    expect(words).to_have_value("So far")
    expect(page.get_by_role("radio", name="3 Solid").first).to_be_checked()
    with bo.expecting("ERR_INTERNET_DISCONNECTED|failed: PUT"):
        bo.context.set_offline(True)
        words.fill("So far, and more")
        expect(page.locator("#saved")).to_contain_text("Not saved yet")
        bo.context.set_offline(False)
        saved(page)
    page.reload()
    expect(words).to_have_value("So far, and more")


def test_the_form_by_keyboard_alone(chromium: Browser, visit: Visit) -> None:
    """Tab, arrows, space and Enter are enough, from the first question to the seal."""
    held = stage.interview(ended=True)
    ada = visit(chromium, "ada")
    ada.sign_in(held.candidate)
    ada.open(held.feedback)
    page, keys = ada.page, ada.page.keyboard

    def tab_to(name: str) -> None:
        for _ in range(40):
            keys.press("Tab")
            here = page.evaluate(
                "[document.activeElement.name, document.activeElement.id, document.activeElement.value]"
            )
            if name in here:
                return
        raise AssertionError(f"Tab does not lead to {name}")

    tab_to("how_well")
    keys.press("ArrowRight")  # from 1, which the arrow leaves, to 2
    expect(page.get_by_role("radio", name="2 Below the bar")).to_be_checked()
    tab_to("seen_before")
    keys.press("Space")
    tab_to("assess")
    keys.press("Enter")
    expect(page.get_by_role("heading", name=re.compile("^How was it with"))).to_be_visible()
    for name in ("work_with", "excitement", "questions", "hints", "communication"):
        tab_to(name)
        keys.press("Space")
    tab_to("text")
    keys.type("Thank you.")
    tab_to("submit")
    keys.press("Enter")
    dialog = page.get_by_role("dialog", name="Seal and send?")
    expect(dialog).to_be_visible()
    keys.press("Escape")
    expect(dialog).to_be_hidden()
    keys.press("Enter")
    expect(dialog).to_be_visible()
    tab_to("send")
    keys.press("Enter")
    expect(page.get_by_role("heading", name="Sealed. Thank you.")).to_be_focused()


def test_mistakes_are_said_beside_the_field(chromium: Browser, visit: Visit) -> None:
    held = stage.interview(ended=True)
    bo = visit(chromium, "bo", size=PHONE)
    bo.sign_in(held.interviewer)
    bo.open(held.feedback)
    page = bo.page
    page.get_by_role("button", name="Seal and send").first.click()
    first = page.get_by_role("group", name="Would you advance this person?")
    expect(first).to_contain_text("Choose yes or no.")
    expect(first.get_by_role("radio").first).to_be_focused()
    expect(page.get_by_text("A little more, please: 50 characters to go.")).to_be_visible()
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_mask_guard_warns_and_lets_go(chromium: Browser, visit: Visit) -> None:
    held = stage.interview(ended=True)
    bo = visit(chromium, "bo")
    bo.sign_in(held.interviewer)
    bo.open(held.feedback)
    page = bo.page
    choose(page, "Would you advance this person?", "Yes")
    for question in ("Technical skill", "Problem solving", "Communication"):
        choose(page, question, "3")
    page.get_by_label("Help your interviewee get better").fill(f"{LONG} Finchquill, bo@example.org")
    page.get_by_role("button", name="Seal and send").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("an e-mail address")
    expect(dialog).to_contain_text("your name or employer")
    dialog.get_by_role("button", name="Keep writing").click()
    page.get_by_label("Help your interviewee get better").fill(LONG)
    page.get_by_role("button", name="Seal and send").first.click()
    expect(dialog.get_by_text("Your text may show who you are")).to_be_hidden()
    dialog.get_by_role("button", name="Seal and send").click()
    expect(page.get_by_role("heading", name="Sealed. Thank you.")).to_be_visible()


def test_a_waiting_page_opens_by_itself(chromium: Browser, visit: Visit) -> None:
    """First the reveal, then the other's yes, without a touch."""
    held = stage.interview(ended=True)
    stage.submit(held, Role.CANDIDATE)
    ada = visit(chromium, "ada")
    ada.sign_in(held.candidate)
    ada.open(held.feedback)
    page = ada.page
    expect(page.get_by_role("heading", name="Sealed. Thank you.")).to_be_visible()
    stage.submit(held, Role.INTERVIEWER)
    expect(page.get_by_role("heading", name="Both have answered")).to_be_visible(timeout=15_000)
    expect(page.get_by_text(stage.PRAISE)).to_be_visible()
    page.get_by_role("textbox", name="Message").fill("Write to me!")
    preview = page.locator("#preview")
    expect(preview).to_contain_text("Write to me!")
    expect(preview).not_to_contain_text("Ada Canarywort")
    page.get_by_role("button", name="Yes, unmask if they do").click()
    expect(page.get_by_role("heading", name="You said yes")).to_be_visible()
    say_yes(held)
    heading = page.get_by_role("heading", name="You have both taken off the mask")
    expect(heading).to_be_visible(timeout=15_000)
    expect(page.get_by_text("Bo Finchquill")).to_be_visible()
