"""My rooms over REST: listing, opening, reading; and who I am."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.tokens import Scope
from rooms.models import Room
from rooms.roles import Role
from rooms.services import open_room
from tests.api.conftest import Story, a_person, json_of, signed_in, with_token

ADA, BO = Role.CANDIDATE, Role.INTERVIEWER
NEW = {"title": "  Graphs   and trees ", "seat": "interviewer", "language": "rust", "length_minutes": 45}


def post(client: Client, body: Any, **more: Any) -> Any:
    return client.post("/api/rooms/", body, content_type="application/json", **more)


def test_i_see_my_rooms_and_no_others(story: Story) -> None:
    other = a_person("mal")
    open_room(person=other, title="Elsewhere", role=ADA, language="go")
    listed = json_of(story.browser(BO).get("/api/rooms/"))["results"]
    assert [room["id"] for room in listed] == [str(story.room.pk)]
    assert (listed[0]["seat"], listed[0]["phase"]) == ("interviewer", "scheduled")
    assert all(set(seat) == {"seat", "mask", "taken"} for seat in listed[0]["seats"])


def test_many_rooms_come_in_pages(transactional_db: None) -> None:
    person = a_person("ada")
    made = [open_room(person=person, title=f"{n}", role=ADA, language="go").pk for n in range(51)]
    client = signed_in(person)
    first = json_of(client.get("/api/rooms/"))
    second = json_of(client.get(first["next"]))
    assert [room["id"] for room in first["results"] + second["results"]] == [str(pk) for pk in reversed(made)]
    assert second["next"] is None


def test_opening_a_room_gives_a_link_that_lets_the_other_in(transactional_db: None) -> None:
    person = a_person("ada")
    response = post(signed_in(person), NEW)
    assert response.status_code == 201
    made = json_of(response)
    assert response["Location"] == f"/api/rooms/{made['id']}"
    assert (made["title"], made["seat"], made["language"]) == ("Graphs and trees", "interviewer", "rust")
    assert [seat["taken"] for seat in made["seats"]] == [False, True]
    secret = made["invitation_url"].rpartition("#")[2]
    guest = Client()
    guest.post("/join/", {"secret": secret})
    assert Room.objects.get(pk=made["id"]).seats.exclude(person=None).count() == 2
    assert "invitation_url" not in json_of(signed_in(person).get(response["Location"]))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": "x" * 121}, "title"),
        ({"title": "nul \x00"}, "title"),
        ({"title": "half \ud800"}, "title"),
        ({"seat": "observer"}, "seat"),
        ({"seat": "room"}, "seat"),
        ({"seat": None}, "seat"),
        ({"seat": {"a": 1}}, "seat"),
        ({"language": "cobol"}, "language"),
        ({"length_minutes": 9}, "length_minutes"),
        ({"length_minutes": 10**30}, "length_minutes"),
        ({"starts_at": "yesterday"}, "starts_at"),
        ({"starts_at": "2020-01-01T00:00:00Z"}, "starts_at"),
        ({"starts_at": "9999-12-31T23:59:59Z"}, "starts_at"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(db: None, change: dict[str, Any], field: str) -> None:
    response = post(signed_in(a_person("ada")), NEW | change)
    assert response.status_code == 422
    problem = json_of(response)
    assert problem["code"] == "unusable"
    assert list(problem["fields"]) == [field] and problem["fields"][field][0]
    assert not Room.objects.exists()


def test_a_room_can_be_planned(db: None) -> None:
    at = (timezone.now() + timedelta(days=3)).replace(microsecond=0)
    made = json_of(post(signed_in(a_person("ada")), NEW | {"starts_at": at.isoformat()}))
    assert Room.objects.get(pk=made["id"]).starts_at == at


def test_a_token_opens_no_room(db: None) -> None:
    response = post(with_token(a_person("ada"), *Scope), NEW)
    assert (response.status_code, json_of(response)["code"]) == (403, "not_allowed")
    assert not Room.objects.exists()


def test_another_site_cannot_open_a_room_in_my_name(db: None) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(a_person("ada"))
    response = post(client, NEW)
    assert (response.status_code, json_of(response)["code"]) == (403, "not_allowed")
    assert "Reload" in json_of(response)["detail"]
    assert not Room.objects.exists()


def test_an_unknown_room_and_a_foreign_one_look_alike(story: Story) -> None:
    stranger = signed_in(a_person("mal"))
    answers = [stranger.get(f"/api/rooms/{room}") for room in (story.room.pk, uuid.uuid4())]
    assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[0].content)}
    assert json_of(answers[0])["code"] == "no_such_room"


def test_who_i_am_is_for_me_alone(story: Story) -> None:
    ada = story.people[ADA]
    for client in (signed_in(ada), with_token(ada, Scope.PROFILE_READ)):
        me = json_of(client.get("/api/me"))
        assert (me["email"], me["is_guest"]) == (ada.email, False)
        assert "employer" not in me
    refused = with_token(ada, Scope.TRANSCRIPT_READ, Scope.FEEDBACK_READ).get("/api/me")
    assert (refused.status_code, json_of(refused)["code"]) == (403, "scope_missing")


@pytest.mark.parametrize(
    "path",
    ["/api/rooms/{room}/exchange", "/api/rooms/{room}/exchange/glance", "/me/", "/rooms/{room}/transcript/"],
)
def test_what_takes_no_tokens_does_not_know_them(ended: Story, path: str) -> None:
    response = with_token(ended.people[ADA], *Scope).get(path.format(room=ended.room.pk))
    assert response.status_code in (302, 401)
