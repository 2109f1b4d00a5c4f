"""The door: signing in and up, mailed links, the profile, and what every page says in its headers."""

from __future__ import annotations

import logging
import socket
from email.message import Message

import pytest
from django.core import mail
from django.test import Client, override_settings

from accounts.models import Person
from accounts.tasks import mail_sign_in_link

PASSWORD = "correct horse battery"


@pytest.fixture
def ann(db: None) -> Person:
    person: Person = Person.objects.create_user("ann@example.org", PASSWORD)
    return person


# --- sign in, sign up -----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_sign_up_then_in_again() -> None:
    browser = Client()
    response = browser.post("/accounts/signup/", {"email": "New@Example.org", "password1": PASSWORD})
    assert response["Location"] == "/"
    assert Person.objects.get().email == "new@example.org"
    browser.post("/accounts/logout/")
    assert browser.get("/me/").status_code == 302
    response = browser.post("/accounts/login/", {"login": "new@EXAMPLE.org", "password": PASSWORD})
    assert response["Location"] == "/"
    assert browser.get("/me/").status_code == 200


@pytest.mark.django_db
def test_what_is_wrong_stands_beside_its_field() -> None:
    page = Client().post("/accounts/signup/", {"email": "nonsense", "password1": "short"}).content.decode()
    for name, words in (("email", "Write an e-mail address"), ("password1", "at least 10 characters")):
        error_at = page.index(f'id="id_{name}_error"')
        assert words in page[error_at : error_at + 200]
        field = page[page.index(f'name="{name}"') :][:400]
        assert f"id_{name}_error" in field.partition(">")[0]  # aria-describedby
        assert 'aria-invalid="true"' in field.partition(">")[0]


@pytest.mark.django_db
def test_a_wrong_password_and_an_unknown_address_look_alike(ann: Person) -> None:
    pages = []
    for address in ("ann@example.org", "bob@example.org"):
        response = Client().post("/accounts/login/", {"login": address, "password": "not the password"})
        pages.append(_neutral(response.content.replace(address.encode(), b"")))
    assert pages[0] == pages[1]
    assert b"do not go together" in pages[0]


@pytest.mark.django_db
def test_many_wrong_passwords_are_refused(ann: Person) -> None:
    for _ in range(6):
        page = Client().post("/accounts/login/", {"login": "ann@example.org", "password": "wrong password"})
    assert b"That was a lot of tries" in page.content
    page = Client().post("/accounts/login/", {"login": "ann@example.org", "password": PASSWORD})
    assert b"That was a lot of tries" in page.content  # even the right one has to wait


@pytest.mark.django_db
@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example/", "/\\evil.example"])
def test_signing_in_leads_nowhere_else(ann: Person, wanted: str) -> None:
    response = Client().post(
        "/accounts/login/", {"login": "ann@example.org", "password": PASSWORD, "next": wanted}
    )
    assert response["Location"] == "/"


@pytest.mark.django_db
def test_signing_in_leads_back(ann: Person) -> None:
    data = {"login": "ann@example.org", "password": PASSWORD, "next": "/rooms/new/"}
    assert Client().post("/accounts/login/", data)["Location"] == "/rooms/new/"


@pytest.mark.django_db
def test_the_admin_site_uses_the_common_door(ann: Person) -> None:
    browser = Client()
    response = browser.get("/admin/login/?next=/admin/")
    assert response["Location"] == "/accounts/login/?next=/admin/"
    browser.force_login(ann)
    response = browser.get("/admin/", follow=True)
    assert response.status_code == 403  # and no circle between two doors


@pytest.mark.django_db
def test_signing_out_makes_the_browser_forget(ann: Person) -> None:
    browser = Client()
    browser.force_login(ann)
    assert browser.get("/accounts/logout/").status_code == 200  # asks; a link elsewhere signs nobody out
    assert browser.get("/me/").status_code == 200
    response = browser.post("/accounts/logout/")
    assert response["Clear-Site-Data"] == '"cache", "storage"'
    assert response.cookies["sessionid"].value == ""
    assert browser.get("/me/").status_code == 302


# --- links by mail --------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_mailed_link_lets_in_and_names_nobody(ann: Person) -> None:
    with override_settings(
        SITE_URL="https://anteroom.example", DEFAULT_FROM_EMAIL="Door <door@anteroom.example>"
    ):
        mail_sign_in_link(email="ann@example.org", next_path="/rooms/new/")
        sent: Message = mail.outbox[0].message()
    assert mail.outbox[0].recipients() == ["ann@example.org"]
    assert sent["Message-ID"].endswith("@anteroom.example>")
    assert socket.gethostname() not in sent.as_string()
    body = mail.outbox[0].body
    secret = body.partition("https://anteroom.example/enter/#")[2].split()[0]
    assert Client().post("/enter/", {"secret": secret})["Location"] == "/rooms/new/"


@pytest.mark.django_db
def test_an_unknown_address_gets_no_mail() -> None:
    mail_sign_in_link(email="nobody@example.org", next_path="/")
    assert mail.outbox == []


@pytest.mark.django_db
def test_the_page_says_the_same_of_a_known_and_an_unknown_address(
    ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued: list[dict[str, str]] = []
    monkeypatch.setattr("accounts.pages.mail_sign_in_link.delay", lambda **task: queued.append(task))
    pages = [
        _neutral(Client().post("/accounts/link/", {"email": address}).content.replace(address.encode(), b""))
        for address in ("ann@example.org", "bob@example.org")
    ]
    assert pages[0] == pages[1]
    assert [task["email"] for task in queued] == ["ann@example.org", "bob@example.org"]


@pytest.mark.django_db
def test_nobody_can_flood_a_mailbox(monkeypatch: pytest.MonkeyPatch) -> None:
    queued: list[dict[str, str]] = []
    monkeypatch.setattr("accounts.pages.mail_sign_in_link.delay", lambda **task: queued.append(task))
    answers = [Client().post("/accounts/link/", {"email": "ann@example.org"}).status_code for _ in range(5)]
    assert answers == [200, 200, 200, 429, 429]
    assert len(queued) == 3


@pytest.mark.django_db
def test_a_forgotten_password_is_chosen_anew_by_a_mail(ann: Person) -> None:
    with override_settings(SITE_URL="https://anteroom.example"):
        # The host somebody asks under must not end up in the mail.
        Client().post(
            "/accounts/password/reset/", {"email": "ann@example.org"}, headers={"host": "localhost"}
        )
    body = mail.outbox[0].body
    path = body.partition("https://anteroom.example")[2].split()[0]
    assert "localhost" not in body
    assert socket.gethostname() not in mail.outbox[0].message().as_string()
    browser = Client()
    page = browser.get(path, follow=True)
    form_at = page.request["PATH_INFO"]
    new = "another good password"
    assert browser.post(form_at, {"password1": new, "password2": new}).status_code == 302
    assert Person.objects.get(pk=ann.pk).check_password(new)
    used = Client().get(path, follow=True)
    assert b"This link no longer works" in used.content


@pytest.mark.django_db
def test_an_unknown_address_gets_no_password_mail_and_the_same_page(ann: Person) -> None:
    pages = []
    for address in ("ann@example.org", "bob@example.org"):
        response = Client().post("/accounts/password/reset/", {"email": address}, follow=True)
        pages.append(_neutral(response.content))
    assert pages[0] == pages[1]
    assert [message.recipients() for message in mail.outbox] == [["ann@example.org"]]


# --- profile --------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_profile_keeps_what_is_right_and_says_what_is_not(ann: Person) -> None:
    browser = Client()
    browser.force_login(ann)
    wrong = browser.post("/me/", {"name": "Ann", "profile_url": "not a link", "employer": ""})
    assert wrong.status_code == 422
    assert b"Write a full address" in wrong.content
    assert browser.post("/me/", {"name": "Ann", "profile_url": "example.org/ann"})["Location"] == "/me/"
    ann.refresh_from_db()
    assert (ann.name, ann.profile_url) == ("Ann", "https://example.org/ann")


# --- every page -----------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/enter/", "/join/", "/robots.txt", "/nowhere/"])
def test_no_page_is_kept_or_listed(path: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    response = Client().get(path)
    assert response["Cache-Control"] == "no-store"
    assert response["X-Robots-Tag"] == "noindex, nofollow"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["X-Frame-Options"] == "DENY"
    assert response["X-Content-Type-Options"] == "nosniff"
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe-inline" not in policy.replace("style-src-attr 'unsafe-inline'", "")


def test_search_engines_are_asked_to_stay_away() -> None:
    assert Client().get("/robots.txt").content == b"User-agent: *\nDisallow: /\n"


@pytest.mark.django_db
def test_the_theme_comes_with_the_page() -> None:
    browser = Client()
    assert b"data-theme" not in browser.get("/").content
    browser.cookies["theme"] = "dark"
    assert b'data-theme="dark"' in browser.get("/").content
    browser.cookies["theme"] = '"><script>'
    assert b"data-theme" not in browser.get("/").content


def _neutral(page: bytes) -> bytes:
    import re

    return re.sub(rb'name="csrfmiddlewaretoken" value="\w+"', b"", page)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("password", "path", "heading", "fields"),
    [
        ("correct horse battery", "/accounts/password/change/", "Change your password", 3),
        (None, "/accounts/password/set/", "Choose a password", 2),
    ],
)
def test_both_ways_to_a_new_password_ask_alike(
    password: str | None, path: str, heading: str, fields: int
) -> None:
    browser = Client()
    browser.force_login(Person.objects.create_user("ann@example.org", password))
    page = browser.get(path).content.decode()
    assert f"<h1>{heading}</h1>" in page
    assert page.count('type="password"') == fields
    assert "At least 10 characters." in page
    assert "Choose a password." in browser.post(path, {}).content.decode()
