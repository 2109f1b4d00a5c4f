"""JSON shapes and field checks. The fields of a form come from its questions in forms.py."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers

from feedback.forms import (
    SCALE_MAX,
    SCALE_MIN,
    CandidateForm,
    Form,
    InterviewerForm,
    Question,
    Scale,
    SelfAssessmentForm,
    Text,
    YesNo,
    questions,
)
from feedback.selectors import State, UnmaskState
from rooms.roles import PEOPLE, Role

MISSING = {
    YesNo: "Choose yes or no.",
    Scale: "Choose one of the four.",
    Text: "Write a few words.",
}
"""What is said beside a question that was left open."""


class FormSerializer(serializers.Serializer[Any]):
    """Checks the answers to one form; `partial=True` checks a draft, where anything may be missing yet."""

    form: ClassVar[type[Form] | type[SelfAssessmentForm]]

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        is_draft = bool(self.partial)
        return {question.name: _field(question, is_draft=is_draft) for question in questions(self.form)}

    def answers(self) -> Any:
        """The checked form."""
        given = self.validated_data
        return self.form(**{question.name: given.get(question.name) for question in questions(self.form)})


class InterviewerFormSerializer(FormSerializer):
    form = InterviewerForm


class CandidateFormSerializer(FormSerializer):
    form = CandidateForm


class SelfAssessmentSerializer(FormSerializer):
    form = SelfAssessmentForm


FORM_SERIALIZERS: dict[Role, type[FormSerializer]] = {
    Role.INTERVIEWER: InterviewerFormSerializer,
    Role.CANDIDATE: CandidateFormSerializer,
}


class UnmaskSerializer(serializers.Serializer[Any]):
    """What one person would show; at least one field."""

    name = serializers.CharField(max_length=80, allow_blank=True, default="")
    email = serializers.EmailField(
        max_length=254, allow_blank=True, default="", error_messages={"invalid": "This is no e-mail address."}
    )
    profile_url = serializers.URLField(
        max_length=200,
        allow_blank=True,
        default="",
        error_messages={"invalid": "Write the whole link, beginning with https://"},
    )
    message = serializers.CharField(max_length=1_000, allow_blank=True, default="")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not any(attrs.values()):
            raise serializers.ValidationError("Choose at least one thing to show.")
        return attrs


class ShownSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    email = serializers.CharField()
    profile_url = serializers.CharField()
    message = serializers.CharField()


class UnmaskStandingSerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=[each.value for each in UnmaskState])
    until = serializers.DateTimeField(allow_null=True)
    mine = ShownSerializer(allow_null=True)
    theirs = ShownSerializer(allow_null=True)


class ReviewSerializer(serializers.Serializer[Any]):
    """A released review. `answers` has the public fields of its author's form."""

    author = serializers.SerializerMethodField()
    released_at = serializers.DateTimeField()
    answers = serializers.DictField()

    def get_author(self, review: Any) -> str:
        return str(review.author.word)


class OwnAssessmentSerializer(serializers.Serializer[Any]):
    how_well = serializers.IntegerField()
    seen_before = serializers.BooleanField()


class StandingSerializer(serializers.Serializer[Any]):
    """All that the caller's side may see of an exchange now."""

    room_id = serializers.UUIDField()
    role = serializers.SerializerMethodField()
    mask = serializers.CharField()
    other_mask = serializers.CharField()
    state = serializers.ChoiceField(choices=[each.value for each in State])
    deadline_at = serializers.DateTimeField()
    draft = serializers.DictField()
    assessment = OwnAssessmentSerializer(allow_null=True)
    about_me = ReviewSerializer(allow_null=True)
    by_me = ReviewSerializer(allow_null=True)
    unmask = UnmaskStandingSerializer()

    def get_role(self, standing: Any) -> str:
        return str(standing.role.word)


class GlanceSerializer(serializers.Serializer[Any]):
    """Just enough for a page to know that it should look again."""

    state = serializers.ChoiceField(choices=[each.value for each in State])
    unmask = serializers.ChoiceField(choices=[each.value for each in UnmaskState])


class SavedSerializer(serializers.Serializer[Any]):
    saved_at = serializers.DateTimeField()


# --- inside -------------------------------------------------------------------------------------------


def _field(question: Question, *, is_draft: bool) -> serializers.Field[Any, Any, Any, Any]:
    required = question.is_required and not is_draft
    missing = MISSING[type(question)]
    errors: dict[str, Any] = {"required": missing, "null": missing, "invalid": missing}
    common: dict[str, Any] = {"label": question.label, "help_text": question.help, "required": required}
    match question:
        case YesNo():
            return serializers.BooleanField(**common, allow_null=not required, error_messages=errors)
        case Scale():
            return serializers.IntegerField(
                **common,
                allow_null=is_draft or bool(question.none),
                min_value=SCALE_MIN,
                max_value=SCALE_MAX,
                error_messages={**errors, "min_value": missing, "max_value": missing},
            )
        case Text():
            return _text_field(question, common, missing, is_draft=is_draft)
        case _:
            raise TypeError(f"{question!r} is of no known kind")


def _text_field(
    question: Text, common: dict[str, Any], missing: str, *, is_draft: bool
) -> serializers.Field[Any, Any, Any, Any]:
    least = 0 if is_draft else question.min_characters
    return serializers.CharField(
        **common,
        default=serializers.empty if common["required"] or is_draft else "",
        allow_blank=not least,
        min_length=least or None,
        max_length=question.max_characters,
        # A draft keeps the space one is about to type after.
        trim_whitespace=not is_draft,
        error_messages={
            "required": missing,
            "null": missing,
            "blank": missing,
            "min_length": f"A little more, please: at least {least} characters.",
            "max_length": f"That is more than {question.max_characters:,} characters.",
        },
    )


assert set(FORM_SERIALIZERS) == set(PEOPLE)
