"""The harness itself sees what it must see."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Browser

from anteroom.serving import Site
from tests.browser.browsers import Visitor


def test_the_site_answers_and_is_watched(
    site: Site, chromium: Browser, visit: Callable[..., Visitor]
) -> None:
    visitor = visit(chromium, "somebody")
    visitor.open("/")
    with visitor.expecting("planted|another host|ERR_|CSP|Content Security Policy"):
        visitor.see("console.error('planted'), 1")
    assert not visitor.troubles
    visitor.see("console.error('also planted'), 1")
    visitor.see("fetch('http://127.0.0.2:9/').catch(() => 1)")
    visitor.see("document.head.append(Object.assign(document.createElement('script'), {text: '1'})), 1")
    visitor.page.wait_for_load_state()
    seen = "\n".join(visitor.troubles)
    visitor.troubles.clear()
    assert "also planted" in seen
    assert "127.0.0.2" in seen
    assert "script-src" in seen
