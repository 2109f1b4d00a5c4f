"""Many simulations at once. Each process has pages of its own."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

_browser: Any = None


def prepare() -> Any:
    """In each process: Django's settings without a database, and pages, which are returned."""
    global _browser  # noqa: PLW0603 - one per process, for all its simulations
    sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]
    os.environ["DJANGO_SETTINGS_MODULE"] = "anteroom.settings"
    import django

    django.setup()
    from tests.simulation.pages import Browser

    _browser = Browser()
    return _browser


def run(seed: int) -> tuple[int, str, dict[str, int]]:
    """(seed, what broke or "", how often which trouble came)."""
    from tests.simulation.world import simulate

    try:
        return seed, "", simulate(seed, _browser).faults
    except Exception as error:
        return seed, f"{type(error).__name__}: {error}", {}


def run_many(first: int, count: int, jobs: int) -> Iterator[tuple[int, str, dict[str, int]]]:
    """The outcome of each seed as it comes."""
    with multiprocessing.get_context("spawn").Pool(jobs, initializer=prepare) as pool:
        yield from pool.imap_unordered(run, range(first, first + count), chunksize=5)
