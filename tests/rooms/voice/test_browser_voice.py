"""Page to page: the real voice.ts in real Chromium, recorded speech as microphones, the desk between them.

The pages hold nothing but voice.ts, and their offers reach the desk by a function call instead of the room's
socket; the whole room is driven in tests/browser.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, async_playwright

from anteroom.errors import Refusal
from rooms.bench.chromium import FLAGS, find_chromium
from rooms.roles import Role
from rooms.voice.desk import Desk

pytestmark = pytest.mark.browser

ROOM = "4a8f3d9e-5f0e-4b53-9a38-0d8c2d7a3e11"
ROOT = Path(__file__).resolve().parents[3]
SPEECH = ROOT / "tests" / "browser" / "voice.wav"
AUDIBLE = 0.3
"""On the meter's scale: some -42 dB."""

PAGE = """<!doctype html><title>voice</title><script type="module">
import { Voice } from "/voice.js";
window.states = [];
window.mine = window.theirs = 0;
window.voice = new Voice({
  sendOffer: (sdp) => window.sendOffer(sdp),
  onState: (state) => window.states.push(state),
  onLevels: (mine, theirs) => { window.mine = mine; window.theirs = theirs; },
});
const make = window.RTCPeerConnection;
window.lines = [];
window.RTCPeerConnection = function (...given) {
  const line = new make(...given);
  window.lines.push(line);
  return line;
};
window.ready = true;
</script>"""


@pytest.fixture(scope="session")
def script(tmp_path_factory: pytest.TempPathFactory) -> str:
    """voice.ts and what it imports, as one module."""
    built = tmp_path_factory.mktemp("voice") / "voice.js"
    frontend = ROOT / "frontend"
    rolldown = frontend / "node_modules" / ".bin" / "rolldown"
    subprocess.run(
        [rolldown, "src/room/voice.ts", "--format", "esm", "--file", built],
        cwd=frontend,
        check=True,
        capture_output=True,
        timeout=60,
    )
    return built.read_text()


@pytest_asyncio.fixture
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_chromium(playwright),  # type: ignore[arg-type]
            args=[*FLAGS, f"--use-file-for-fake-audio-capture={SPEECH}"],
        )
        yield browser
        await browser.close()


DENIED = """
navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("no", "NotAllowedError"); };
"""

OpenPage = Callable[..., Awaitable[Page]]


@pytest.fixture
def offers() -> list[str]:
    """Every offer the pages sent."""
    return []


@pytest_asyncio.fixture
async def open_page(chromium: Browser, desk: Desk, script: str, offers: list[str]) -> OpenPage:
    """open_page(role, connection_id): a person's page, with a profile of its own, not yet on the line."""

    async def serve(route: Route) -> None:
        if route.request.url.endswith("/voice.js"):
            await route.fulfill(body=script, content_type="text/javascript")
        else:
            await route.fulfill(body=PAGE, content_type="text/html")

    async def open_page(role: Role, connection_id: str, *, microphone: bool = True) -> Page:
        context = await chromium.new_context(permissions=["microphone"])
        page = await context.new_page()
        if not microphone:
            await page.add_init_script(DENIED)

        async def send_offer(sdp: str) -> None:
            offers.append(sdp)
            try:
                answer = await desk.answer(room_id=ROOM, connection_id=connection_id, role=role, sdp=sdp)
            except Refusal as refusal:
                await page.evaluate("(code) => { states.push(code); voice.refused(); }", refusal.code)
            else:
                await page.evaluate("(sdp) => voice.answer(sdp)", answer)

        await page.expose_function("sendOffer", send_offer)
        await page.route("**/*", serve)
        await page.goto("http://localhost/")
        await becomes(page, "window.ready === true")
        return page

    return open_page


async def becomes(page: Page, javascript: str, *, within_s: float = 15.0) -> None:
    """Wait until the page says so; fail with its states when it takes too long."""
    deadline = time.monotonic() + within_s
    while not await page.evaluate(javascript):
        if time.monotonic() > deadline:
            told = await page.evaluate("[states, mine, theirs, lines.map((line) => line.connectionState)]")
            pytest.fail(f"never: {javascript}; states, levels, lines: {told}")
        await asyncio.sleep(0.05)


async def start(page: Page, device: str | None = None) -> None:
    await page.evaluate("(device) => voice.start(device ?? undefined)", device)


async def test_speech_arrives_and_mute_is_silence(open_page: OpenPage) -> None:
    one, two = await open_page(Role.CANDIDATE, "one"), await open_page(Role.INTERVIEWER, "two")
    await start(one)
    await start(two)
    for page in (one, two):
        await becomes(page, "states.at(-1) === 'on'")
        await becomes(page, f"mine > {AUDIBLE}")
        await becomes(page, f"theirs > {AUDIBLE}")
    assert await one.evaluate("states") == ["connecting", "on"]

    await one.evaluate("voice.setMuted(true)")
    await becomes(one, "mine === 0")
    await becomes(two, "theirs < 0.02")
    await becomes(one, f"theirs > {AUDIBLE}")
    await one.evaluate("voice.setMuted(false)")
    await becomes(two, f"theirs > {AUDIBLE}")

    await one.evaluate("voice.close()")
    assert await one.evaluate("states.at(-1)") == "off"
    await becomes(two, "theirs < 0.02")
    assert await two.evaluate("states.at(-1)") == "on"


async def on_the_line(page: Page) -> None:
    await start(page)
    await becomes(page, "states.at(-1) === 'on'")


async def test_the_page_learns_the_server_alone_and_tells_no_address(
    open_page: OpenPage, offers: list[str]
) -> None:
    one, two = await open_page(Role.CANDIDATE, "one"), await open_page(Role.INTERVIEWER, "two")
    await on_the_line(one)
    await on_the_line(two)
    await becomes(one, f"theirs > {AUDIBLE}")
    assert len(offers) == 2
    for offer in offers:
        assert "a=candidate" not in offer
        addresses = {line.split()[-1] for line in offer.splitlines() if line.startswith(("c=", "o="))}
        assert addresses <= {"0.0.0.0", "127.0.0.1"}, "127.0.0.1 is what Chromium writes into every o= line"
    seen = await one.evaluate(
        """async () => [...(await lines[0].getStats()).values()]
             .filter((each) => each.type === "remote-candidate").map((each) => each.address)"""
    )
    assert set(seen) == {"127.0.0.1"}, "where the desk of this test listens"


async def test_a_goodbye_of_the_server_is_answered_by_coming_back(open_page: OpenPage, desk: Desk) -> None:
    one, two = await open_page(Role.CANDIDATE, "one"), await open_page(Role.INTERVIEWER, "two")
    await on_the_line(one)
    await on_the_line(two)
    await becomes(two, f"theirs > {AUDIBLE}")
    await desk.hang_up(connection_id="one")
    await becomes(one, "states.join() === 'connecting,on,lost,on'", within_s=5)
    await becomes(two, f"theirs > {AUDIBLE}")
    await becomes(one, f"theirs > {AUDIBLE}")
    assert await two.evaluate("lines.length") == 1, "the other side noticed nothing but a pause"


async def test_a_server_that_falls_silent_is_called_again(open_page: OpenPage, desk: Desk) -> None:
    one = await open_page(Role.CANDIDATE, "one")
    await on_the_line(one)
    (line,) = desk._rooms[ROOM].values()
    assert line.peer is not None
    for protocol in line.peer._path._protocols:
        protocol.transport.close()  # no goodbye: as if the process or its network were gone
    await becomes(one, "states.join() === 'connecting,on,lost,on'", within_s=20)


async def test_the_newest_tab_of_a_seat_has_the_voice(open_page: OpenPage) -> None:
    old, other = await open_page(Role.CANDIDATE, "old"), await open_page(Role.INTERVIEWER, "other")
    await on_the_line(old)
    await on_the_line(other)
    new = await open_page(Role.CANDIDATE, "new")
    await on_the_line(new)
    await becomes(old, "states.join() === 'connecting,on,lost,voice_elsewhere,off'")
    await becomes(new, f"theirs > {AUDIBLE}")
    assert await new.evaluate("states.join()") == "connecting,on"
    await on_the_line(old)  # the person asks for it here again
    await becomes(new, "states.at(-1) === 'off'")
    await becomes(old, f"theirs > {AUDIBLE}")


async def test_who_has_no_microphone_hears_all_the_same(open_page: OpenPage) -> None:
    listener = await open_page(Role.CANDIDATE, "one", microphone=False)
    await start(listener)
    await becomes(listener, "states.at(-1) === 'denied'")
    speaker = await open_page(Role.INTERVIEWER, "two")
    await on_the_line(speaker)
    await becomes(listener, f"theirs > {AUDIBLE}")
    assert await listener.evaluate("states.at(-1)") == "denied"


async def test_another_microphone_needs_no_new_offer(open_page: OpenPage, offers: list[str]) -> None:
    one, two = await open_page(Role.CANDIDATE, "one"), await open_page(Role.INTERVIEWER, "two")
    await on_the_line(one)
    await on_the_line(two)
    await becomes(two, f"theirs > {AUDIBLE}")
    device = await one.evaluate(
        """async () => (await navigator.mediaDevices.enumerateDevices())
             .filter((each) => each.kind === "audioinput" && each.deviceId !== "default")[0].deviceId"""
    )
    await start(one, device)
    await becomes(one, "lines[0].getSenders()[0].track?.getSettings().deviceId === " + repr(device))
    await becomes(one, f"mine > {AUDIBLE}")
    await becomes(two, f"theirs > {AUDIBLE}")
    assert len(offers) == 2
    assert not any(device in offer for offer in offers)


async def test_who_comes_third_hears_and_the_speakers_are_told_apart(open_page: OpenPage) -> None:
    observer = await open_page(Role.OBSERVER, "observer")
    await on_the_line(observer)
    one = await open_page(Role.CANDIDATE, "one")
    await on_the_line(one)
    await becomes(observer, f"theirs > {AUDIBLE}")
    two = await open_page(Role.INTERVIEWER, "two")
    await on_the_line(two)
    await one.evaluate("voice.setMuted(true)")
    await becomes(observer, f"theirs > {AUDIBLE}")
    await two.evaluate("voice.setMuted(true)")
    await becomes(observer, "theirs < 0.02")
    await two.evaluate("voice.setMuted(false)")
    await becomes(one, f"theirs > {AUDIBLE}")
    await two.evaluate("voice.setMuted(true)")
    await becomes(one, "theirs < 0.02")  # the observer's own microphone is heard by nobody
    unmuted = "lines[0].getReceivers().filter((each) => !each.track.muted).length"
    assert await observer.evaluate(unmuted) == 2
    assert await one.evaluate(unmuted) == 1
