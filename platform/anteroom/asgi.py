"""HTTP goes to Django, sockets to the rooms; origin and sign-in are checked around both."""

from __future__ import annotations

import logging
import os
import sys
from urllib.parse import ParseResult

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "anteroom.settings")
http = get_asgi_application()  # sets Django up, so it stands before what imports models

from channels.routing import ProtocolTypeRouter  # noqa: E402
from channels.security.websocket import OriginValidator  # noqa: E402
from django.conf import settings  # noqa: E402

from rooms.routing import sockets  # noqa: E402

logger = logging.getLogger(__name__)


class FullOriginValidator(OriginValidator):  # type: ignore[misc]
    """Compares scheme, host and port; a page of another site is refused before the handshake ends."""

    def valid_origin(self, parsed_origin: ParseResult | None) -> bool:
        is_valid = bool(super().valid_origin(parsed_origin))
        if not is_valid:
            logger.info("a socket was refused: another origin")
        return is_valid


class OwnRootPath:
    """Ignores the Daphne-Root-Path header, by which any client could rewrite the links of a page."""

    def __init__(self, application: object) -> None:
        self._application = application

    async def __call__(self, scope: dict[str, object], receive: object, send: object) -> None:
        await self._application({**scope, "root_path": ""}, receive, send)  # type: ignore[operator]


application = OwnRootPath(
    ProtocolTypeRouter({"http": http, "websocket": FullOriginValidator(sockets, settings.ALLOWED_ORIGINS)})
)

if "daphne.server" in sys.modules:
    from anteroom.daphne_sockets import install

    install()
