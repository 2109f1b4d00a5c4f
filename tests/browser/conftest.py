"""Browsers for the tests in this folder, closed and judged after each of them.

Run them in an invocation of their own (`pytest -m browser`): Playwright's synchronous interface and
asyncio tests cannot share a thread.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from anteroom.serving import Site
from rooms.bench.chromium import launch
from tests.browser.browsers import OTHER_VOICE, VOICE, Visitor
from tests.browser.stage import leave_stage

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


FAILED = pytest.StashKey[bool]()


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="package")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """A browser into whose microphone a man speaks."""
    browser = launch(playwright, voice=VOICE)
    yield browser
    browser.close()


@pytest.fixture(scope="package")
def other_chromium(playwright: Playwright) -> Iterator[Browser]:
    """A second browser, another process and profile, into whose microphone a woman speaks."""
    browser = launch(playwright, voice=OTHER_VOICE)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def staged(site: Site) -> Iterator[None]:
    """The functions of stage.py work on the running site."""
    yield
    leave_stage()


@pytest.fixture
def visit(
    request: pytest.FixtureRequest, site: Site, staged: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Visitor]]:
    """visit(browser, name, size=…, theme=…): a person with a fresh profile at the running site.

    After the test every one of them must be untroubled; of a failed test pictures, pages, consoles and the
    server's log are kept in a folder that the report names.
    """
    visitors: list[Visitor] = []

    def visit(browser: Browser, name: str, **more: object) -> Visitor:
        visitor = Visitor(browser, site.url, name, **more)  # type: ignore[arg-type]
        visitors.append(visitor)
        return visitor

    yield visit
    failed = request.node.stash.get(FAILED, True)
    troubled = [visitor for visitor in visitors if visitor.troubles]
    if failed or troubled:
        folder = tmp_path_factory.mktemp("browser-" + request.node.name[:40].replace("/", "-"))
        for visitor in visitors:
            visitor.save(folder)
        shutil.copy(site.log_path, folder / "server.log")
        print(f"\nWhat the browsers showed: {folder}")
    for visitor in visitors:
        visitor.close()
    for visitor in troubled:
        visitor.assert_untroubled()
