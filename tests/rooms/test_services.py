"""Opening rooms, inviting into them, taking seats: who gets which seat, once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import Person
from anteroom.errors import NotAllowed
from rooms.errors import InvitationSpent, NoSuchRoom, NotNow, SeatTaken
from rooms.live.lifecycle import Phase
from rooms.masks import FIRST, SECOND, fresh_masks
from rooms.models import Invitation, Room, Seat
from rooms.roles import Role
from rooms.selectors import offered_seat, rooms_of, seat_in, waiting_invitation
from rooms.services import cancel_room, invite, open_room, take_seat, take_seat_as_guest

AT_ONCE = 20


@pytest.fixture(autouse=True)
def _fresh_counters() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def ann(db: None) -> Person:
    person: Person = Person.objects.create_user(
        "ann@example.org", name="Ann Canary-name", employer="Canary-employer"
    )
    return person


@pytest.fixture
def bob(db: None) -> Person:
    person: Person = Person.objects.create_user("bob@example.org", name="Bob Planted-name")
    return person


def open_for(person: Person, role: Role = Role.INTERVIEWER) -> Room:
    return open_room(person=person, title="Two sums", role=role, language="python")


def secret_for(room: Room, person: Person) -> str:
    return invite(room=room, person=person).partition("#")[2]


# --- seats and masks ------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("mine", [Role.CANDIDATE, Role.INTERVIEWER])
def test_whoever_opens_a_room_sits_where_they_said(ann: Person, mine: Role) -> None:
    room = open_for(ann, mine)
    assert {Role(seat.role): seat.person for seat in room.seats.all()} == {
        mine: ann,
        Role.CANDIDATE if mine is Role.INTERVIEWER else Role.INTERVIEWER: None,
    }
    assert room.phase == Phase.SCHEDULED


@pytest.mark.django_db
@pytest.mark.parametrize("role", [Role.ROOM, Role.OBSERVER])
def test_nobody_opens_a_room_from_another_seat(ann: Person, role: Role) -> None:
    with pytest.raises(ValueError, match="open a room"):
        open_for(ann, role)
    assert not Room.objects.exists()


def test_masks_of_a_room_share_no_word() -> None:
    for _ in range(500):
        one, other = (mask.split() for mask in fresh_masks(2))
        assert not set(one) & set(other)


def test_masks_are_fresh_and_fit() -> None:
    masks = {mask for _ in range(200) for mask in fresh_masks(2)}
    assert len(masks) > 300  # of some 4,500 names, 400 draws repeat a few
    longest = Seat._meta.get_field("mask").max_length
    assert longest is not None
    assert max(map(len, FIRST)) + 1 + max(map(len, SECOND)) <= longest
    assert len(set(FIRST)) == len(FIRST)
    assert len(set(SECOND)) == len(SECOND)


# --- invitations ----------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_invitation_is_bound_to_its_seat_and_used_once(ann: Person, bob: Person) -> None:
    room = open_for(ann)
    secret = secret_for(room, ann)
    seat = take_seat(secret=secret, person=bob)
    assert (seat.room, Role(seat.role), seat.person) == (room, Role.CANDIDATE, bob)
    with pytest.raises(InvitationSpent):
        take_seat(secret=secret, person=Person.objects.create_user("eve@example.org"))
    assert take_seat(secret=secret, person=bob) == seat  # their own link brings them back


@pytest.mark.django_db
def test_whoever_opened_the_room_cannot_spend_their_own_link(ann: Person, bob: Person) -> None:
    secret = secret_for(open_for(ann), ann)
    with pytest.raises(SeatTaken):
        take_seat(secret=secret, person=ann)
    assert take_seat(secret=secret, person=bob).person == bob


@pytest.mark.django_db
def test_used_replaced_expired_unknown_and_closed_are_refused_alike(ann: Person) -> None:
    used, replaced, expired, closed = (open_for(ann) for _ in range(4))
    secrets = {room.pk: secret_for(room, ann) for room in (used, replaced, expired, closed)}
    take_seat_as_guest(secret=secrets[used.pk])
    invite(room=replaced, person=ann)
    Invitation.objects.filter(seat__room=expired).update(expires_at=timezone.now())
    cancel_room(room_id=closed.pk, person=ann)
    pages = set()
    for secret in (*secrets.values(), "never-was", "", "\x00"):
        for path in ("/join/", "/join/look/"):
            response = Client().post(path, {"secret": secret})
            refused = (
                b"no longer works" in response.content
                or b'{"refused": "invitation_spent"}' in response.content
            )
            pages.add((path, response.status_code, refused))
    assert pages == {("/join/", 410, True), ("/join/look/", 200, True)}
    assert Person.objects.filter(is_guest=True).count() == 1  # a refusal leaves no guest behind


@pytest.mark.django_db
def test_the_link_can_be_seen_again_but_not_in_the_database(ann: Person, bob: Person) -> None:
    room = open_for(ann)
    link = invite(room=room, person=ann)
    mine = seat_in(room_id=room.pk, person=ann)
    waiting = waiting_invitation(mine)
    assert waiting is not None
    assert waiting[0] == link
    with connection.cursor() as cursor:
        cursor.execute("SELECT rooms_invitation::text FROM rooms_invitation")
        assert link.partition("#")[2] not in cursor.fetchone()[0]
    theirs = take_seat(secret=link.partition("#")[2], person=bob)
    mine.refresh_from_db()
    assert waiting_invitation(mine) is None
    assert waiting_invitation(theirs) is None


@pytest.mark.django_db
def test_another_key_of_the_installation_shows_no_wrong_link(ann: Person, settings: object) -> None:
    room = open_for(ann)
    invite(room=room, person=ann)
    settings.SECRET_KEY = "another"  # type: ignore[attr-defined]
    assert waiting_invitation(seat_in(room_id=room.pk, person=ann)) is None


@pytest.mark.django_db
def test_only_who_opened_the_room_invites_and_only_into_a_free_seat(ann: Person, bob: Person) -> None:
    room = open_for(ann)
    take_seat(secret=secret_for(room, ann), person=bob)
    with pytest.raises(NotAllowed):
        invite(room=room, person=bob)
    with pytest.raises(NotNow):
        invite(room=room, person=ann)
    with pytest.raises(NoSuchRoom):
        invite(room=room, person=Person.objects.create_user("eve@example.org"))


@pytest.mark.django_db
def test_a_link_to_a_room_far_ahead_lives_until_its_day(ann: Person) -> None:
    starts_at = timezone.now() + timedelta(days=30)
    room = open_room(person=ann, title="Later", role=Role.CANDIDATE, language="go", starts_at=starts_at)
    invite(room=room, person=ann)
    assert Invitation.objects.get().expires_at > starts_at


@pytest.mark.django_db(transaction=True)
def test_of_twenty_at_once_exactly_one_takes_the_seat() -> None:
    ann = Person.objects.create_user("ann@example.org")
    room = open_for(ann)
    secret = secret_for(room, ann)

    def post(_: int) -> int:
        try:
            return Client().post("/join/", {"secret": secret}).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = sorted(pool.map(post, range(AT_ONCE)))
    assert answers == [302] + [410] * (AT_ONCE - 1)
    assert Person.objects.filter(is_guest=True).count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_link_renewed_while_it_is_used_seats_one_person() -> None:
    """Whichever comes first wins whole: the old link seats its person, or the new one works."""
    ann = Person.objects.create_user("ann@example.org")
    for _ in range(10):
        room = open_for(ann)
        secret = secret_for(room, ann)

        def use(secret: str = secret) -> bool:
            try:
                take_seat_as_guest(secret=secret)
                return True
            except InvitationSpent:
                return False
            finally:
                connection.close()

        def renew(room: Room = room) -> str | None:
            try:
                return secret_for(room, ann)
            except NotNow:
                return None
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as pool:
            used, renewed = pool.submit(use), pool.submit(renew)
        fresh = renewed.result()
        assert used.result() != bool(fresh)
        if fresh:
            assert offered_seat(secret=fresh, person=Person()).person is None


# --- whose room it is -----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_seat_is_found_by_its_person_alone(ann: Person, bob: Person) -> None:
    room = open_for(ann)
    assert seat_in(room_id=room.pk, person=ann).room == room
    assert list(rooms_of(ann)) == [room]
    assert list(rooms_of(bob)) == []
    for room_id in (room.pk, "00000000-0000-4000-8000-000000000000", "nonsense"):
        with pytest.raises(NoSuchRoom):
            seat_in(room_id=room_id, person=bob)


@pytest.mark.django_db
def test_an_interview_is_cancelled_before_it_begins_and_not_later(ann: Person) -> None:
    room, begun = open_for(ann), open_for(ann)
    cancel_room(room_id=room.pk, person=ann)
    room.refresh_from_db()
    assert room.phase == Phase.CANCELLED
    Room.objects.filter(pk=begun.pk).update(phase=Phase.LIVE)
    with pytest.raises(NotNow):
        cancel_room(room_id=begun.pk, person=ann)


# --- what the room's page is told -----------------------------------------------------------------------


@pytest.mark.django_db
def test_the_page_of_a_room_knows_nothing_of_the_other_side(ann: Person, bob: Person) -> None:
    room = open_for(ann)
    theirs = take_seat(secret=secret_for(room, ann), person=bob)
    browser = Client()
    browser.force_login(ann)
    response = browser.get(f"/rooms/{room.pk}/lobby/")
    html = response.content.decode()
    for planted in ("bob@example.org", "Planted-name", str(bob.pk), theirs.mask):
        assert planted not in html
    page = json.loads(
        html.partition('<script id="page" type="application/json">')[2].partition("</script>")[0]
    )
    assert page["guard"] == {"names": ["Ann Canary-name", "Canary-employer"]}  # the reader's own
    assert page["seat"] == "interviewer"
    assert page["stage"] == "lobby"
    assert page["invitation_url"] is None
    assert page["urls"]["socket"] == f"/sockets/rooms/{room.pk}"
    assert set(page) == {
        "room_id", "seat", "mask", "title", "language", "languages", "stage", "urls", "invitation_url",
        "guard",
    }  # fmt: skip


@pytest.mark.django_db
def test_only_who_opened_the_room_sees_the_waiting_link(ann: Person) -> None:
    room = open_for(ann)
    link = invite(room=room, person=ann)
    browser = Client()
    browser.force_login(ann)
    assert link in browser.get(f"/rooms/{room.pk}/lobby/").content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("phase", [phase for phase in Phase if not phase.is_open])
def test_a_room_that_is_over_leads_on(ann: Person, phase: Phase) -> None:
    room = open_for(ann)
    Room.objects.filter(pk=room.pk).update(phase=phase)
    browser = Client()
    browser.force_login(ann)
    wanted = "/" if phase in (Phase.CANCELLED, Phase.NO_SHOW) else f"/rooms/{room.pk}/feedback/"
    for stage in ("", "lobby/", "ready/"):
        assert browser.get(f"/rooms/{room.pk}/{stage}")["Location"] == wanted
