"""Every cell of tests/access.py: the allowed get through, all others are refused alike."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from accounts.models import Person
from accounts.tokens import Scope, make_token
from rooms.live.lifecycle import Phase
from rooms.models import Room
from rooms.phases import move_room
from rooms.roles import Role
from rooms.services import invite, open_room, take_seat_as_guest
from tests.access import ELSEWHERE, TABLE, Row, Who

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Cast:
    """A room, and everybody who might knock."""

    room: Room
    browsers: dict[Who, Client]

    def ask(self, who: Who, row: Row, *, room_id: uuid.UUID | None = None) -> Any:
        path = row.name if row.name.startswith("/") else None
        arguments = [] if row.state == "no room" else [room_id or self.room.pk]
        address = path or reverse(row.name, args=arguments)
        return self.browsers[who].generic(row.method, address, b"{}", content_type="application/json")


def through_the_door(response: Any) -> bool:
    """Whether somebody was let in; what became of their form is another matter."""
    refused = response.status_code in (401, 403, 404)
    return not refused and not response.get("Location", "").startswith(("/accounts/login/", "/admin/login/"))


@pytest.fixture
def everyone() -> Iterator[Cast]:
    cache.clear()  # the counters of tries
    ann = Person.objects.create_user("ann@example.org")
    room = open_room(person=ann, title="Two sums", role=Role.INTERVIEWER, language="python")
    guest = take_seat_as_guest(secret=invite(room=room, person=ann).partition("#")[2]).person
    others = {
        Who.CANDIDATE: guest,
        Who.INTERVIEWER: ann,
        Who.STRANGER: Person.objects.create_user("eve@example.org"),
        Who.STAFF: Person.objects.create_superuser("root@example.org"),
    }
    browsers = {who: Client() for who in Who}
    for who, person in others.items():
        assert person is not None
        browsers[who].force_login(person)
    _, secret = make_token(person=ann, label="test", scopes=list(Scope), valid_days=7)
    browsers[Who.TOKEN] = Client(headers={"authorization": f"Bearer {secret}"})
    yield Cast(room, browsers)
    cache.clear()


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_every_cell(row: Row, everyone: Cast) -> None:
    if row.state == "over":
        for phase in (Phase.LOBBY, Phase.LIVE, Phase.WRAP_UP, Phase.FEEDBACK):
            move_room(room_id=everyone.room.pk, to=phase)
    # Last those whose visit may change something, such as ending the room.
    for who in sorted(Who, key=lambda who: who in row.allowed):
        response = everyone.ask(who, row)
        assert through_the_door(response) == (who in row.allowed), f"{who}: {response.status_code}"


@pytest.mark.parametrize("row", [row for row in TABLE if row.state != "no room"], ids=str)
@pytest.mark.parametrize("who", [Who.STRANGER, Who.STAFF, Who.SIGNED_OUT])
def test_a_foreign_room_looks_like_no_room(row: Row, who: Who, everyone: Cast) -> None:
    foreign, unknown = everyone.ask(who, row), everyone.ask(who, row, room_id=uuid.uuid4())
    assert foreign.status_code == unknown.status_code
    assert _without_lots(foreign) == _without_lots(unknown)


def test_every_address_is_in_the_table() -> None:
    known = {row.name for row in TABLE} | ELSEWHERE.keys()
    assert set(_addresses(get_resolver())) - known == set()


def _addresses(resolver: URLResolver, namespace: str = "") -> Iterator[str]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            yield f"{namespace}{pattern.name}" if pattern.name else _written_out(pattern)
        elif pattern.namespace != "admin":
            yield from _addresses(pattern, namespace + (f"{pattern.namespace}:" if pattern.namespace else ""))


def _written_out(pattern: URLPattern) -> str:
    route = str(pattern.pattern)
    return "/api…" if route.startswith("^api") else f"/{route}"


def _without_lots(response: Any) -> tuple[bytes, dict[str, str]]:
    """Body and headers, but for what is drawn by lot for each answer."""
    headers = {name: value for name, value in response.headers.items() if name != "Content-Security-Policy"}
    location = headers.get("Location", "")
    if location:
        headers["Location"] = location.partition("?")[0]  # the way back names the address itself
    return re.sub(rb'name="csrfmiddlewaretoken" value="\w+"', b"", response.content), headers
