"""How many sockets a process may have open."""

from __future__ import annotations

import resource
from contextlib import suppress


def allow_many() -> None:
    """Raise what the shell gave us, often 1,024, to what the system lets us have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS says "unlimited" and takes less
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
