"""HTTP goes to Django, sockets to the rooms, and the server's end is told to both."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, cast

from django.core.asgi import get_asgi_application

from anteroom.bodies import BoundedBodies

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "anteroom.settings")
http = BoundedBodies(cast(Any, get_asgi_application()))  # sets Django up, before what imports models

from anteroom import collector, descriptors  # noqa: E402
from anteroom.lifespan import lifespan  # noqa: E402
from rooms.consumers import room_socket  # noqa: E402

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """What every ASGI server asks."""
    if scope["type"] == "http":
        # Without the path that a client can claim by a Daphne-Root-Path header, to rewrite a page's links.
        await http({**scope, "root_path": ""}, receive, send)
    elif scope["type"] == "websocket":
        await room_socket(scope, receive, send)
    elif scope["type"] == "lifespan":
        await lifespan(receive, send)
    else:
        raise ValueError(f"an ASGI scope of the type {scope['type']}")


if "daphne.server" in sys.modules:
    from anteroom import daphne_requests, daphne_sockets

    daphne_sockets.install()
    daphne_requests.install()

descriptors.allow_many()
collector.settle()
