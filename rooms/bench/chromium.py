"""A real Chromium with a speaking microphone, as the browser tests and the benchmarks use it."""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import Browser, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",  # containers give no user namespaces
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # The browser's own errands would look like requests of the page to other hosts.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Voice: a recorded file as microphone, no questions, and both ends on one machine.
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--allow-loopback-in-peer-connection",
]


class NoChromium(Exception):
    """Neither the machine nor Playwright has one; the message says what to install."""


def find_chromium(playwright: Playwright) -> str:
    """Path of the machine's Chromium, else of Playwright's. Raises NoChromium."""
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return found
    bundled = playwright.chromium.executable_path
    if Path(bundled).exists():
        return bundled
    raise NoChromium("No Chromium here. Install one, or run: .venv/bin/playwright install chromium")


def launch(playwright: Playwright, *, voice: Path | None = None) -> Browser:
    """One browser process with a fresh profile. `voice`: a WAV file that speaks into its microphone, over
    and over. Raises NoChromium.
    """
    flags = [*FLAGS, f"--use-file-for-fake-audio-capture={voice}"] if voice else FLAGS
    return playwright.chromium.launch(executable_path=find_chromium(playwright), args=flags, headless=True)
