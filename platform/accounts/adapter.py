"""Where django-allauth asks us: mails, addresses in them, where people go next."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.core.mail import EmailMessage
from django.urls import reverse

from accounts.links import safe_path
from accounts.mail import neutral_headers


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": "E-mail and password do not go together. Check both, or use a link.",
        "too_many_login_attempts": "That was a lot of tries. Wait five minutes, or use a link.",
        "email_taken": "There is an account with this address already. Sign in instead.",
        "incorrect_password": "That is not your current password.",
        "rate_limited": "That was a lot of tries in a short time. Wait a minute, then go on.",
    }

    def render_mail(
        self,
        template_prefix: str,
        email: str | list[str],
        context: dict[str, Any],
        headers: dict[str, str] | None = None,
    ) -> EmailMessage:
        message: EmailMessage = super().render_mail(
            template_prefix, email, context, headers={**neutral_headers(), **(headers or {})}
        )
        return message

    def get_reset_password_from_key_url(self, key: str) -> str:
        """Under our own address rather than under the host name of whoever asked."""
        path = reverse("account_reset_password_from_key", kwargs={"uidb36": "UID", "key": "KEY"})
        return str(settings.SITE_URL) + path.replace("UID-KEY", key)

    def is_safe_url(self, url: str | None) -> bool:
        """Only a path of this site, whatever ALLOWED_HOSTS says."""
        return bool(url) and safe_path(url, default="") == url

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """No “Successfully signed in as …”: the page itself shows it."""
