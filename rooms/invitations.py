"""The secret of an invitation: made of its salt and the installation's key, and stored nowhere.

Who opened a room can thus be shown the waiting link again, on every device and after a restart, while a copy
of the database alone opens no room.
"""

from __future__ import annotations

import base64
import hmac
import secrets

from django.urls import reverse
from django.utils.crypto import salted_hmac

from accounts.links import hash_of, link_to
from rooms.models import Invitation

SALT_BYTES = 16
PURPOSE = "rooms.invitation"


def fresh_salt() -> bytes:
    return secrets.token_bytes(SALT_BYTES)


def secret_of(salt: bytes) -> str:
    """256 bits that only this installation can make from the salt, in the letters of a URL."""
    digest = salted_hmac(PURPOSE, salt, algorithm="sha256").digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def secret_behind(invitation: Invitation) -> str | None:
    """The secret of an invitation; None when the installation's key has changed since it was made."""
    secret = secret_of(bytes(invitation.salt))
    return secret if hmac.compare_digest(hash_of(secret), bytes(invitation.secret_hash)) else None


def link_of(secret: str) -> str:
    """The full URL that carries an invitation's secret in its fragment."""
    return link_to(reverse("rooms:join"), secret)
