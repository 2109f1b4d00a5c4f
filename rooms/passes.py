"""By what right a socket is open, and whether that right still holds."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from accounts.models import Person
from anteroom.errors import SignedOut
from rooms import columns
from rooms.roles import Role
from rooms.selectors import seat_in

SPENT = """
    SELECT pass.place FROM unnest(%b::text[], %b::uuid[], %b::int4[], %b::int8[], %b::int2[])
        WITH ORDINALITY AS pass(session_key, person_id, version, seat_id, role, place)
    LEFT JOIN LATERAL (
        SELECT true AS holds FROM django_session
        WHERE session_key = pass.session_key AND expire_date > now() LIMIT 1
    ) AS session ON true
    LEFT JOIN LATERAL (
        SELECT true AS holds FROM accounts_person
        WHERE id = pass.person_id AND is_active AND session_version = pass.version LIMIT 1
    ) AS person ON true
    LEFT JOIN LATERAL (
        SELECT true AS holds FROM rooms_seat
        WHERE id = pass.seat_id AND person_id = pass.person_id AND role = pass.role LIMIT 1
    ) AS seat ON true
    WHERE session.holds IS NULL OR person.holds IS NULL OR seat.holds IS NULL
"""
"""Each row by its key, whatever the planner believes of the tables: LIMIT prevents joins of all."""


@dataclass(frozen=True, slots=True)
class Pass:
    """A signed-in person's seat in a room, as it was when the socket opened."""

    room_id: uuid.UUID
    role: Role
    seat_id: int
    person_id: uuid.UUID
    session_key: str
    session_version: int


def admit(cookies: Mapping[str, str], room_id: str) -> Pass:
    """Who the session says this is, and their seat in this room. Raises SignedOut, NoSuchRoom."""
    engine = import_module(settings.SESSION_ENGINE)
    request = HttpRequest()
    request.session = engine.SessionStore(cookies.get(settings.SESSION_COOKIE_NAME))
    person = get_user(request)
    key = request.session.session_key
    if not isinstance(person, Person) or not person.is_active or not key:
        raise SignedOut
    seat = seat_in(room_id=room_id, person=person)
    return Pass(seat.room_id, Role(seat.role), seat.pk, person.pk, key, person.session_version)


def make_session(person: Person, valid_s: int) -> SessionBase:
    """Sign a person in without a browser, for a program that sits down in their place."""
    session: SessionBase = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(person.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session.set_expiry(valid_s)
    session.create()
    return session


def columns_of(passes: Sequence[Pass]) -> tuple[columns.Column, ...]:
    """What the statement `SPENT` takes; it answers with places in `passes`, from 1."""
    return (
        columns.texts([each.session_key for each in passes]),
        columns.uuids([each.person_id for each in passes]),
        columns.int4s([each.session_version for each in passes]),
        columns.int8s([each.seat_id for each in passes]),
        columns.int2s([each.role for each in passes]),
    )
