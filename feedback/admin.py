"""Exchanges for moderators: how they stand, and what was written to the moderators themselves.

Nothing else that anybody wrote is here, in any state: drafts, submissions, self-assessments, reviews and
unmask choices are not registered and not followed. Nor does a page tell who has submitted.
"""

from __future__ import annotations

from django.contrib import admin

from anteroom.admin import ReadOnly
from feedback.models import Exchange, ModeratorNote


class NoteInline(ReadOnly, admin.StackedInline):  # type: ignore[type-arg]  # none at run time
    """The interviewer's word to the moderators; it exists once the feedback is released."""

    model = ModeratorNote
    fields = ("text",)
    verbose_name_plural = "to the moderators"


@admin.register(Exchange)
class ExchangeAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # none at run time
    list_display = ("room", "state", "opened_at", "deadline_at", "has_note")
    list_filter = ("opened_at", "deadline_at", "revealed_at", "lapsed_at")
    list_select_related = ("room", "moderator_note")
    search_fields = ("room__title", "room__seats__mask")
    search_help_text = "Search by mask or title of the room."
    ordering = ("-opened_at",)
    fields = ("room", "state", "opened_at", "deadline_at", "revealed_at", "lapsed_at", "unmasked_at")
    readonly_fields = ("state",)
    inlines = (NoteInline,)

    @admin.display(description="state")
    def state(self, exchange: Exchange) -> str:
        if exchange.revealed_at:
            return "revealed"
        return "lapsed" if exchange.lapsed_at else "sealed"

    @admin.display(description="note", boolean=True)
    def has_note(self, exchange: Exchange) -> bool:
        return hasattr(exchange, "moderator_note")
