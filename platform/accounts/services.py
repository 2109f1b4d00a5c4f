"""What people do at the door: come in by a link, come in as a guest, leave everywhere at once."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone

from accounts.errors import LinkSpent
from accounts.links import fresh_secret, hash_of, link_to, safe_path
from accounts.models import Person, SignInLink

LINK_VALID_MINUTES = 24 * 60
MAILED_LINK_VALID_MINUTES = 30
KEEP_SPENT_LINKS = timedelta(days=1)


def make_sign_in_link(
    *, person: Person, next_path: str = "/", valid_minutes: int = LINK_VALID_MINUTES
) -> str:
    """A full URL that signs this person in once and then leads to `next_path`.

    The secret is in the URL's fragment and nowhere else: only its hash is stored.
    """
    secret = fresh_secret()
    SignInLink.objects.create(
        secret_hash=hash_of(secret),
        person=person,
        next_path=safe_path(next_path),
        expires_at=timezone.now() + timedelta(minutes=valid_minutes),
    )
    return link_to(reverse("accounts:enter"), secret)


def use_sign_in_link(*, secret: str) -> tuple[Person, str]:
    """Use the link up: whom it signs in, and the path it leads to.

    Of any number of simultaneous calls exactly one succeeds: the row is taken by one conditional UPDATE. Its
    condition names columns of that row alone: with a join it would become a subquery, which Postgres does not
    look at again after waiting for another's update, and two would get in.
    Raises LinkSpent for a used, expired or unknown link and for a closed account alike.
    """
    now = timezone.now()
    link = SignInLink.objects.filter(secret_hash=hash_of(secret))
    with transaction.atomic():
        if not link.filter(used_at=None, expires_at__gt=now).update(used_at=now):
            raise LinkSpent
        used = link.select_related("person").get()
        if not used.person.is_active:
            raise LinkSpent
    return used.person, safe_path(used.next_path)


def make_guest() -> Person:
    """Somebody without e-mail and password: known to one browser's session, and by the masks they wear."""
    guest: Person = Person.objects.create_user(is_guest=True)
    return guest


@transaction.atomic
def sign_out_everywhere(*, person: Person) -> None:
    """End every session of this person, close their open sockets, spend the links they still hold."""
    Person.objects.filter(pk=person.pk).update(session_version=F("session_version") + 1)
    SignInLink.objects.filter(person=person, used_at=None).delete()
    person.refresh_from_db(fields=["session_version"])


@transaction.atomic
def turn_away(*, person: Person) -> None:
    """Refuse this person from now on: at the door, in open sessions and sockets, and by token."""
    Person.objects.filter(pk=person.pk).update(is_active=False)
    sign_out_everywhere(person=person)
    person.is_active = False


def let_in(*, person: Person) -> None:
    """Undo turn_away: they may sign in again. What was ended stays ended, but tokens work again."""
    Person.objects.filter(pk=person.pk).update(is_active=True)
    person.is_active = True


def sweep() -> int:
    """Forget links used or expired a day ago, and sessions that are over; how many links went."""
    before = timezone.now() - KEEP_SPENT_LINKS
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
    gone, _ = SignInLink.objects.filter(Q(used_at__lt=before) | Q(expires_at__lt=before)).delete()
    return gone
