"""The real site for tests: Daphne in a process of its own, on a free port, with a database made for it.

A module that asks for `site` gets one server for all its tests, and Django in the test process works on that
server's database meanwhile, so people and rooms are made with the same services the pages call. Such a module
does without pytest-django's own database.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from pytest_django.plugin import DjangoDbBlocker

from anteroom import frontend
from anteroom.serving import Site, drop_database, fresh_name, make_database, migrate

TRACEBACK = re.compile(r"^Traceback \(most recent call last\)|Unhandled|CRITICAL", re.MULTILINE)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--shots", metavar="FOLDER", help="keep a picture of every page, size and theme here")


@pytest.fixture(scope="session")
def frontend_built() -> None:
    """The built front end is there and made from the sources as they are."""
    frontend.build()


@pytest.fixture(scope="session")
def site_template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a migrated database to copy: copying takes a tenth of migrating."""
    server = os.environ["DATABASE_URL"]
    name = fresh_name("template")
    migrate(make_database(server, name), tmp_path_factory.mktemp("template"))
    yield name
    drop_database(server, name)


@pytest.fixture(scope="session")
def make_site(
    frontend_built: None, site_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Site]]:
    """Makes sites that are prepared but not started; whatever was started is stopped in the end."""
    server = os.environ["DATABASE_URL"]
    sites: list[Site] = []

    def make() -> Site:
        database_url = make_database(server, fresh_name("site"), template=site_template)
        site = Site(home=tmp_path_factory.mktemp("site"), database_url=database_url)
        sites.append(site)
        site.prepare()
        return site

    yield make
    for site in sites:
        site.stop()
        drop_database(server, site.database_url.rsplit("/", 1)[1])


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site], django_db_blocker: DjangoDbBlocker) -> Iterator[Site]:
    """A running site whose database is Django's for this module. Fails when its log shows a bug."""
    with ExitStack() as stack:
        site = make_site()
        stack.callback(site.stop)
        site.start()
        stack.enter_context(django_db_blocker.unblock())
        stack.enter_context(site.database())
        yield site
    assert_log_is_clean(site)


@pytest.fixture(scope="module")
def live_server_url(site: Site) -> str:
    """Scheme, host and port of the running site."""
    return site.url


def assert_log_is_clean(site: Site) -> None:
    """No traceback in the server's log: expected trouble is one line each."""
    log = site.log_path.read_text(errors="replace")
    found = TRACEBACK.search(log)
    assert not found, f"The server logged a bug:\n{log[max(0, found.start() - 1500) : found.start() + 3000]}"
