"""The form that opens a room."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from rooms.live.languages import LANGUAGES
from rooms.models import DEFAULT_LENGTH_MINUTES, Room
from rooms.roles import PEOPLE, Role

LENGTHS_MINUTES = (30, 45, 60, 90)
FARTHEST = timedelta(days=365)
SLACK = timedelta(minutes=5)
"""A time that passed while the form was filled in counts as now."""

DEFAULT_TITLE = "Practice interview"
SEAT_WORDS = {
    Role.INTERVIEWER: ("Interviewer", "You ask and listen."),
    Role.CANDIDATE: ("Candidate", "You solve and explain."),
}


class NewRoomForm(forms.Form):
    """Every field has a default, so that a room is two clicks away.

    The time is typed in the browser's zone; a script turns it into `starts_at`, in UTC. Without the script
    the typed time is read as UTC, and the page says so.
    """

    title = forms.CharField(
        max_length=Room._meta.get_field("title").max_length,
        initial=DEFAULT_TITLE,
        help_text="Both sides see it, so leave names and companies out.",
        error_messages={"required": "Give the interview a title."},
    )
    role = forms.TypedChoiceField(
        label="Your seat",
        choices=[(role.word, words[0]) for role, words in SEAT_WORDS.items()],
        coerce=Role.of,
        initial=Role.INTERVIEWER.word,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose a seat.", "invalid_choice": "Choose one of the two seats."},
    )
    language = forms.ChoiceField(
        choices=[(each.key, each.name) for each in LANGUAGES],
        initial=LANGUAGES[0].key,
    )
    length_minutes = forms.TypedChoiceField(
        label="Length in minutes",
        choices=[(minutes, str(minutes)) for minutes in LENGTHS_MINUTES],
        coerce=int,
        initial=DEFAULT_LENGTH_MINUTES,
        widget=forms.RadioSelect,
    )
    when = forms.ChoiceField(
        label="When",
        choices=[("now", "Now"), ("later", "Later")],
        initial="now",
        widget=forms.RadioSelect,
        error_messages={"required": "Say when: now or later."},
    )
    typed_at = forms.DateTimeField(
        label="Day and time",
        required=False,
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        error_messages={"invalid": "Write the day and the time, such as 2026-05-20 14:30."},
    )
    starts_at = forms.DateTimeField(
        required=False,
        input_formats=["%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%SZ"],
        widget=forms.HiddenInput,
    )

    def clean_title(self) -> str:
        return " ".join(str(self.cleaned_data["title"]).split())

    def clean_role(self) -> Role:
        role = self.cleaned_data["role"]
        if role not in PEOPLE:
            raise forms.ValidationError("Choose one of the two seats.")
        return Role(role)

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        # A starts_at that is no time can only come from a broken script: the typed one stands in.
        self.errors.pop("starts_at", None)
        if values.get("when") != "later":
            values["starts_at"] = None
            self.errors.pop("typed_at", None)
            return values
        at = values.get("starts_at") or values.get("typed_at")
        if at is None:
            if "typed_at" not in self.errors:
                self.add_error("typed_at", "Choose the day and the time.")
            return values
        values["starts_at"] = self._checked(at.astimezone(UTC))
        return values

    def _checked(self, at: datetime) -> datetime | None:
        now = timezone.now()
        if at < now - SLACK:
            self.add_error("typed_at", "That time has passed. Choose a later one, or “Now”.")
        elif at > now + FARTHEST:
            self.add_error("typed_at", "Choose a time within a year.")
        return max(at, now)
