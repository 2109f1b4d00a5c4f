"""The pages of a room, and its REST paths."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from rooms import pages, views
from rooms.transcript_page import transcript_page

app_name = "rooms"

urlpatterns: list[URLPattern | URLResolver] = [
    path("join/", pages.join, name="join"),
    path("join/look/", pages.look, name="look"),
    path("rooms/new/", pages.new, name="new"),
    path("rooms/<uuid:room_id>/", pages.room_page, {"stage": "room"}, name="room"),
    path("rooms/<uuid:room_id>/lobby/", pages.room_page, {"stage": "lobby"}, name="lobby"),
    path("rooms/<uuid:room_id>/ready/", pages.ready, name="ready"),
    path("rooms/<uuid:room_id>/invite/", pages.renew_link, name="renew_link"),
    path("rooms/<uuid:room_id>/cancel/", pages.cancel, name="cancel"),
    path("rooms/<uuid:room_id>/transcript/", transcript_page, name="transcript"),
]

api_urlpatterns: list[URLPattern | URLResolver] = [
    path("rooms/", views.RoomsView.as_view(), name="rooms"),
    path("rooms/<uuid:room_id>", views.RoomView.as_view(), name="room"),
    path("rooms/<uuid:room_id>/transcript", views.TranscriptView.as_view(), name="transcript"),
]
