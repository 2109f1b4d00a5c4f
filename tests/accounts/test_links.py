"""One-use links: no secret is kept, exactly one use, and no way to another site."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client, override_settings
from django.utils import timezone

from accounts.errors import LinkSpent
from accounts.links import hash_of, safe_path
from accounts.models import Person, SignInLink
from accounts.services import make_sign_in_link, sign_out_everywhere, sweep, use_sign_in_link
from anteroom.errors import Refusal

AT_ONCE = 20


@pytest.fixture
def ann(db: None) -> Person:
    person: Person = Person.objects.create_user("ann@example.org", name="Ann")
    return person


def secret_of(link: str) -> str:
    return link.partition("#")[2]


@pytest.mark.django_db
def test_the_secret_is_behind_the_hash_and_nowhere_else(ann: Person) -> None:
    with override_settings(SITE_URL="https://anteroom.example"):
        link = make_sign_in_link(person=ann, next_path="/rooms/new/")
    address, _, secret = link.partition("#")
    assert address == "https://anteroom.example/enter/"
    assert len(secret) >= 43  # 256 bits
    with connection.cursor() as cursor:
        cursor.execute("SELECT accounts_signinlink::text FROM accounts_signinlink")
        assert secret not in cursor.fetchone()[0]


@pytest.mark.django_db
def test_it_works_once(ann: Person) -> None:
    secret = secret_of(make_sign_in_link(person=ann, next_path="/rooms/new/"))
    assert use_sign_in_link(secret=secret) == (ann, "/rooms/new/")
    with pytest.raises(LinkSpent):
        use_sign_in_link(secret=secret)


@pytest.mark.django_db
def test_used_expired_unknown_and_closed_look_alike(ann: Person) -> None:
    used, expired, closed = (secret_of(make_sign_in_link(person=ann)) for _ in range(3))
    use_sign_in_link(secret=used)
    SignInLink.objects.filter(secret_hash=hash_of(expired)).update(expires_at=timezone.now())
    pages = []
    for secret in (used, expired, "never-was", "", "\udcff", "\x00"):
        response = Client().post("/enter/", {"secret": secret.encode("utf-8", "surrogatepass")})
        pages.append((response.status_code, _without_token(response.content)))
    Person.objects.filter(pk=ann.pk).update(is_active=False)
    response = Client().post("/enter/", {"secret": closed})
    pages.append((response.status_code, _without_token(response.content)))
    assert set(pages) == {(410, pages[0][1])}
    assert b"E-mail me a new link" in pages[0][1]


@pytest.mark.django_db(transaction=True)
def test_of_twenty_at_once_exactly_one_gets_in() -> None:
    person = Person.objects.create_user("ann@example.org")
    secret = secret_of(make_sign_in_link(person=person))

    def post(_: int) -> int:
        try:
            return Client().post("/enter/", {"secret": secret}).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = sorted(pool.map(post, range(AT_ONCE)))
    assert answers == [302] + [410] * (AT_ONCE - 1)


@pytest.mark.django_db
def test_opening_the_page_does_not_use_the_link_up(ann: Person) -> None:
    secret = secret_of(make_sign_in_link(person=ann))
    browser = Client()
    for method in (browser.get, browser.head):
        method("/enter/", {"secret": secret})
    assert "_auth_user_id" not in browser.session
    assert use_sign_in_link(secret=secret)[0] == ann


@pytest.mark.django_db
def test_a_link_signs_in_over_somebody_else_with_a_fresh_session(ann: Person) -> None:
    browser = Client()
    browser.force_login(Person.objects.create_user("bob@example.org"))
    before = browser.session.session_key
    response = browser.post("/enter/", {"secret": secret_of(make_sign_in_link(person=ann, next_path="/me/"))})
    assert response["Location"] == "/me/"
    assert browser.session["_auth_user_id"] == str(ann.pk)
    assert browser.session.session_key != before


@pytest.mark.parametrize(
    "wanted",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "evil", "", None,
     "/" + "a" * 300, "///evil.example", "/\t/evil.example", "http:///evil.example", "/ok\nevil"],
)  # fmt: skip
def test_a_path_to_elsewhere_becomes_home(wanted: str | None) -> None:
    assert safe_path(wanted) == "/"


@pytest.mark.parametrize("wanted", ["/", "/rooms/new/", "/me/?a=b", "/rooms/1/lobby/"])
def test_a_path_of_this_site_stays(wanted: str) -> None:
    assert safe_path(wanted) == wanted


@pytest.mark.django_db
def test_signing_out_everywhere_ends_sessions_and_spends_links(ann: Person) -> None:
    here, there = Client(), Client()
    for browser in (here, there):
        browser.force_login(ann)
        assert browser.get("/me/").status_code == 200
    link = make_sign_in_link(person=ann)
    response = here.post("/me/sign-out-everywhere/")
    assert response["Clear-Site-Data"] == '"cache", "storage"'
    for browser in (here, there):
        assert browser.get("/me/").status_code == 302
    with pytest.raises(Refusal):
        use_sign_in_link(secret=secret_of(link))
    version = Person.objects.get(pk=ann.pk).session_version
    sign_out_everywhere(person=ann)
    assert ann.session_version == version + 1  # open sockets compare it


@pytest.mark.django_db
def test_the_sweep_forgets_old_links_and_keeps_the_others(ann: Person) -> None:
    old, fresh = (secret_of(make_sign_in_link(person=ann)) for _ in range(2))
    long_ago = timezone.now() - timedelta(days=2)
    SignInLink.objects.filter(secret_hash=hash_of(old)).update(expires_at=long_ago)
    assert sweep() == 1
    assert use_sign_in_link(secret=fresh)[0] == ann


def _without_token(page: bytes) -> bytes:
    import re

    return re.sub(rb'name="csrfmiddlewaretoken" value="\w+"', b"", page)
