"""Refusal to response: every error of the REST API is one `application/problem+json` object (RFC 9457).

The codes are those of the sockets. An unexpected error is logged with a reference, and the answer names it.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpRequest
from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from rest_framework import exceptions, serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, set_rollback

from anteroom.errors import (
    Bug,
    NotAcceptable,
    NotAllowed,
    NotFound,
    Refusal,
    SignedOut,
    TooLarge,
    TooMany,
    Unreadable,
    Unusable,
    WrongMediaType,
    WrongMethod,
)
from anteroom.failures import report

PROBLEM = "application/problem+json"

_ANSWERS: tuple[tuple[type[Exception], type[Refusal]], ...] = (
    (Http404, NotFound),
    (PermissionDenied, NotAllowed),
    (RequestDataTooBig, TooLarge),
    (exceptions.NotAuthenticated, SignedOut),
    (exceptions.AuthenticationFailed, SignedOut),
    (exceptions.PermissionDenied, NotAllowed),
    (exceptions.NotFound, NotFound),
    (exceptions.MethodNotAllowed, WrongMethod),
    (exceptions.NotAcceptable, NotAcceptable),
    (exceptions.UnsupportedMediaType, WrongMediaType),
    (exceptions.ParseError, Unreadable),
    (exceptions.Throttled, TooMany),
)
"""What the framework raises, and the refusal it becomes. Its own words are for programmers; ours are not."""

STALE_PAGE = "This page is out of date. Reload it and try again."


def refuse(error: Exception, context: dict[str, Any]) -> Response:
    """The response to anything a view raised (REST_FRAMEWORK["EXCEPTION_HANDLER"])."""
    set_rollback()
    fields: dict[str, list[str]] = {}
    if isinstance(error, exceptions.ValidationError):
        refusal: Refusal = Unusable()
        fields = fields_of(error.detail)
    else:
        refusal = _refusal_for(error, context.get("request"))
        if refusal.field:
            fields = {refusal.field: [refusal.sentence]}
    headers = {}
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="anteroom"'
    wait_s = getattr(error, "wait", None)
    if wait_s:
        headers["Retry-After"] = str(int(wait_s) + 1)
    return Response(problem(refusal, fields), status=refusal.status, headers=headers, content_type=PROBLEM)


def problem(refusal: Refusal, fields: dict[str, list[str]] | None = None) -> dict[str, Any]:
    """The body of a refusal: `code` for programs, `detail` for people, `fields` for forms."""
    body: dict[str, Any] = {
        "type": "about:blank",  # the title says no more than the status: `code` tells problems apart
        "title": HTTPStatus(refusal.status).phrase,
        "status": refusal.status,
        "code": refusal.code,
        "detail": refusal.sentence,
    }
    return body | {"fields": fields} if fields else body


def fields_of(detail: Any, name: str = "") -> dict[str, list[str]]:
    """Sentences by field; a nested field is named with dots, what concerns no one field stands under ""."""
    if isinstance(detail, dict):
        found: dict[str, list[str]] = {}
        for key, value in detail.items():
            inner = "" if key == "non_field_errors" else str(key)
            found |= fields_of(value, ".".join(part for part in (name, inner) if part))
        return found
    if isinstance(detail, list) and any(isinstance(each, dict | list) for each in detail):
        found = {}
        for place, value in enumerate(detail):
            found |= fields_of(value, f"{name}.{place}" if name else str(place))
        return found
    return {name: [str(each) for each in (detail if isinstance(detail, list) else [detail])]}


def _refusal_for(error: Exception, request: Request | None) -> Refusal:
    if isinstance(error, Refusal):
        return error
    if isinstance(error, exceptions.PermissionDenied) and str(error.detail).startswith("CSRF"):
        return NotAllowed(STALE_PAGE)
    for kind, refusal in _ANSWERS:
        if isinstance(error, kind):
            return refusal()
    reference = report("bug", error, method=request.method if request else None, route=_route(request))
    return Bug(f"{Bug.sentence} If you ask for help, name {reference}.")


def _route(request: Request | None) -> str | None:
    """The pattern of the address, since the address itself may name a room."""
    match = request.resolver_match if request else None
    return match.route if match else None


class Endpoint(APIView):
    """A view of the API. What it answers concerns one person, so nothing on the way may keep it."""

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Cache-Control"] = "no-store"
        return response


class Nothing(Endpoint):
    """Every address under /api/ that nobody took."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    schema = None

    def initial(self, request: HttpRequest | Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound("There is no such address in the API. /api/docs lists those there are.")


# --- for the schema -----------------------------------------------------------------------------------


class ProblemSerializer(serializers.Serializer[Any]):
    """A refusal (RFC 9457)."""

    type = serializers.CharField(help_text="Always about:blank; `code` tells problems apart.")
    title = serializers.CharField(help_text="The status in words.")
    status = serializers.IntegerField(help_text="The HTTP status.")
    code = serializers.CharField(help_text="What is wrong, for programs. The sockets use the same codes.")
    detail = serializers.CharField(help_text="What is wrong, for people.")
    fields = serializers.DictField(  # type: ignore[assignment]  # RFC 9457 leaves the name to us; forms say fields
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="Sentences by field, where fields are at fault.",
    )


def problems(*refusals: type[Refusal]) -> dict[tuple[int, str], OpenApiResponse]:
    """What an endpoint may refuse, for its `extend_schema(responses=…)`."""
    by_status: dict[int, list[type[Refusal]]] = {}
    for refusal in refusals:
        by_status.setdefault(refusal.status, []).append(refusal)
    return {
        (status, PROBLEM): OpenApiResponse(
            ProblemSerializer,
            description=" / ".join(each.sentence for each in group),
            examples=_examples(group),
        )
        for status, group in by_status.items()
    }


def _examples(refusals: Iterable[type[Refusal]]) -> list[OpenApiExample]:
    return [OpenApiExample(each.code, problem(each()), media_type=PROBLEM) for each in refusals]
