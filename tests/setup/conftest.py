"""A folder for sites and databases of one test."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest


def fresh_home() -> Path:
    """A folder that other users may walk into, as the embedded Postgres does when the tests run as root.

    Not under pytest's own folders: each new run of pytest closes those to others, even while in use.
    """
    home = Path(tempfile.mkdtemp(prefix="home-", dir=os.environ["ANTEROOM_HOME"]))
    home.chmod(0o755)
    return home


@pytest.fixture
def home() -> Path:
    return fresh_home()
