"""Two browsers in one room: one types, the other watches; the time from key to text."""

from __future__ import annotations

import random
import time
from contextlib import ExitStack
from dataclasses import dataclass

from playwright.sync_api import Page, Playwright

from anteroom.serving import until
from rooms.bench.chromium import launch

WARM_UP = 20
PAUSE_MS = (20, 90)
"""Between one arrival and the next keystroke: drawn evenly, so that nothing keeps step with anything."""
ARRIVAL_TIMEOUT_S = 10
KEYS_PER_LINE = 60
KEY = "7"  # a letter would also be counted in the label of the other's caret

# Kept in the page that types: when each key went down.
STAMP_KEYS = """
window.benchDown = [];
addEventListener("keydown", (event) => {
  if (event.key === "7") window.benchDown.push(performance.timeOrigin + performance.now());
}, true);
"""

# Kept in the page that watches: when the text held the n-th key, and when that was about to be drawn.
STAMP_ARRIVALS = """
window.benchArrived = [];
window.benchDrawn = [];
{
  const content = document.querySelector(".cm-content");
  const now = () => performance.timeOrigin + performance.now();
  const count = () => content.textContent.split("7").length - 1;
  const before = count();
  new MutationObserver(() => {
    const arrived = now();
    const news = count() - before - window.benchArrived.length;
    for (let n = 0; n < news; n++) window.benchArrived.push(arrived);
    if (news > 0) requestAnimationFrame(() => {
      while (window.benchDrawn.length < window.benchArrived.length) window.benchDrawn.push(now());
    });
  }).observe(content, { childList: true, characterData: true, subtree: true });
}
"""

# How far this page's fine clock is from the system's, in ms: looked at where the coarse one ticks.
CLOCK_OFFSET = """
() => {
  const offsets = [];
  for (let n = 0; n < 40; n++) {
    const start = Date.now();
    while (Date.now() === start);
    offsets.push(performance.timeOrigin + performance.now() - Date.now());
  }
  offsets.sort((a, b) => a - b);
  return offsets[20];
}
"""


@dataclass(frozen=True)
class Figures:
    """Milliseconds, one per keystroke."""

    arrived: list[float]
    drawn: list[float]
    clock_difference_ms: float


def measure(playwright: Playwright, links: list[str], keystrokes: int) -> tuple[Figures, str]:
    """Type in the first link's browser, watch the second's; the figures and Chromium's version."""
    with ExitStack() as stack:
        pages = []
        for link in links:
            browser = stack.enter_context(launch(playwright))
            page = browser.new_page(viewport={"width": 1280, "height": 720})
            enter(page, link)
            pages.append(page)
        typing, watching = pages
        start(typing)
        offsets = [page.evaluate(CLOCK_OFFSET) for page in pages]
        difference_ms = offsets[1] - offsets[0]
        typing.locator(".cm-content").click()
        typing.evaluate(STAMP_KEYS)
        watching.evaluate(STAMP_ARRIVALS)
        for number in range(WARM_UP + keystrokes):
            if number % KEYS_PER_LINE == 0:
                typing.keyboard.press("Enter")
            typing.keyboard.press(KEY)
            wait_for_arrival(watching, number + 1)
            time.sleep(random.uniform(*PAUSE_MS) / 1000)
        down = typing.evaluate("benchDown")[WARM_UP:]
        arrived = watching.evaluate("benchArrived")[WARM_UP:]
        drawn = watching.evaluate("benchDrawn")[WARM_UP:]
        figures = Figures(
            [at - since - difference_ms for since, at in zip(down, arrived, strict=True)],
            [at - since - difference_ms for since, at in zip(down, drawn, strict=True)],
            difference_ms,
        )
        return figures, browser.version


def wait_for_arrival(page: Page, count: int) -> None:
    """Raises TimeoutError when the page does not show so many keys in time."""
    until(
        lambda: page.evaluate("benchDrawn.length") >= count, f"keystroke {count} at the other side",
        ARRIVAL_TIMEOUT_S,
    )  # fmt: skip


def enter(page: Page, link: str) -> None:
    """Sign in by the link, pass the lobby, and wait until the editor is there."""
    page.goto(link)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Enter the room").click()
    page.locator(".cm-content").wait_for()


def start(page: Page) -> None:
    """Begin the interview; the button waits until both are there."""
    page.get_by_role("button", name="Start interview").click()
