"""People, and the links and tokens by which they come in."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac


class PersonManager(BaseUserManager["Person"]):
    """Makes people; e-mail addresses are kept in lower case so that one address is one person."""

    def create_user(self, email: str | None = None, password: str | None = None, **fields: Any) -> Person:
        """A person; without a password only links let them in."""
        person: Person = self.model(email=email.strip().lower() if email else None, **fields)
        person.set_password(password)
        person.save(using=self._db)
        return person

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> Person:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> Person:
        return self.get(email=(username or "").lower())


class Person(AbstractBaseUser, PermissionsMixin):
    """Somebody who interviews or is interviewed. Guests have no e-mail and no password."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField("e-mail", unique=True, null=True, blank=True)
    name = models.CharField(max_length=80, blank=True)
    employer = models.CharField(
        max_length=80, blank=True, help_text="Never shown; the mask guard warns before it is typed."
    )
    profile_url = models.URLField("profile link", blank=True)
    is_guest = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    session_version = models.PositiveIntegerField(
        default=0, help_text="Grows at sign-out everywhere, ban or change of role; open sockets compare it."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = PersonManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name_plural = "people"

    def __str__(self) -> str:
        return self.email or self.name or "a guest"

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """What a session must carry to count; Django's hash of the password, and the session version.

        Overridden here rather than at get_session_auth_hash, so that fallback keys go the same way.
        """
        value = f"{self.password}:{self.session_version}"
        return salted_hmac("accounts.Person.session", value, secret=secret, algorithm="sha256").hexdigest()


class SignInLink(models.Model):
    """A link that signs one person in, once. Only a SHA-256 of its secret is kept."""

    secret_hash = models.BinaryField(max_length=32, unique=True, editable=False)
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="sign_in_links")
    next_path = models.CharField(max_length=200, default="/")
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"sign-in link until {self.expires_at:%Y-%m-%d %H:%M}"


class ApiToken(models.Model):
    """A program's key to some of what its owner may read. Shown once; only a SHA-256 is kept."""

    class Scope(models.TextChoices):
        TRANSCRIPT_READ = "transcript:read", "Read transcripts"
        FEEDBACK_READ = "feedback:read_revealed", "Read revealed feedback"
        PROFILE_READ = "profile:read", "Read my profile"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="api_tokens")
    label = models.CharField(max_length=80)
    secret_hash = models.BinaryField(max_length=32, unique=True, editable=False)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.label
