"""The admin shows how things stand: nothing that is sealed, no mask with its name; and it changes nothing."""

from __future__ import annotations

import base64
import html
import uuid
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from accounts.models import ApiToken, Person, SignInLink
from accounts.services import make_sign_in_link
from accounts.tokens import Scope, make_token
from anteroom.admin import ReadOnly
from feedback.forms import InterviewerForm
from feedback.models import Draft, Exchange, UnmaskChoice
from feedback.services import Identity, choose_unmask, save_draft, submit
from rooms.models import Room
from rooms.roles import Role
from rooms.services import invite, open_room
from rooms.streams import Stream
from tests.api.conftest import PRAISE, Story, a_person, signed_in

ADA, BO = Role.CANDIDATE, Role.INTERVIEWER
CANARY = "CanaryQuillfeather"
LONG = f"{CANARY} wrote this so that it would be found wherever it turns up, in whatever state."


@pytest.fixture
def superuser(transactional_db: None) -> Client:
    return signed_in(Person.objects.create_superuser("root@example.org"))


def pages(client: Client) -> dict[str, bytes]:
    """Every page of the admin that can be looked at, by its address."""
    found = {}
    addresses = [reverse("admin:index")]
    for model in admin.site._registry:
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        addresses += [f"/admin/{model._meta.app_label}/", reverse(f"admin:{name}_changelist")]
        addresses.append(reverse(f"admin:{name}_changelist") + "?q=a")
        for row in model._default_manager.all():
            addresses += [reverse(f"admin:{name}_{verb}", args=[row.pk]) for verb in ("change", "history")]
    for address in addresses:
        response = client.get(address)
        assert response.status_code == 200, address
        found[address] = response.content
    return found


def assert_hidden(client: Client, *secrets: str) -> None:
    for address, body in pages(client).items():
        words = html.unescape(body.decode())
        for secret in secrets:
            for form in (secret, secret.encode().hex(), base64.b64encode(secret.encode()).decode()[:-4]):
                assert form not in words, f"{secret} on {address}"


def plant(story: Story) -> None:
    """Leave the canary in everything that one of the two can write."""
    story.tell(ADA, Stream.CHAT, "Say", key="k", text=LONG)
    story.type(ADA, LONG)


def test_nothing_that_people_wrote_is_shown_in_any_state(ended: Story, superuser: Client) -> None:
    plant(ended)
    save_draft(seat=ended.seat(BO), answers={"text": LONG})
    assert_hidden(superuser, CANARY)

    ended.submit(ADA)
    submit(seat=ended.seat(BO), form=InterviewerForm(True, 3, 3, 3, LONG, ""))
    assert Exchange.objects.get().revealed_at
    choose_unmask(seat=ended.seat(ADA), identity=Identity(message=LONG))
    assert UnmaskChoice.objects.exists() and not Draft.objects.exists()
    assert_hidden(superuser, CANARY)


def test_sealed_answers_are_not_shown(ended: Story, superuser: Client) -> None:
    submit(seat=ended.seat(BO), form=InterviewerForm(True, 3, 3, 3, LONG, LONG))
    assert_hidden(superuser, CANARY)


def test_the_search_does_not_look_into_what_is_hidden(ended: Story, superuser: Client) -> None:
    """Or one could guess, word by word, by what it finds. Nor by a name into rooms."""
    plant(ended)
    ended.submit(ADA)
    submit(seat=ended.seat(BO), form=InterviewerForm(True, 3, 3, 3, LONG, LONG))
    ada = ended.people[ADA]
    for model, words in (
        (Room, (CANARY, ada.name, ada.email, str(ada.pk))),
        (Exchange, (CANARY, ada.name, ada.email, str(ada.pk))),
        (Person, (CANARY, ada.employer, ended.seat(ADA).mask)),
    ):
        listing = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for word in words:
            assert superuser.get(listing, {"q": word}).context["cl"].result_count == 0, word


def test_who_has_submitted_is_not_shown(ended: Story, superuser: Client) -> None:
    address = reverse("admin:feedback_exchange_change", args=[Exchange.objects.get().pk])
    before = superuser.get(address).content
    ended.submit(BO)
    assert _plain(superuser.get(address).content) == _plain(before)


def _plain(page: bytes) -> bytes:
    """Without the token that every page has anew."""
    return b"\n".join(
        line for line in page.splitlines() if b"csrfmiddlewaretoken" not in line and b"nonce" not in line
    )


def test_the_word_to_the_moderators_reaches_them_after_the_release(ended: Story, superuser: Client) -> None:
    address = reverse("admin:feedback_exchange_change", args=[Exchange.objects.get().pk])
    submit(seat=ended.seat(BO), form=InterviewerForm(False, 1, 1, 1, PRAISE, LONG))
    assert CANARY not in superuser.get(address).content.decode()
    ended.submit(ADA)
    assert CANARY in superuser.get(address).content.decode()


def test_the_self_assessment_is_never_shown(ended: Story, superuser: Client) -> None:
    ended.submit(ADA, BO)
    for body in pages(superuser).values():
        assert b"how_well" not in body and b"seen_before" not in body and b"selfassessment" not in body


def test_no_page_ties_a_mask_to_a_name(ended: Story, superuser: Client) -> None:
    masks = [ended.seat(role).mask for role in (ADA, BO)]
    names = [
        word
        for person in ended.people.values()
        for word in (person.name, person.email, str(person.pk), person.employer)
    ]
    for address, body in pages(superuser).items():
        words = body.decode()
        has_mask = any(mask in words for mask in masks)
        has_name = any(str(name) in words for name in names)
        assert not (has_mask and has_name), address


def test_no_secret_and_no_link_is_shown(story: Story, superuser: Client) -> None:
    ada = story.people[ADA]
    room = open_room(person=ada, title="Waiting", role=ADA, language="go")
    invitation = invite(room=room, person=ada).rpartition("#")[2]
    link = make_sign_in_link(person=ada).rpartition("#")[2]
    token, secret = make_token(person=ada, label="my script", scopes=[Scope.TRANSCRIPT_READ], valid_days=7)
    hashes = [bytes(token.secret_hash), *(bytes(each.secret_hash) for each in SignInLink.objects.all())]
    assert_hidden(superuser, invitation, link, secret, *(each.hex() for each in hashes))
    assert b"transcript:read" in superuser.get(reverse("admin:accounts_apitoken_changelist")).content


@pytest.mark.parametrize("verb", ["add", "delete", "change"])
def test_nothing_can_be_changed(ended: Story, superuser: Client, verb: str) -> None:
    make_token(person=ended.people[ADA], label="my script", scopes=[], valid_days=7)
    assert {model for model in admin.site._registry} == {Room, Person, ApiToken, Exchange}
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_{verb}"
        row = model._default_manager.first()
        assert row is not None
        address = reverse(name) if verb == "add" else reverse(name, args=[row.pk])
        before = model._default_manager.values().get(pk=row.pk)
        assert superuser.post(address, {"post": "yes", "title": "Mine", "label": "Mine"}).status_code == 403
        assert model._default_manager.values().get(pk=row.pk) == before


def test_pages_of_other_apps_stay_out() -> None:
    admin.site.register(Group)
    assert not admin.site.is_registered(Group)
    assert all(isinstance(page, ReadOnly) for page in admin.site._registry.values())


def test_rooms_are_found_by_mask_and_title(story: Story, superuser: Client) -> None:
    open_room(person=story.people[ADA], title="Elsewhere", role=ADA, language="go")
    listing = reverse("admin:rooms_room_changelist")
    for words in (story.seat(BO).mask, "Two sums"):
        body = superuser.get(listing, {"q": words}).content
        assert str(story.room.pk).encode() in body and b"Elsewhere" not in body
    assert b"Elsewhere" not in superuser.get(listing, {"phase__exact": "live"}).content


def test_a_person_is_turned_away_and_let_in_again(story: Story, superuser: Client) -> None:
    ada = story.people[ADA]
    session_version = ada.session_version
    browser, listing = story.browser(ADA), reverse("admin:accounts_person_changelist")
    assert browser.get("/me/").status_code == 200
    act(superuser, listing, "turn_away", ada)
    ada.refresh_from_db()
    assert not ada.is_active and ada.session_version > session_version
    assert browser.get("/me/").status_code == 302
    act(superuser, listing, "let_in", ada)
    ada.refresh_from_db()
    assert ada.is_active
    root = Person.objects.get(is_superuser=True)
    act(superuser, listing, "turn_away", root)
    root.refresh_from_db()
    assert root.is_active


def act(client: Client, listing: str, action: str, person: Person) -> None:
    client.post(listing, {"action": action, "_selected_action": [str(person.pk)]}, follow=True)


@pytest.mark.parametrize("who", ["person", "anonymous", "staff without rights"])
def test_only_staff_with_rights_come_in(story: Story, who: str) -> None:
    client: dict[str, Any] = {
        "person": lambda: story.browser(ADA),
        "anonymous": Client,
        "staff without rights": lambda: signed_in(a_person("helper", is_staff=True)),
    }
    browser = client[who]()
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        for address in (reverse(f"{name}_changelist"), reverse(f"{name}_change", args=[uuid.uuid4()])):
            assert browser.get(address).status_code in (302, 403)
