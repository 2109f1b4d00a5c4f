"""`GET /api/me`: who I am here, for me alone."""

from __future__ import annotations

from typing import cast

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import BadToken, ScopeMissing
from accounts.models import Person
from accounts.tokens import BY_SESSION_OR_TOKEN, Scope, needs
from anteroom.api import Endpoint, problems
from anteroom.errors import SignedOut


class MeSerializer(serializers.ModelSerializer[Person]):
    """The person who asks. Nobody else is ever shown this."""

    class Meta:
        model = Person
        fields = ("id", "email", "name", "profile_url", "is_guest", "created_at")
        read_only_fields = fields


class MeView(Endpoint):
    """My profile."""

    authentication_classes = BY_SESSION_OR_TOKEN
    permission_classes = [IsAuthenticated, needs(Scope.PROFILE_READ)]

    @extend_schema(
        operation_id="read_me",
        summary="My profile",
        description="Who you are here; no other person ever gets this. Scope: `profile:read`.",
        responses={200: MeSerializer, **problems(SignedOut, BadToken, ScopeMissing)},
    )
    def get(self, request: Request) -> Response:
        return Response(MeSerializer(cast(Person, request.user)).data)
