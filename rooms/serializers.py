"""JSON shapes of rooms and transcripts, and the checks of what comes in."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers

from rooms.forms import FARTHEST, SLACK
from rooms.live.languages import LANGUAGES
from rooms.live.lifecycle import Phase
from rooms.models import DEFAULT_LENGTH_MINUTES, Room, Seat
from rooms.roles import PEOPLE, Role
from rooms.transcript import Transcript

MIN_LENGTH_MINUTES, MAX_LENGTH_MINUTES = 10, 240


@extend_schema_field({"type": "string", "enum": [role.word for role in Role]})
class SeatField(serializers.Field[Role, str, str, Any]):
    """A seat by its word. `room` stands for the room itself: its timers."""

    def to_representation(self, value: int) -> str:
        return Role(value).word


class PersonsSeatField(serializers.ChoiceField):
    """One of the two seats people take, by its word; read into a Role."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=[role.word for role in PEOPLE], **options)

    def to_internal_value(self, data: Any) -> Role:  # type: ignore[override]
        return Role.of(super().to_internal_value(data))


# --- rooms --------------------------------------------------------------------------------------------


class SeatSerializer(serializers.ModelSerializer[Seat]):
    """A side of a room under its mask."""

    seat = SeatField(source="role", read_only=True)
    taken = serializers.SerializerMethodField(help_text="Whether somebody took this seat.")

    class Meta:
        model = Seat
        fields = ("seat", "mask", "taken")

    def get_taken(self, seat: Seat) -> bool:
        return seat.taken_at is not None


class RoomSerializer(serializers.ModelSerializer[Room]):
    """A room as one of its people sees it."""

    phase = serializers.ChoiceField(choices=[phase.value for phase in Phase], read_only=True)
    seat = serializers.SerializerMethodField(help_text="Which seat is yours.")
    seats = SeatSerializer(many=True, read_only=True)

    class Meta:
        model = Room
        fields = (
            "id", "title", "phase", "language", "starts_at", "length_minutes",
            "opened_at", "live_at", "ended_at", "seat", "seats",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(SeatField)
    def get_seat(self, room: Room) -> str:
        person = self.context["request"].user
        return next(Role(seat.role).word for seat in room.seats.all() if seat.person_id == person.pk)


class NewRoomSerializer(serializers.Serializer[Any]):
    """A room to open."""

    title = serializers.CharField(max_length=120, help_text="What both sides see.")
    seat = PersonsSeatField(help_text="The seat you take; the invitation is for the other one.")
    language = serializers.ChoiceField(
        choices=[language.key for language in LANGUAGES], help_text="The language the code is written in."
    )
    starts_at = serializers.DateTimeField(required=False, help_text="When it is planned; now, if left out.")
    length_minutes = serializers.IntegerField(
        min_value=MIN_LENGTH_MINUTES, max_value=MAX_LENGTH_MINUTES, default=DEFAULT_LENGTH_MINUTES
    )

    def validate_title(self, title: str) -> str:
        return " ".join(title.split())

    def validate_starts_at(self, starts_at: datetime) -> datetime:
        now = timezone.now()
        if not now - SLACK <= starts_at <= now + FARTHEST:
            raise serializers.ValidationError("Choose a time within a year from now.")
        return max(starts_at, now)


class OpenedRoomSerializer(RoomSerializer):
    """A room just opened, with the one-use link for the other seat."""

    invitation_url = serializers.SerializerMethodField(
        help_text="For the other person; works once. Shown only now."
    )

    class Meta(RoomSerializer.Meta):
        fields = (*RoomSerializer.Meta.fields, "invitation_url")  # type: ignore[assignment]

    def get_invitation_url(self, room: Room) -> str:
        return str(self.context["invitation_url"])


# --- transcripts --------------------------------------------------------------------------------------


def _kind(*kinds: str) -> serializers.ChoiceField:
    return serializers.ChoiceField(choices=kinds, help_text="What it is; the other fields follow from it.")


class ItemSerializer(serializers.Serializer[Any]):
    """One thing that happened, in its place."""

    kind: serializers.ChoiceField
    seq = serializers.IntegerField(help_text="Its place in the room's log.")
    at_ms = serializers.IntegerField(help_text="Milliseconds since the first person entered.")


class LineItemSerializer(ItemSerializer):
    """A line of chat."""

    kind = _kind("line")
    seat = SeatField()
    text = serializers.CharField()


class CodeItemSerializer(ItemSerializer):
    """The code as it stood then. What had been deleted by then is not in it."""

    kind = _kind("code")
    seats = serializers.ListField(child=SeatField(), help_text="Who typed since the checkpoint before.")
    language = serializers.CharField(allow_null=True, help_text="Null where the log does not tell it.")
    text = serializers.CharField()


class BoardItemSerializer(ItemSerializer):
    """The board as it stood then."""

    kind = _kind("board")
    seats = serializers.ListField(child=SeatField(), help_text="Who drew since the checkpoint before.")
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="Elements by type.")
    elements = serializers.ListField(
        child=serializers.DictField(), help_text="Excalidraw elements, bottom to top."
    )


class PhaseItemSerializer(ItemSerializer):
    """The room came to another phase."""

    kind = _kind("phase")
    seat = SeatField(help_text="Who moved it; room: a timer.")
    phase = serializers.ChoiceField(choices=[phase.value for phase in Phase])


class LanguageItemSerializer(ItemSerializer):
    """The code changed its language."""

    kind = _kind("language")
    seat = SeatField()
    language = serializers.CharField()


class ConsentItemSerializer(ItemSerializer):
    """A side allowed a recording of its voice, or took that back."""

    kind = _kind("consent")
    seat = SeatField()
    recording = serializers.BooleanField()


class PresenceItemSerializer(ItemSerializer):
    """A side came in or went."""

    kind = _kind("came", "left")
    seat = SeatField()


@extend_schema_field({"type": ["boolean", "integer", "string", "null"]})
class ValueField(serializers.JSONField):
    """An answer as it was given."""


class AnswerSerializer(serializers.Serializer[Any]):
    """One answer of a review."""

    name = serializers.CharField()
    label = serializers.CharField(help_text="What was asked, in short.")  # type: ignore[assignment]
    value = ValueField(help_text="As it was given: yes or no, a number, a text, or nothing.")
    words = serializers.CharField(help_text="The same for people.")


class ReviewItemSerializer(ItemSerializer):
    """One side's feedback, once revealed."""

    kind = _kind("review")
    seat = SeatField(help_text="Whose words they are.")
    answers = AnswerSerializer(many=True)


ITEMS: dict[str, type[ItemSerializer]] = {
    "line": LineItemSerializer,
    "code": CodeItemSerializer,
    "board": BoardItemSerializer,
    "phase": PhaseItemSerializer,
    "language": LanguageItemSerializer,
    "consent": ConsentItemSerializer,
    "came": PresenceItemSerializer,
    "left": PresenceItemSerializer,
    "review": ReviewItemSerializer,
}
"""Every kind of item and its shape."""


class TranscriptSerializer(serializers.Serializer[Transcript]):
    """Everything that happened in a room, merged in order."""

    room = RoomSerializer()
    items = serializers.SerializerMethodField()

    @extend_schema_field(
        PolymorphicProxySerializer(
            component_name="Item", serializers={**ITEMS}, resource_type_field_name="kind", many=True
        )
    )
    def get_items(self, transcript: Transcript) -> list[dict[str, Any]]:
        shapes = {kind: shape() for kind, shape in ITEMS.items()}
        return [shapes[item.kind].to_representation(item) for item in transcript.items]
