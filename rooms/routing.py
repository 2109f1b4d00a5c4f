"""Socket paths."""

from __future__ import annotations

from typing import Any, cast

from channels.routing import URLRouter
from django.urls import path, re_path

from rooms.consumers import no_socket, room_socket

sockets = URLRouter(
    [
        path("sockets/rooms/<uuid:room_id>", cast(Any, room_socket)),
        re_path("", cast(Any, no_socket)),
    ]
)
