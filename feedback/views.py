"""REST: parse, one call, answer."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from anteroom.api import Endpoint, problems
from anteroom.errors import NotAllowed, SignedOut, Unreadable, Unusable, WrongMediaType
from feedback import selectors, services
from feedback.errors import AlreadySubmitted, AlreadyUnmasked, AssessFirst, NotOpen, TooLate, UnmaskClosed
from feedback.serializers import (
    FORM_SERIALIZERS,
    CandidateFormSerializer,
    FormSerializer,
    GlanceSerializer,
    InterviewerFormSerializer,
    SavedSerializer,
    SelfAssessmentSerializer,
    StandingSerializer,
    UnmaskSerializer,
)
from rooms.errors import NoSuchRoom
from rooms.models import Seat
from rooms.roles import Role
from rooms.selectors import seat_in

ANSWERS = PolymorphicProxySerializer(
    component_name="Answers",
    serializers=[InterviewerFormSerializer, CandidateFormSerializer],
    resource_type_field_name=None,
)

# What is refused, for the schema.
READING = (SignedOut, NoSuchRoom, NotOpen)
WRITING = (*READING, NotAllowed, Unreadable, WrongMediaType, Unusable)
ANSWERING = (*WRITING, AlreadySubmitted, TooLate)
UNMASKING = (UnmaskClosed, AlreadyUnmasked)


class ExchangeView(Endpoint):
    """GET: all that my side may see of the feedback on this room now."""

    @extend_schema(
        tags=["feedback"],
        operation_id="read_exchange",
        summary="Where my side of the feedback stands",
        responses={200: StandingSerializer, **problems(*READING)},
    )
    def get(self, request: Request, room_id: UUID) -> Response:
        seat = seat_in(room_id=room_id, person=request.user)
        services.close_if_due(room_id=room_id)
        return Response(StandingSerializer(selectors.standing(seat=seat)).data)


class GlanceView(Endpoint):
    """GET: only where my side stands; a waiting page asks this every few seconds."""

    @extend_schema(
        tags=["feedback"],
        operation_id="glance_at_exchange",
        summary="Whether there is something new",
        responses={200: GlanceSerializer, **problems(*READING)},
    )
    def get(self, request: Request, room_id: UUID) -> Response:
        seat = seat_in(room_id=room_id, person=request.user)
        services.close_if_due(room_id=room_id)
        standing = selectors.standing(seat=seat)
        return Response(GlanceSerializer({"state": standing.state, "unmask": standing.unmask.state}).data)


class DraftView(Endpoint):
    """PUT: keep what I have typed so far."""

    @extend_schema(
        tags=["feedback"],
        operation_id="save_draft",
        summary="Keep what I have typed",
        request=ANSWERS,
        responses={200: SavedSerializer, **problems(*ANSWERING)},
    )
    def put(self, request: Request, room_id: UUID) -> Response:
        seat = seat_in(room_id=room_id, person=request.user)
        form = _form(seat, request, is_draft=True)
        saved_at = services.save_draft(seat=seat, answers=dict(form.validated_data))
        return Response(SavedSerializer({"saved_at": saved_at}).data)


class SelfAssessmentView(Endpoint):
    """PUT: the candidate's private part; nobody else ever reads it."""

    @extend_schema(
        tags=["feedback"],
        operation_id="assess_self",
        summary="Say in private how well I did",
        request=SelfAssessmentSerializer,
        responses={200: StandingSerializer, **problems(*ANSWERING)},
    )
    def put(self, request: Request, room_id: UUID) -> Response:
        seat = seat_in(room_id=room_id, person=request.user)
        if seat.role != Role.CANDIDATE:
            raise NotOpen
        form = SelfAssessmentSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        services.assess_self(seat=seat, form=form.answers())
        return Response(StandingSerializer(selectors.standing(seat=seat)).data)


class SubmissionView(Endpoint):
    """POST: seal my answers. Final."""

    @extend_schema(
        tags=["feedback"],
        operation_id="submit",
        summary="Seal my answers, for good",
        request=ANSWERS,
        responses={201: StandingSerializer, **problems(*ANSWERING, AssessFirst)},
    )
    def post(self, request: Request, room_id: UUID) -> Response:
        seat = seat_in(room_id=room_id, person=request.user)
        form = _form(seat, request)
        services.submit(seat=seat, form=form.answers())
        standing = StandingSerializer(selectors.standing(seat=seat)).data
        return Response(standing, status=status.HTTP_201_CREATED)


class UnmaskView(Endpoint):
    """PUT: say yes and to what. DELETE: take it back, until both have said yes."""

    @extend_schema(
        tags=["feedback"],
        operation_id="choose_unmask",
        summary="Say yes to unmasking, and to what",
        request=UnmaskSerializer,
        responses={200: StandingSerializer, **problems(*WRITING, *UNMASKING)},
    )
    def put(self, request: Request, room_id: UUID) -> Response:
        seat = seat_in(room_id=room_id, person=request.user)
        form = UnmaskSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        services.choose_unmask(seat=seat, identity=services.Identity(**form.validated_data))
        return Response(StandingSerializer(selectors.standing(seat=seat)).data)

    @extend_schema(
        tags=["feedback"],
        operation_id="withdraw_unmask",
        summary="Take my yes back",
        responses={200: StandingSerializer, **problems(*READING, NotAllowed, *UNMASKING)},
    )
    def delete(self, request: Request, room_id: UUID) -> Response:
        seat = seat_in(room_id=room_id, person=request.user)
        services.withdraw_unmask(seat=seat)
        return Response(StandingSerializer(selectors.standing(seat=seat)).data)


def _form(seat: Seat, request: Request, *, is_draft: bool = False) -> FormSerializer:
    serializer = FORM_SERIALIZERS.get(Role(seat.role))
    if serializer is None:
        raise NotOpen
    form = serializer(data=request.data, partial=is_draft)
    form.is_valid(raise_exception=True)
    return form
