"""Seeds hold, a seed is always the same, and planted mistakes are found."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.simulation.pages import Browser
from tests.simulation.plants import CLOSER, GAP, LOSSES, PAGE, SERVER, planted
from tests.simulation.world import simulate

SEEDS = 140
CHUNK = 20
FIND_WITHIN = 15
"""Seeds in which a planted mistake must show."""
RARE_WITHIN = 40
"""One that shows only when nothing else goes to a page after what it missed."""


@pytest.fixture(scope="module")
def browser(frontend_built: None) -> Iterator[Browser]:
    with Browser() as browser:
        yield browser


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_seeds_hold(browser: Browser, first: int) -> None:
    for seed in range(first, first + CHUNK):
        try:
            simulate(seed, browser)
        except Exception as error:
            pytest.fail(f"seed {seed}: {error}\nreplay: python -m tests.simulation {seed}", pytrace=False)


def test_a_seed_is_always_the_same(browser: Browser) -> None:
    """Also in another process, in which sets and dicts of words have another order."""
    digests = {simulate(seed, browser).digest for seed in (7, 7)}
    script = Path(__file__).resolve().parents[2]
    for hashes in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-m", "tests.simulation", "7"],
            cwd=script, env={**os.environ, "PYTHONHASHSEED": hashes},
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        digests.add(done.stdout.split()[-1])
    assert len(digests) == 1


@pytest.mark.parametrize("mistake", SERVER)
def test_a_mistake_in_a_server_is_found(browser: Browser, mistake: str) -> None:
    with planted(*SERVER[mistake]):
        assert _finds(browser, CLOSER.get(mistake)), (
            f"nothing in {FIND_WITHIN} seeds shows that the server {mistake}"
        )


@pytest.mark.parametrize("mistake", PAGE)
def test_a_mistake_in_a_page_is_found(frontend_built: None, mistake: str) -> None:
    with Browser(PAGE[mistake]) as browser:
        assert _finds(browser), f"nothing in {FIND_WITHIN} seeds shows that the page {mistake}"


def test_pages_make_good_what_a_server_loses(browser: Browser) -> None:
    with planted(*LOSSES):
        for seed in range(FIND_WITHIN):
            simulate(seed, browser)


@pytest.mark.parametrize("mistake", GAP)
def test_a_page_that_does_not_is_found(frontend_built: None, mistake: str) -> None:
    with Browser(GAP[mistake]) as browser, planted(*LOSSES):
        assert _finds(browser, within=RARE_WITHIN), f"nothing in {RARE_WITHIN} seeds shows that it {mistake}"


def _finds(browser: Browser, changes: dict[str, Any] | None = None, within: int = FIND_WITHIN) -> bool:
    for seed in range(within):
        try:
            simulate(seed, browser, changes=changes)
        except Exception:
            return True
    return False
