"""Tokens: how a program reads what its owner may read, and only as much of it as the owner said.

    Authorization: Bearer anteroom_…

Only the SHA-256 of a token is stored. An endpoint that takes tokens says so; the rest of the site does not.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.errors import BadToken, NoSuchToken, ScopeMissing, TooManyTokens
from accounts.links import fresh_secret, hash_of
from accounts.models import ApiToken, Person
from anteroom.errors import NotAllowed

Scope = ApiToken.Scope

PREFIX = "anteroom_"
"""Lets scanners of published code recognise a token that should not be there."""
LIFETIMES_DAYS = (7, 30, 90, 365)
MAX_LIVE_TOKENS = 20
"""Per person; nobody keeps track of more."""


# --- making and revoking --------------------------------------------------------------------------------


def live_tokens(person: Person) -> QuerySet[ApiToken]:
    """This person's tokens that still open something, the newest first."""
    return ApiToken.objects.filter(person=person, revoked_at=None, expires_at__gt=timezone.now()).order_by(
        "-created_at"
    )


def make_token(
    *, person: Person, label: str, scopes: Iterable[Scope], valid_days: int
) -> tuple[ApiToken, str]:
    """A new token and its secret, which nobody can show again. Raises TooManyTokens."""
    if live_tokens(person).count() >= MAX_LIVE_TOKENS:
        raise TooManyTokens
    secret = PREFIX + fresh_secret()
    token = ApiToken.objects.create(
        person=person,
        label=label,
        secret_hash=hash_of(secret),
        scopes=sorted(Scope(scope).value for scope in set(scopes)),
        expires_at=timezone.now() + timedelta(days=valid_days),
    )
    return token, secret


def revoke_token(*, person: Person, token_id: UUID) -> None:
    """From now on this token opens nothing. Raises NoSuchToken: unknown and foreign look alike."""
    if not live_tokens(person).filter(pk=token_id).update(revoked_at=timezone.now()):
        raise NoSuchToken


# --- at the door of an endpoint -------------------------------------------------------------------------


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer <token>`. Unknown, expired, revoked and banned look alike."""

    def authenticate(self, request: Request) -> tuple[Person, ApiToken] | None:
        header = get_authorization_header(request).split()
        if not header or header[0].lower() != b"bearer":
            return None
        if len(header) != 2:
            raise BadToken
        token = (
            ApiToken.objects.select_related("person")
            .filter(secret_hash=hash_of(header[1].decode("latin-1")))
            .filter(revoked_at=None, expires_at__gt=timezone.now(), person__is_active=True)
            .first()
        )
        if token is None:
            raise BadToken
        return token.person, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="anteroom"'


BY_SESSION_OR_TOKEN = (TokenAuthentication, SessionAuthentication)
"""`authentication_classes` of an endpoint that programs may use. It names its scope by `needs`."""


def may(request: Request, scope: Scope) -> bool:
    """Whether this request may read what the scope covers: a person in a browser may, a token if it was
    made so."""
    token = request.auth
    return scope in token.scopes if isinstance(token, ApiToken) else bool(request.user.is_authenticated)


def needs(scope: Scope) -> type[BasePermission]:
    """A permission: a token must have this scope. It says nothing about who may see which row."""

    class NeedsScope(BasePermission):
        def has_permission(self, request: Request, view: APIView) -> bool:
            if not request.user.is_authenticated:
                return False
            if not may(request, scope):
                raise ScopeMissing(f"This token lacks the scope {scope.value}. Make one that has it.")
            return True

    return NeedsScope


class NotForTokens(BasePermission):
    """A permission: for a person in a browser alone, since no scope covers it."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if isinstance(request.auth, ApiToken):
            raise NotAllowed("A token cannot do this. Sign in with a browser.")
        return bool(request.user.is_authenticated)


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the schema describes tokens."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "Made on the page [API tokens](/me/tokens/). Each endpoint names its scope.",
        }


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the schema describes a signed-in browser."""

    target_class = SessionAuthentication
    name = "session"
    priority = 1

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "A browser that is signed in. Changes need the header X-CSRFToken as well.",
        }
