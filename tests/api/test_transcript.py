"""Who may read a transcript, and what is in it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import ApiToken
from accounts.services import turn_away
from accounts.tokens import Scope, revoke_token
from rooms.models import Seat
from rooms.roles import Role
from tests.api.conftest import CODE, NOTE, PRAISE, Story, a_person, json_of, signed_in, with_token

ADA, BO = Role.CANDIDATE, Role.INTERVIEWER
READ, FEEDBACK, PROFILE = Scope.TRANSCRIPT_READ, Scope.FEEDBACK_READ, Scope.PROFILE_READ


def observer(story: Story) -> Client:
    watcher = a_person("eve")
    Seat.objects.create(room=story.room, role=Role.OBSERVER, person=watcher, mask="Silent Owl")
    return signed_in(watcher)


def staff(story: Story) -> Client:
    return signed_in(a_person("root", is_staff=True, is_superuser=True))


def expired(story: Story) -> Client:
    client = with_token(story.people[ADA], READ)
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    return client


def revoked(story: Story) -> Client:
    client = with_token(story.people[ADA], READ)
    revoke_token(person=story.people[ADA], token_id=ApiToken.objects.get().pk)
    return client


def banned(story: Story) -> Client:
    client = with_token(story.people[ADA], READ)
    turn_away(person=story.people[ADA])
    return client


def bearer(words: str) -> Callable[[Story], Client]:
    return lambda story: Client(headers={"Authorization": words})


WHO: dict[str, tuple[Callable[[Story], Client], int, str]] = {
    "candidate": (lambda story: story.browser(ADA), 200, ""),
    "interviewer": (lambda story: story.browser(BO), 200, ""),
    "candidate's token": (lambda story: with_token(story.people[ADA], READ), 200, ""),
    "interviewer's token": (lambda story: with_token(story.people[BO], READ), 200, ""),
    "token with every scope": (lambda story: with_token(story.people[ADA], *Scope), 200, ""),
    "token without the scope": (
        lambda story: with_token(story.people[ADA], PROFILE, FEEDBACK),
        403,
        "scope_missing",
    ),
    "token without any scope": (lambda story: with_token(story.people[ADA]), 403, "scope_missing"),
    "stranger": (lambda story: signed_in(a_person("mal")), 404, "no_such_room"),
    "stranger's token": (lambda story: with_token(a_person("mal"), *Scope), 404, "no_such_room"),
    "superuser": (staff, 404, "no_such_room"),
    "observer": (observer, 403, "not_allowed"),
    "anonymous": (lambda story: Client(), 401, "signed_out"),
    "expired token": (expired, 401, "bad_token"),
    "revoked token": (revoked, 401, "bad_token"),
    "token of a banned person": (banned, 401, "bad_token"),
    "unknown token": (bearer("Bearer anteroom_nonsense"), 401, "bad_token"),
    "no token in the header": (bearer("Bearer"), 401, "bad_token"),
    "two tokens in the header": (bearer("Bearer a b"), 401, "bad_token"),
    "token with a strange byte": (bearer("Bearer \xff\xfe"), 401, "bad_token"),
}


@pytest.mark.parametrize("who", WHO)
def test_who_may_read(ended: Story, who: str) -> None:
    client_of, status, code = WHO[who]
    response = client_of(ended).get(ended.url)
    assert response.status_code == status
    assert response["Cache-Control"] == "no-store"
    if status == 200:
        assert json_of(response)["room"]["id"] == str(ended.room.pk)
    else:
        assert json_of(response)["code"] == code
        assert CODE not in response.content.decode()


def test_an_unknown_room_and_a_foreign_one_look_alike(ended: Story) -> None:
    stranger = signed_in(a_person("mal"))
    foreign = stranger.get(ended.url)
    unknown = stranger.get(f"/api/rooms/{uuid.uuid4()}/transcript")
    assert foreign.content == unknown.content
    assert (foreign.status_code, foreign.headers) == (unknown.status_code, unknown.headers)


def test_before_the_end_there_is_none(story: Story) -> None:
    story.live()
    response = story.browser(ADA).get(story.url)
    assert (response.status_code, json_of(response)["code"]) == (409, "not_now")


def test_everything_stands_in_the_order_in_which_it_happened(ended: Story) -> None:
    transcript = json_of(ended.browser(ADA).get(ended.url))
    items = transcript["items"]
    assert [item["kind"] for item in items] == [
        "phase", "came", "came", "phase", "line", "code", "board", "consent", "phase", "phase",
    ]  # fmt: skip
    assert [item["seq"] for item in items] == sorted(item["seq"] for item in items)
    assert [item["at_ms"] for item in items] == sorted(item["at_ms"] for item in items)
    line, code, board = items[4:7]
    assert (line["seat"], line["text"]) == ("interviewer", "Hello <b>there</b>")
    assert (code["seats"], code["language"], code["text"]) == (["candidate"], "python", CODE)
    assert board["counts"] == {"rectangle": 1}
    assert [each["id"] for each in board["elements"]] == ["box"]
    assert transcript["room"]["seat"] == "candidate"
    assert {each["seat"] for each in transcript["room"]["seats"]} == {"candidate", "interviewer"}


def test_feedback_is_in_it_once_both_have_submitted(ended: Story) -> None:
    reader = ended.browser(ADA)
    ended.submit(BO)
    assert PRAISE not in reader.get(ended.url).content.decode()
    before = json_of(ended.browser(BO).get(ended.url))
    assert not [item for item in before["items"] if item["kind"] == "review"]
    ended.submit(ADA)
    items = json_of(reader.get(ended.url))["items"]
    assert [item["kind"] for item in items[-3:]] == ["phase", "review", "review"]
    assert items[-3]["phase"] == "revealed"
    of_candidate, of_interviewer = items[-2:]
    assert (of_candidate["seat"], of_interviewer["seat"]) == ("candidate", "interviewer")
    answers = {answer["name"]: answer for answer in of_interviewer["answers"]}
    assert answers["text"]["value"] == PRAISE
    assert (answers["technical"]["value"], answers["technical"]["words"]) == (3, "Solid")
    assert answers["advance"]["value"] is True
    assert next(each for each in of_candidate["answers"] if each["name"] == "hints")["value"] is None


@pytest.mark.parametrize(
    ("scopes", "sees"), [((READ,), False), ((READ, PROFILE), False), ((READ, FEEDBACK), True)]
)
def test_a_token_reads_feedback_only_with_its_scope(
    ended: Story, scopes: tuple[Scope, ...], sees: bool
) -> None:
    ended.submit(ADA, BO)
    body = with_token(ended.people[ADA], *scopes).get(ended.url).content.decode()
    assert (PRAISE in body) is sees
    assert ('"review"' in body) is sees


@pytest.mark.parametrize("role", [ADA, BO])
def test_it_names_nobody_and_keeps_what_is_private(ended: Story, role: Role) -> None:
    """Not even the reader's own name: a transcript is handed on."""
    ended.submit(ADA, BO)
    for client in (ended.browser(role), with_token(ended.people[role], *Scope)):
        for url in (ended.url, f"/api/rooms/{ended.room.pk}", "/api/rooms/"):
            body = client.get(url).content.decode()
            for person in ended.people.values():
                for secret in (str(person.pk), person.pk.hex, person.email, "Canarywort", "Zanzibar"):
                    assert str(secret) not in body
            for private in (NOTE, "CANARY", "how_well", "seen_before"):
                assert private not in body


def test_both_sides_read_the_same(ended: Story) -> None:
    """Apart from which seat is whose."""
    ended.submit(ADA, BO)
    mine, theirs = (json_of(ended.browser(role).get(ended.url)) for role in (ADA, BO))
    assert mine["room"].pop("seat") != theirs["room"].pop("seat")
    assert mine == theirs
