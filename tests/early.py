"""Before Django reads its settings: a scratch home and a real Postgres for the whole run.

Loaded by `-p tests.early` in pyproject.toml, since conftest.py would come too late.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from anteroom.postgres import EmbeddedPostgres

_scratch = tempfile.TemporaryDirectory(prefix="anteroom-tests-")
HOME = Path(_scratch.name)
HOME.chmod(0o755)  # the embedded Postgres runs as another user when the tests run as root
(HOME / "static").mkdir()  # WhiteNoise warns where nothing was gathered
os.environ["ANTEROOM_HOME"] = str(HOME)
# Tasks are called here, not queued; tests/setup tries the queue itself.
os.environ.setdefault("CELERY_BROKER_URL", "memory://")

postgres: EmbeddedPostgres | None = None
if "DATABASE_URL" not in os.environ:
    postgres = EmbeddedPostgres(HOME / "postgres")
    os.environ["DATABASE_URL"] = postgres.start()


def pytest_unconfigure(config: pytest.Config) -> None:
    if postgres:
        postgres.stop()
