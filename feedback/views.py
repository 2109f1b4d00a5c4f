"""REST: parse, one call, answer."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from anteroom.api import Endpoint
from feedback import selectors, services
from feedback.errors import NotOpen
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
from rooms.models import Seat
from rooms.roles import Role
from rooms.selectors import seat_in

ANSWERS = PolymorphicProxySerializer(
    component_name="Answers",
    serializers=[InterviewerFormSerializer, CandidateFormSerializer],
    resource_type_field_name=None,
)


class ExchangeView(Endpoint):
    """GET: all that my side may see of the feedback on this room now."""

    @extend_schema(responses=StandingSerializer)
    def get(self, request: Request, room_id: UUID) -> Response:
        seat = seat_in(room_id=room_id, person=request.user)
        services.close_if_due(room_id=room_id)
        return Response(StandingSerializer(selectors.standing(seat=seat)).data)


class GlanceView(Endpoint):
    """GET: only where my side stands; a waiting page asks this every few seconds."""

    @extend_schema(responses=GlanceSerializer)
    def get(self, request: Request, room_id: UUID) -> Response:
        seat = seat_in(room_id=room_id, person=request.user)
        services.close_if_due(room_id=room_id)
        standing = selectors.standing(seat=seat)
        return Response(GlanceSerializer({"state": standing.state, "unmask": standing.unmask.state}).data)


class DraftView(Endpoint):
    """PUT: keep what I have typed so far."""

    @extend_schema(request=ANSWERS, responses=SavedSerializer)
    def put(self, request: Request, room_id: UUID) -> Response:
        seat = seat_in(room_id=room_id, person=request.user)
        form = _form(seat, request, is_draft=True)
        saved_at = services.save_draft(seat=seat, answers=dict(form.validated_data))
        return Response(SavedSerializer({"saved_at": saved_at}).data)


class SelfAssessmentView(Endpoint):
    """PUT: the candidate's private part; nobody else ever reads it."""

    @extend_schema(request=SelfAssessmentSerializer, responses=StandingSerializer)
    def put(self, request: Request, room_id: UUID) -> Response:
        seat = seat_in(room_id=room_id, person=request.user)
        form = SelfAssessmentSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        services.assess_self(seat=seat, form=form.answers())
        return Response(StandingSerializer(selectors.standing(seat=seat)).data)


class SubmissionView(Endpoint):
    """POST: seal my answers. Final."""

    @extend_schema(request=ANSWERS, responses={201: StandingSerializer})
    def post(self, request: Request, room_id: UUID) -> Response:
        seat = seat_in(room_id=room_id, person=request.user)
        form = _form(seat, request)
        services.submit(seat=seat, form=form.answers())
        standing = StandingSerializer(selectors.standing(seat=seat)).data
        return Response(standing, status=status.HTTP_201_CREATED)


class UnmaskView(Endpoint):
    """PUT: say yes and to what. DELETE: take it back, until both have said yes."""

    @extend_schema(request=UnmaskSerializer, responses=StandingSerializer)
    def put(self, request: Request, room_id: UUID) -> Response:
        seat = seat_in(room_id=room_id, person=request.user)
        form = UnmaskSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        services.choose_unmask(seat=seat, identity=services.Identity(**form.validated_data))
        return Response(StandingSerializer(selectors.standing(seat=seat)).data)

    @extend_schema(responses=StandingSerializer)
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
