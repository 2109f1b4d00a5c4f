"""Rooms and signed-in people for tests of the socket."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from pytest_django.plugin import DjangoDbBlocker

from accounts.models import Person
from anteroom.serving import Shell, Site, drop_database, fresh_name, make_database
from rooms.client import RoomClient
from rooms.models import Room, Seat
from rooms.passes import make_session
from rooms.roles import Role

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


@dataclass(frozen=True)
class Pair:
    """A room and the session cookies of its two people."""

    room_id: uuid.UUID
    candidate: str
    interviewer: str
    people: tuple[Person, Person]


def sign_in(person: Person) -> str:
    """A session of this person, as the value of a Cookie header."""
    session = make_session(person, 3600)
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


def make_pair(**fields: object) -> Pair:
    """A fresh room with both seats taken."""
    people = tuple(Person.objects.create_user(f"{uuid.uuid4().hex}@example.org") for _ in range(2))
    room = Room.objects.create(title="Two sums", language="python", **fields)
    masks = ("Quiet Heron", "Amber Fox")
    for role, person, mask in zip((Role.CANDIDATE, Role.INTERVIEWER), people, masks, strict=True):
        Seat.objects.create(room=room, role=role, person=person, mask=mask)
    return Pair(room.id, sign_in(people[0]), sign_in(people[1]), (people[0], people[1]))


@contextmanager
def socket_site(
    template: str,
    home: Path,
    blocker: DjangoDbBlocker,
    *,
    shell: Shell = "daphne",
    processes: int = 0,
    switches: Mapping[str, str] | None = None,
) -> Iterator[Site]:
    """A running server with a database of its own and without pages: only sockets are asked for.

    switches: settings of the server by environment name.
    """
    server = os.environ["DATABASE_URL"]
    name = fresh_name("sockets")
    (home / "secret_key").write_text(settings.SECRET_KEY)  # so that sessions made here count there
    site = Site(
        home=home, database_url=make_database(server, name, template=template), shell=shell,
        processes=processes, settings=switches,
    )  # fmt: skip
    try:
        site.start()
        with blocker.unblock(), site.database():
            yield site
    finally:
        site.stop()
        drop_database(server, name)


def client_of(site: Site, pair: Pair, role: Role, client_id: int | None = None) -> RoomClient:
    """Not connected yet."""
    cookie = pair.candidate if role is Role.CANDIDATE else pair.interviewer
    url = f"{site.socket_url}/sockets/rooms/{pair.room_id}"
    return RoomClient(url, cookie=cookie, origin=site.url, client_id=client_id)
