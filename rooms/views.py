"""The REST endpoints of rooms: parse, one call, answer."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.pagination import CursorPagination
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import BadToken, ScopeMissing
from accounts.models import Person
from accounts.tokens import BY_SESSION_OR_TOKEN, NotForTokens, Scope, may, needs
from anteroom.api import Endpoint, problems
from anteroom.errors import NotAllowed, SignedOut, Unreadable, Unusable, WrongMediaType
from rooms import services
from rooms.errors import NoSuchRoom, NotNow
from rooms.models import Room
from rooms.selectors import rooms_of, seat_in
from rooms.serializers import (
    NewRoomSerializer,
    OpenedRoomSerializer,
    RoomSerializer,
    TranscriptSerializer,
)
from rooms.transcript import transcript_for

READS_TRANSCRIPTS: list[type[BasePermission]] = [IsAuthenticated, needs(Scope.TRANSCRIPT_READ)]


class NewestFirst(CursorPagination):
    """Pages of rooms."""

    page_size = 50
    ordering = ("-created_at", "-id")

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """As the framework's, but for null: OpenAPI 3.1 says it as a type."""
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }


class RoomsView(Endpoint, GenericAPIView[Room]):
    """Where my rooms are listed and opened."""

    authentication_classes = BY_SESSION_OR_TOKEN
    pagination_class = NewestFirst

    def get_permissions(self) -> list[BasePermission]:
        wanted = [IsAuthenticated, NotForTokens] if self.request.method == "POST" else READS_TRANSCRIPTS
        return [permission() for permission in wanted]

    def get_queryset(self) -> QuerySet[Room]:
        return rooms_of(self.request.user)

    @extend_schema(
        operation_id="list_rooms",
        summary="My rooms",
        description="The rooms in which you have a seat, the newest first. Scope: `transcript:read`.",
        responses={200: RoomSerializer(many=True), **problems(SignedOut, BadToken, ScopeMissing)},
    )
    def get(self, request: Request) -> Response:
        rooms = self.paginate_queryset(self.get_queryset())
        shown = RoomSerializer(rooms, many=True, context={"request": request})
        return self.get_paginated_response(shown.data)

    @extend_schema(
        operation_id="open_room",
        summary="Open a room",
        description=(
            "Takes one seat for you and makes a one-use link for the other. For people in a browser, "
            "not for tokens."
        ),
        request=NewRoomSerializer,
        responses={
            201: OpenedRoomSerializer,
            **problems(Unreadable, SignedOut, BadToken, NotAllowed, WrongMediaType, Unusable),
        },
    )
    @transaction.atomic
    def post(self, request: Request) -> Response:
        form = NewRoomSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        person, wanted = cast(Person, request.user), dict(form.validated_data)
        room = services.open_room(person=person, role=wanted.pop("seat"), **wanted)
        invitation_url = services.invite(room=room, person=person)
        shown = OpenedRoomSerializer(room, context={"request": request, "invitation_url": invitation_url})
        place = reverse("rooms_api:room", kwargs={"room_id": room.pk})
        return Response(shown.data, status=status.HTTP_201_CREATED, headers={"Location": place})


class RoomView(Endpoint):
    """One room."""

    authentication_classes = BY_SESSION_OR_TOKEN
    permission_classes = READS_TRANSCRIPTS

    @extend_schema(
        operation_id="read_room",
        summary="One of my rooms",
        description="Unknown rooms and other people's look alike. Scope: `transcript:read`.",
        responses={200: RoomSerializer, **problems(SignedOut, BadToken, ScopeMissing, NoSuchRoom)},
    )
    def get(self, request: Request, room_id: UUID) -> Response:
        room = seat_in(room_id=room_id, person=request.user).room
        return Response(RoomSerializer(room, context={"request": request}).data)


class TranscriptView(Endpoint):
    """What happened in a room."""

    authentication_classes = BY_SESSION_OR_TOKEN
    permission_classes = READS_TRANSCRIPTS

    @extend_schema(
        operation_id="read_transcript",
        summary="The transcript of one of my rooms",
        description=(
            "Chat, code, board, phases, consents and presence, merged in the order in which they happened; "
            "for its two people, once the interview has ended. Code and board appear as checkpoints, as they "
            "stood whenever people paused; what had been deleted by then is left out. Scope: "
            "`transcript:read`. Revealed feedback is part of it for a browser, and for a token that has "
            "`feedback:read_revealed` too."
        ),
        responses={
            200: TranscriptSerializer,
            **problems(SignedOut, BadToken, ScopeMissing, NotAllowed, NoSuchRoom, NotNow),
        },
    )
    def get(self, request: Request, room_id: UUID) -> Response:
        seat = seat_in(room_id=room_id, person=request.user)
        transcript = transcript_for(seat, may=lambda scope: may(request, Scope(scope)))
        return Response(TranscriptSerializer(transcript, context={"request": request}).data)
