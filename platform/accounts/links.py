"""Secrets that travel in links, and the addresses they may lead to. Plain functions.

A secret stands behind the `#` of its link: browsers send that part to no server, so neither access logs nor
link previews nor a referrer ever hold it. frontend/src/enter.ts puts it into a form, and only the POST of
that form uses it up.
"""

from __future__ import annotations

import hashlib
import secrets

from django.conf import settings
from django.utils.http import url_has_allowed_host_and_scheme

SECRET_BYTES = 32
MAX_PATH_CHARACTERS = 200


def fresh_secret() -> str:
    """256 random bits in the letters of a URL."""
    return secrets.token_urlsafe(SECRET_BYTES)


def hash_of(secret: str) -> bytes:
    """What is stored instead of a secret: its SHA-256. Plain suffices, since nobody can guess 256 bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def link_to(path: str, secret: str) -> str:
    """The full address of a page here that takes a secret."""
    return f"{settings.SITE_URL}{path}#{secret}"


def safe_path(wanted: str | None, default: str = "/") -> str:
    """`wanted` if it is a path of this site, else `default`; nobody is ever sent to another host."""
    if (
        wanted
        and wanted.startswith("/")
        and wanted.isprintable()
        and len(wanted) <= MAX_PATH_CHARACTERS
        and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    ):
        return wanted
    return default
