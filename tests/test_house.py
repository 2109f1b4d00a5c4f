"""The house stands: what every other part relies on."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import call_command

ROOT = Path(__file__).resolve().parents[1]


def test_platform_stays_a_plain_folder() -> None:
    """A package named platform would hide Python's own, and nothing would start."""
    assert not (ROOT / "platform" / "__init__.py").exists()


@pytest.mark.django_db
def test_migrations_match_the_models() -> None:
    call_command("makemigrations", "--check", "--dry-run")
