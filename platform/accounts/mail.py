"""Mails: one recipient each, and nothing in their headers that names the machine they come from."""

from __future__ import annotations

import secrets
from email.utils import parseaddr

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string


def neutral_headers() -> dict[str, str]:
    """A Message-ID of our own: the library would put the host's name into it, and a clock and process id."""
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "anteroom.invalid"
    return {"Message-ID": f"<{secrets.token_hex(16)}@{domain}>"}


def send(*, address: str, subject: str, body: str) -> None:
    """Send one plain-text mail to one person."""
    EmailMessage(subject=subject, body=body, to=[address], headers=neutral_headers()).send()


def send_sign_in_link(*, address: str, link: str, valid_minutes: int) -> None:
    body = render_to_string("accounts/mail/sign_in_link.txt", {"link": link, "valid_minutes": valid_minutes})
    send(address=address, subject="Your sign-in link", body=body)
