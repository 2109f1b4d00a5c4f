"""My interviews, a new room, and joining one, as a browser sees them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Person
from rooms.cards import shelves_of
from rooms.forms import NewRoomForm
from rooms.live.lifecycle import Phase
from rooms.models import Room, Seat
from rooms.roles import Role
from rooms.services import invite, open_room, take_seat_as_guest

FORM = {"title": "Two sums", "role": "candidate", "language": "go", "length_minutes": "45", "when": "now"}


@pytest.fixture(autouse=True)
def _fresh_counters() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def ann(db: None) -> Person:
    person: Person = Person.objects.create_user("ann@example.org")
    return person


@pytest.fixture
def browser(ann: Person) -> Client:
    client = Client()
    client.force_login(ann)
    return client


def errors(**changes: str) -> dict[str, list[str]]:
    return dict(NewRoomForm(FORM | changes).errors)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/rooms/new/", "/me/", "/enter/", "/join/"])
def test_a_monitor_may_ask_without_reading(browser: Client, path: str) -> None:
    assert browser.head(path).status_code == 200


# --- a new room -----------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_form_as_it_comes_opens_a_room(browser: Client, ann: Person) -> None:
    """Two clicks: to the form, and its button."""
    form = browser.get("/rooms/new/").context["form"]
    given = {name: form[name].value() for name in form.fields if form[name].value() is not None}
    response = browser.post("/rooms/new/", given)
    room = Room.objects.get()
    assert response["Location"] == f"/rooms/{room.pk}/ready/"
    assert (room.created_by, room.length_minutes, room.language) == (ann, 60, "python")
    assert Seat.objects.get(room=room, person=ann).role == Role.INTERVIEWER
    page = browser.get(response["Location"]).content.decode()
    assert "/join/#" in page
    assert "Copy link" in page


@pytest.mark.django_db
def test_a_time_is_kept_in_utc(browser: Client) -> None:
    starts_at = (timezone.now() + timedelta(days=2)).replace(microsecond=0)
    sent = starts_at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    browser.post("/rooms/new/", FORM | {"when": "later", "typed_at": "2001-01-01T00:00", "starts_at": sent})
    assert Room.objects.get().starts_at == starts_at


def test_without_the_script_the_typed_time_is_utc() -> None:
    typed = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(days=1)
    form = NewRoomForm(FORM | {"when": "later", "typed_at": typed.strftime("%Y-%m-%dT%H:%M")})
    assert form.is_valid()
    assert form.cleaned_data["starts_at"] == typed


def test_what_is_wrong_with_a_time_stands_beside_it() -> None:
    assert errors(when="later") == {"typed_at": ["Choose the day and the time."]}
    assert "has passed" in errors(when="later", typed_at="2001-01-01T00:00")["typed_at"][0]
    assert "within a year" in errors(when="later", typed_at="2301-01-01T00:00")["typed_at"][0]
    assert "Write the day" in errors(when="later", typed_at="soon")["typed_at"][0]
    assert errors(when="now", typed_at="soon", starts_at="soon") == {}
    tomorrow = f"{timezone.now() + timedelta(days=1):%Y-%m-%dT%H:%M}"
    assert errors(when="later", typed_at=tomorrow, starts_at="x") == {}


@pytest.mark.parametrize(
    ("field", "value"),
    [("title", ""), ("title", "   "), ("title", "x" * 121), ("role", "observer"), ("role", "room"),
     ("role", "king"), ("language", "cobol"), ("length_minutes", "7"), ("when", "never")],
)  # fmt: skip
def test_every_field_says_what_is_wrong(field: str, value: str) -> None:
    assert list(errors(**{field: value})) == [field]


# --- joining --------------------------------------------------------------------------------------------


def invited(ann: Person) -> tuple[Room, str]:
    room = open_room(person=ann, title="Two sums", role=Role.INTERVIEWER, language="python")
    return room, invite(room=room, person=ann).partition("#")[2]


@pytest.mark.django_db
def test_a_guest_joins_with_one_press(ann: Person) -> None:
    room, secret = invited(ann)
    guest = Client()
    page = guest.get("/join/").content
    assert b"Join as a guest" in page
    assert b'action="/join/"' in page  # else the redirect inherits the secret behind the #
    offer = guest.post("/join/look/", {"secret": secret}).json()
    assert (offer["title"], offer["seat"], offer["length_minutes"]) == ("Two sums", "candidate", 60)
    assert set(offer) == {"title", "seat", "starts_at", "length_minutes"}  # nothing of who invites
    response = guest.post("/join/", {"secret": secret})
    assert response["Location"] == f"/rooms/{room.pk}/lobby/"
    assert guest.get(response["Location"]).status_code == 200
    assert Seat.objects.get(room=room, role=Role.CANDIDATE).person.is_guest


@pytest.mark.django_db
def test_looking_and_opening_use_nothing_up(ann: Person) -> None:
    _, secret = invited(ann)
    visitor = Client()
    for _ in range(3):
        visitor.get("/join/")
        visitor.get("/join/", {"secret": secret})
        visitor.post("/join/look/", {"secret": secret})
    assert not Person.objects.filter(is_guest=True).exists()
    take_seat_as_guest(secret=secret)


@pytest.mark.django_db
def test_who_has_an_account_joins_as_themselves(ann: Person) -> None:
    room, secret = invited(ann)
    bob = Person.objects.create_user("bob@example.org")
    theirs = Client()
    theirs.force_login(bob)
    theirs.post("/join/", {"secret": secret})
    assert Seat.objects.get(room=room, role=Role.CANDIDATE).person == bob


@pytest.mark.django_db
def test_ones_own_link_says_so_and_stays_fresh(browser: Client, ann: Person) -> None:
    _, secret = invited(ann)
    assert browser.post("/join/look/", {"secret": secret}).json() == {"refused": "seat_taken"}
    response = browser.post("/join/", {"secret": secret})
    assert response.status_code == 409
    assert "for somebody else" in response.content.decode()
    take_seat_as_guest(secret=secret)


@pytest.mark.django_db
def test_nobody_guesses_for_long(ann: Person) -> None:
    visitor = Client()
    answers = [visitor.post("/join/look/", {"secret": str(number)}).status_code for number in range(40)]
    assert answers == [200] * 30 + [429] * 10


# --- my interviews --------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_empty_list_says_what_to_do(browser: Client) -> None:
    page = browser.get("/").content.decode()
    assert "No interviews yet" in page
    assert 'href="/rooms/new/"' in page


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("phase", "in_days", "shelf", "action"),
    [
        (Phase.SCHEDULED, 0, "now", "Enter the lobby"),
        (Phase.SCHEDULED, 3, "upcoming", "Enter the lobby"),
        (Phase.LOBBY, 3, "now", "Enter the lobby"),
        (Phase.LIVE, 0, "now", "Back to the room"),
        (Phase.WRAP_UP, 0, "now", "Back to the room"),
        (Phase.FEEDBACK, 0, "waiting", "Give feedback"),
        (Phase.REVEALED, -3, "done", "Read feedback"),
        (Phase.LAPSED, -9, "done", "Read feedback"),
        (Phase.CANCELLED, 0, "done", "Open a new room"),
        (Phase.NO_SHOW, 0, "done", "Open a new room"),
    ],
)
def test_a_room_stands_on_its_shelf_with_one_next_action(
    ann: Person, phase: Phase, in_days: int, shelf: str, action: str
) -> None:
    room, secret = invited(ann)
    take_seat_as_guest(secret=secret)
    starts_at = timezone.now() + timedelta(days=in_days)
    Room.objects.filter(pk=room.pk).update(phase=phase, starts_at=starts_at)
    shelves = shelves_of(ann)
    found = {
        name: [card.action for card in getattr(shelves, name)]
        for name in ("now", "upcoming", "waiting", "done")
    }
    assert {name: actions for name, actions in found.items() if actions} == {shelf: [action]}


@pytest.mark.django_db
def test_the_list_takes_the_same_queries_for_one_room_and_for_ten(browser: Client, ann: Person) -> None:
    counts = []
    for rooms in (1, 9):
        for _ in range(rooms):
            invited(ann)
        with CaptureQueriesContext(connection) as queries:
            browser.get("/")
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.django_db
def test_the_list_shows_masks_and_no_people(browser: Client, ann: Person) -> None:
    room, secret = invited(ann)
    bob = Person.objects.create_user("bob@example.org", name="Bob Planted-name")
    theirs = Client()
    theirs.force_login(bob)
    theirs.post("/join/", {"secret": secret})
    page = browser.get("/").content.decode()
    for seat in Seat.objects.filter(room=room):
        assert seat.mask in page
    for planted in ("bob@", "Planted-name", str(bob.pk)):
        assert planted not in page
