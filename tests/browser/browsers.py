"""One person's browser, watched: what a careful developer would see in its console fails the test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, WebSocket

from accounts.models import Person
from tests.browser.stage import session_of

HERE = Path(__file__).parent
VOICE = HERE / "voice.wav"
OTHER_VOICE = HERE / "other_voice.wav"

DESKTOP = (1280, 720)
PHONE = (390, 844)

LOST_CONNECTION = (
    r"ERR_INTERNET_DISCONNECTED|ERR_CONNECTION_|ERR_NETWORK_|ERR_SOCKET_|WebSocket connection to"
)
"""What Chromium itself writes to the console when a connection is cut."""

# A violation shows in the console as well, but not of every kind in every version.
REPORT_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) => {
  console.error(`CSP violation: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`);
});
"""
# So that a test can listen to what arrives, apart from the page's own meters.
KEEP_PEER_CONNECTIONS = """
window.peerConnections = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...options) {
    super(...options);
    window.peerConnections.push(this);
  }
};
"""


class Visitor:
    """One person at one browser, with a profile of their own."""

    def __init__(
        self,
        browser: Browser,
        site_url: str,
        name: str,
        *,
        size: tuple[int, int] = DESKTOP,
        theme: str = "light",
    ) -> None:
        """name: who this is in the names of saved files. size: of the window, in CSS pixels."""
        self.name = name
        self.site_url = site_url
        self.troubles: list[str] = []
        self.console: list[str] = []
        self._expected: list[re.Pattern[str]] = []
        self._host = urlsplit(site_url).netloc
        self.context = browser.new_context(
            base_url=site_url,
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if theme == "dark" else "light",
            permissions=["microphone", "clipboard-read", "clipboard-write"],
        )
        self.context.add_init_script(REPORT_VIOLATIONS)
        self.context.add_init_script(KEEP_PEER_CONNECTIONS)
        self.context.on("request", self._on_request)
        self.context.on("requestfailed", self._on_request_failed)
        self.context.on("response", self._on_response)
        self.context.on("page", self._watch)
        self.page: Page = self.context.new_page()

    # --- going places ---------------------------------------------------------------------------------

    def sign_in(self, person: Person) -> None:
        """Take a session without the pages for it, for tests that are about something else."""
        self.context.add_cookies(
            [{"name": "sessionid", "value": session_of(person), "url": self.site_url, "httpOnly": True}]
        )

    def open(self, path: str) -> None:
        self.page.goto(path, wait_until="load")

    def see(self, javascript: str) -> Any:
        """What the page answers; never a function built from text in the page, which the CSP forbids."""
        return self.page.evaluate(javascript)

    # --- watching -------------------------------------------------------------------------------------

    @contextmanager
    def expecting(self, pattern: str) -> Iterator[None]:
        """Within this block troubles that match are part of the test."""
        compiled = re.compile(pattern)
        self._expected.append(compiled)
        try:
            yield
        finally:
            self.page.evaluate("0")  # let what happened before be reported before
            self._expected.remove(compiled)

    def assert_untroubled(self) -> None:
        assert not self.troubles, f"{self.name}'s browser complained:\n" + "\n".join(self.troubles)

    def save(self, folder: Path) -> None:
        """Keep what this person sees and what their console says."""
        for number, page in enumerate(self.context.pages):
            page.screenshot(path=folder / f"{self.name}-{number}.png")
            (folder / f"{self.name}-{number}.html").write_text(page.content())
        (folder / f"{self.name}-console.txt").write_text("\n".join(self.console + self.troubles))

    def close(self) -> None:
        self.context.close()

    def _trouble(self, words: str) -> None:
        if not any(pattern.search(words) for pattern in self._expected):
            self.troubles.append(words)

    def _watch(self, page: Page) -> None:
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self._trouble(f"uncaught: {error}"))
        page.on("crash", lambda _: self._trouble("the page crashed"))
        page.on("websocket", self._on_socket)

    def _on_console(self, message: ConsoleMessage) -> None:
        line = f"{message.type}: {message.text} ({message.location.get('url', '')})"
        self.console.append(line)
        if message.type == "error":
            self._trouble(line)

    def _on_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in {"data", "blob"} and address.netloc != self._host:
            self._trouble(f"request to another host: {request.url}")

    def _on_request_failed(self, request: Request) -> None:
        # A page that is left drops what it was loading.
        if request.failure != "net::ERR_ABORTED":
            self._trouble(f"failed: {request.method} {request.url} {request.failure}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 500:
            self._trouble(f"status {response.status}: {response.url}")

    def _on_socket(self, socket: WebSocket) -> None:
        if urlsplit(socket.url).netloc != self._host:
            self._trouble(f"socket to another host: {socket.url}")
