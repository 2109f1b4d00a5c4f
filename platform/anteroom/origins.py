"""Whose pages may open a socket: full origins, that is scheme, host and port."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from urllib.parse import urlparse

from channels.security.websocket import OriginValidator
from django.conf import settings

logger = logging.getLogger(__name__)


def may_open_sockets(origins: Sequence[str]) -> bool:
    """Whether a handshake with these Origin headers comes from a page of ours. None, or several, do not."""
    validator = OriginValidator(None, settings.ALLOWED_ORIGINS)
    try:
        is_ours = len(origins) == 1 and bool(validator.valid_origin(urlparse(origins[0])))
    except ValueError:  # no URL at all, such as a port of six digits
        is_ours = False
    if not is_ours:
        logger.info("a socket was refused: another origin")
    return is_ours
