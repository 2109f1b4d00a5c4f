"""Rooms for moderators: how they stand and which masks were worn, never who wore them or what was said.

Not registered on purpose: the log, since it holds every word, and invitations.
"""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from anteroom.admin import ReadOnly
from rooms.models import Room, Seat


class SeatInline(ReadOnly, admin.TabularInline):  # type: ignore[type-arg]  # none at run time
    model = Seat
    fields = ("role", "mask", "is_taken", "recording_consent")
    readonly_fields = ("is_taken",)
    verbose_name_plural = "seats"

    @admin.display(description="taken", boolean=True)
    def is_taken(self, seat: Seat) -> bool:
        return seat.taken_at is not None


@admin.register(Room)
class RoomAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # none at run time
    list_display = ("title", "masks", "phase", "language", "starts_at")
    list_filter = ("phase", "language", "starts_at")
    search_fields = ("title", "seats__mask")
    search_help_text = "Search by mask or title."
    ordering = ("-created_at",)
    date_hierarchy = "starts_at"
    fields = (
        "id", "title", "phase", "language", "starts_at", "length_minutes",
        "created_at", "opened_at", "live_at", "ended_at",
    )  # fmt: skip
    inlines = (SeatInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Room]:
        return super().get_queryset(request).prefetch_related("seats")

    @admin.display(description="masks")
    def masks(self, room: Room) -> str:
        return " / ".join(seat.mask for seat in sorted(room.seats.all(), key=lambda seat: seat.role))
