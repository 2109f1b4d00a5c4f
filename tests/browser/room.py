"""A room as one person sees and uses it. Every wait has a deadline and says what it waited for."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from anteroom.serving import until
from tests.browser.browsers import Visitor

LOUD = 0.01
"""Root mean square of samples in -1…1: speech is well above, a silent line is 0."""

# The text without what others' carets add to it.
CODE_TEXT = """
() => [...document.querySelectorAll(".cm-content > .cm-line")].map((line) => {
  const copy = line.cloneNode(true);
  for (const widget of copy.querySelectorAll(".caret, .cm-widgetBuffer, .cm-placeholder"))
    widget.remove();
  return copy.textContent;
}).join("\\n")
"""

# How much is drawn: pixels of the board that are not its background.
INK = """
() => {
  const canvas = document.querySelector("#board canvas.static");
  if (!canvas) return -1;
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const pixels = new Uint32Array(data.buffer);
  const paper = pixels[0];
  let ink = 0;
  for (const pixel of pixels) if (pixel !== paper) ink += 1;
  return ink;
}
"""

# How loud what comes from the server is, measured apart from the page's own meters.
HEARD = """
async () => {
  window.heard ??= new AudioContext();
  await window.heard.resume();
  let loudest = 0;
  for (const connection of window.peerConnections) {
    for (const { track } of connection.getReceivers()) {
      if (track.muted || track.readyState !== "live") continue;
      const source = window.heard.createMediaStreamSource(new MediaStream([track]));
      const analyser = new AnalyserNode(window.heard, { fftSize: 8192 });
      source.connect(analyser);
      await new Promise((resolve) => setTimeout(resolve, 250));
      const samples = new Float32Array(analyser.fftSize);
      analyser.getFloatTimeDomainData(samples);
      source.disconnect();
      loudest = Math.max(loudest, Math.hypot(...samples) / Math.sqrt(samples.length));
    }
  }
  return loudest;
}
"""


class Room:
    """The lobby and the room in one visitor's page."""

    def __init__(self, visitor: Visitor, page: Page | None = None) -> None:
        """page: the tab to look at, the visitor's first one by default."""
        self.visitor = visitor
        self.page = page or visitor.page

    # --- lobby ----------------------------------------------------------------------------------------

    @property
    def mask(self) -> str:
        """The mask this person wears, as the lobby shows it."""
        return self.page.locator(".wearing-mask").inner_text()

    def check_microphone(self) -> None:
        """Open the microphone in the lobby and see its meter move."""
        self.page.get_by_role("region", name="Microphone").get_by_role("button", name="Check").click()
        level = self.page.get_by_role("meter", name="Loudness")
        until(lambda: int(level.get_attribute("aria-valuenow") or 0) > 5, "the microphone's meter moves")

    def enter(self) -> None:
        """From the lobby into the room, until the editor stands."""
        self.page.get_by_role("button", name="Enter the room").click()
        self.wait_until_open()

    def wait_until_open(self) -> None:
        expect(self.editor).to_be_visible()
        self.wait_until_saved()

    # --- room -----------------------------------------------------------------------------------------

    @property
    def editor(self) -> Locator:
        return self.page.locator(".cm-content")

    @property
    def status(self) -> Locator:
        return self.page.locator(".bar .connection")

    def wait_until_saved(self) -> None:
        expect(self.status).to_have_attribute("data-status", "saved")

    def start(self) -> None:
        self.page.get_by_role("button", name="Start interview").click()

    def expect_phase(self, words: str) -> None:
        expect(self.page.locator("#phase")).to_have_text(words)

    def type(self, text: str) -> None:
        """At the place of the cursor, key by key."""
        self.editor.focus()
        self.page.keyboard.type(text)

    def code(self) -> str:
        return str(self.page.evaluate(CODE_TEXT))

    def wait_for_code(self, wanted: str) -> None:
        until(lambda: self.code() == wanted, f"{self.visitor.name} sees {wanted!r}")

    def expect_caret_of(self, mask: str) -> None:
        """The other's caret stands in the code, and the label on it is the mask."""
        caret = self.editor.locator(".caret")
        expect(caret).to_have_count(1)
        label = "(caret) => getComputedStyle(caret, '::after').content"
        until(lambda: caret.evaluate(label) == f'"{mask}"', f"a caret labelled {mask}")

    def say(self, line: str) -> None:
        box = self.page.get_by_label("Write a line")
        box.fill(line)
        box.press("Enter")

    def expect_line(self, mask: str, line: str) -> None:
        """A line of chat stands under this mask, in its place."""
        said = self.page.locator("#lines > .line:not(.line-pending)").filter(has_text=line)
        expect(said.locator(".line-mask")).to_have_text(mask)

    def lines(self) -> list[str]:
        return self.page.locator("#lines .line-text").all_inner_texts()

    def show(self, view: str) -> None:
        """Code, Board, Side by side."""
        self.page.locator("#views label").filter(has_text=re.compile(rf"^{view}")).click()

    def open_board(self) -> None:
        """Show the board and wait until one can draw on it."""
        self.show("Board")
        expect(self.page.locator("#board canvas.interactive")).to_be_visible(timeout=15_000)

    def draw_rectangle(self) -> None:
        """With the mouse, from the middle of the board."""
        self.page.get_by_test_id("toolbar-rectangle").locator("..").click()
        box = self.page.locator("#board canvas.interactive").bounding_box()
        assert box
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + 120, y + 80, steps=5)
        self.page.mouse.up()

    def ink(self) -> int:
        """How many pixels of the board are drawn on; -1 while there is no board."""
        return int(self.page.evaluate(INK))

    def choose_language(self, name: str) -> None:
        self.page.get_by_label("Language").select_option(label=name)

    def expect_language(self, key: str) -> None:
        expect(self.page.get_by_label("Language")).to_have_value(key)

    def turn_voice_on(self) -> None:
        button = self.page.locator("#voice")
        if button.get_attribute("data-voice") == "off":
            button.click()
        self.expect_voice()

    def expect_voice(self) -> None:
        expect(self.page.locator("#voice")).to_have_attribute("data-voice", "on", timeout=15_000)

    def wait_until_heard(self) -> None:
        """The other side's voice arrives and is loud enough to hear."""
        until(lambda: self.page.evaluate(HEARD) > LOUD, f"{self.visitor.name} hears the other", 15)

    def end(self) -> None:
        """End the interview and confirm it."""
        self.page.locator("#end").click()
        self.page.locator("#end-dialog").get_by_role("button", name="End interview").click()

    def go_to_feedback(self) -> None:
        self.page.get_by_role("button", name="Go to feedback").click()
