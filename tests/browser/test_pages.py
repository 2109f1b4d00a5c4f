"""Every page, light and dark, on a desk and on a phone: readable, usable, reachable by keyboard.

`pytest -m browser tests/browser/test_pages.py --shots FOLDER` keeps a picture of each, to look at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from accounts.models import Person
from rooms.roles import Role
from tests.browser import stage
from tests.browser.browsers import DESKTOP, PHONE, Visitor

THEMES = ("light", "dark")
SIZES = {"desk": DESKTOP, "phone": PHONE}
MAX_TABS = 40
SERIOUS = {"serious", "critical"}

FOCUS_RING = """
(element) => {
  const look = (of) => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(of);
    return `${outlineStyle === "none" ? "" : outlineWidth} ${boxShadow}`;
  };
  const focused = look(element);
  element.blur();
  const plain = look(element);
  element.focus();
  return focused !== plain;
}
"""

# Chromium leaves some inherited colours as they were when the theme changes under an open page.
DRAW_ANEW = """
() => {
  const root = document.documentElement;
  root.style.display = "none";
  root.offsetHeight;
  root.style.display = "";
  return new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
}
"""


class Cast:
    """Everybody who is needed to see every page once."""

    def __init__(self) -> None:
        self.newcomer = stage.person()
        self.regular = stage.person("Bo Finchquill", password=stage.PASSWORD)
        self.waiting, self.invitation = stage.waiting_room(self.regular, title="Rate limiter, from scratch")
        stage.waiting_room(
            self.regular, title="A title as long as titles can be, which is what people type at times"
        )
        self.room = stage.interview()
        self.assessing = stage.interview(ended=True)
        self.answering = stage.interview(ended=True)
        stage.submit(self.answering, Role.CANDIDATE, assess_only=True)
        self.waits = stage.interview(ended=True)
        stage.submit(self.waits, Role.INTERVIEWER)
        self.revealed = stage.interview(ended=True)
        stage.submit(self.revealed, Role.INTERVIEWER, Role.CANDIDATE)
        self.unmasked = stage.interview(ended=True)
        stage.submit(self.unmasked, Role.INTERVIEWER, Role.CANDIDATE)
        stage.unmask(self.unmasked)
        self.lapsed = stage.interview(ended=True)
        stage.submit(self.lapsed, Role.INTERVIEWER)
        stage.pass_deadline(self.lapsed)


@dataclass(frozen=True)
class Sight:
    """One page in one state: where it is, who looks, and what one mainly does there."""

    name: str
    path: Callable[[Cast], str]
    who: Callable[[Cast], Person] | None
    action: str = ""
    """Accessible name of the main button or link; "" on pages that only tell."""
    ready: str = "main"
    """What shows that the page is there, and alive."""
    status: int = 200
    fits: bool = False
    """Nothing to scroll on a desk: the page is a tool that fills the window."""

    def __str__(self) -> str:
        return self.name


SIGHTS = [
    Sight("landing", lambda cast: "/", None, "Create an account"),
    Sight("sign-in", lambda cast: "/accounts/login/", None, "Sign in"),
    Sight("sign-up", lambda cast: "/accounts/signup/", None, "Create account"),
    Sight("mail-link", lambda cast: "/accounts/link/", None, ""),
    Sight("forgot", lambda cast: "/accounts/password/reset/", None, ""),
    Sight("enter", lambda cast: "/enter/#" + "x" * 43, None, "Sign in"),
    Sight("join", lambda cast: cast.invitation, None, "Join as a guest"),
    Sight("half-a-link", lambda cast: "/join/", None),
    Sight("home-empty", lambda cast: "/", lambda cast: cast.newcomer, "Open your first room"),
    Sight("home", lambda cast: "/", lambda cast: cast.regular, "New interview"),
    Sight(
        "password",
        lambda cast: "/accounts/password/change/",
        lambda cast: cast.regular,
        "Save the password",
    ),
    Sight(
        "password-first",
        lambda cast: "/accounts/password/set/",
        lambda cast: cast.newcomer,
        "Save the password",
    ),
    Sight("new-room", lambda cast: "/rooms/new/", lambda cast: cast.regular, "Open the room"),
    Sight(
        "ready", lambda cast: f"/rooms/{cast.waiting.pk}/ready/", lambda cast: cast.regular, "Go to the lobby"
    ),
    Sight(
        "lobby",
        lambda cast: cast.room.lobby,
        lambda cast: cast.room.candidate,
        "Enter the room",
        ready=".lobby .connection[data-status=saved]",
    ),
    Sight(
        "lobby-waiting",
        lambda cast: f"/rooms/{cast.waiting.pk}/lobby/",
        lambda cast: cast.regular,
        "Copy",
        ready=".lobby .connection[data-status=saved]",
    ),
    Sight(
        "room",
        lambda cast: cast.room.path,
        lambda cast: cast.room.interviewer,
        "Send",
        ready=".bar .connection[data-status=saved]",
        fits=True,
    ),
    Sight(
        "feedback-assessing",
        lambda cast: cast.assessing.feedback,
        lambda cast: cast.assessing.candidate,
        "Go on to your feedback",
    ),
    Sight(
        "feedback-candidate",
        lambda cast: cast.answering.feedback,
        lambda cast: cast.answering.candidate,
        "Seal and send",
    ),
    Sight(
        "feedback-interviewer",
        lambda cast: cast.assessing.feedback,
        lambda cast: cast.assessing.interviewer,
        "Seal and send",
    ),
    Sight(
        "feedback-waiting",
        lambda cast: cast.waits.feedback,
        lambda cast: cast.waits.interviewer,
        "Read the transcript",
    ),
    Sight(
        "feedback-revealed",
        lambda cast: cast.revealed.feedback,
        lambda cast: cast.revealed.candidate,
        "Yes, unmask if they do",
    ),
    Sight(
        "feedback-unmasked",
        lambda cast: cast.unmasked.feedback,
        lambda cast: cast.unmasked.interviewer,
        "Read the transcript",
    ),
    Sight(
        "feedback-lapsed",
        lambda cast: cast.lapsed.feedback,
        lambda cast: cast.lapsed.candidate,
        "Read the transcript",
    ),
    Sight(
        "transcript",
        lambda cast: cast.unmasked.transcript,
        lambda cast: cast.unmasked.candidate,
        "Download JSON",
    ),
    Sight("tokens", lambda cast: "/me/tokens/", lambda cast: cast.regular, "Make token"),
    Sight("profile", lambda cast: "/me/", lambda cast: cast.regular, "Save"),
    Sight("sign-out", lambda cast: "/accounts/logout/", lambda cast: cast.regular, "Sign out"),
    Sight("nothing-here", lambda cast: "/nothing/", None, status=404),
]


@pytest.fixture(scope="module")
def cast_of_all(staged: None) -> Cast:
    return Cast()


@pytest.mark.parametrize("sight", SIGHTS, ids=str)
def test_a_page(
    sight: Sight,
    cast_of_all: Cast,
    chromium: Browser,
    visit: Callable[..., Visitor],
    request: pytest.FixtureRequest,
) -> None:
    visitor = visit(chromium, sight.name)
    if sight.who:
        visitor.sign_in(sight.who(cast_of_all))
    with visitor.expecting(f"status of {sight.status}"):
        response = visitor.page.goto(sight.path(cast_of_all))
    assert response and response.status == sight.status
    page = visitor.page
    expect(page.locator(sight.ready).first).to_be_visible()
    page.evaluate("document.fonts.ready.then(() => 0)")
    folder = cast(str | None, request.config.getoption("--shots"))
    complaints = [
        complaint
        for size, (width, height) in SIZES.items()
        for theme in THEMES
        for complaint in look(page, sight, size, width, height, theme, folder)
    ]
    page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
    if sight.action:
        complaints += reach(page, sight.action)
    assert not complaints, "\n" + "\n".join(complaints)


def look(
    page: Page, sight: Sight, size: str, width: int, height: int, theme: str, folder: str | None
) -> list[str]:
    """What is wrong with the page at this size in this theme; a picture of it in the folder."""
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce")
    page.evaluate(DRAW_ANEW)
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{sight.name}-{size}-{theme}.png", full_page=not sight.fits)
    complaints = []
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if overflow > 0:
        complaints.append(f"{overflow} px scroll sideways")
    tall = page.evaluate("document.documentElement.scrollHeight - document.documentElement.clientHeight")
    if sight.fits and size == "desk" and tall > 0:
        complaints.append(f"{tall} px scroll down")
    for violation in Axe().run(page).response["violations"]:
        if violation["impact"] in SERIOUS:
            where = "; ".join(node["html"][:150] for node in violation["nodes"][:3])
            why = violation["nodes"][0]["failureSummary"].split("\n")[1].strip()
            complaints.append(f"{violation['id']}: {violation['help']}: {where} ({why})")
    return [f"{size}, {theme}: {complaint}" for complaint in complaints]


def reach(page: Page, action: str) -> list[str]:
    """What keeps the keyboard from the main action."""
    targets = page.get_by_role("button", name=action).or_(page.get_by_role("link", name=action))
    page.evaluate("document.activeElement?.blur(); scrollTo(0, 0)")
    for _ in range(MAX_TABS):
        if page.locator(".cm-content:focus").count():
            page.keyboard.press("Escape")  # in the editor Tab indents, after Escape it goes on
        page.keyboard.press("Tab")
        focused = page.locator("main :focus, header :focus")
        if focused.count() and targets.and_(focused).count():
            seen = focused.evaluate(FOCUS_RING)
            return [] if seen else [f"nothing shows that “{action}” has the focus"]
    return [f"“{action}” is not reached by {MAX_TABS} times Tab"]
