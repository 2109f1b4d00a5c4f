"""Protections broken on purpose, in the server's own process and nowhere in the product.

    python -m tests.bars.plants PLANT MODULE ARGUMENTS…

breaks one thing and then becomes `python -m MODULE ARGUMENTS…`, such as Daphne. A bar that still holds then
would show nothing.
"""

from __future__ import annotations

import importlib
import os
import runpy
import sys
from collections.abc import Callable

PLANTS: dict[str, Callable[[], None]] = {}
"""By the name of the function, with hyphens. Called with Django set up and the server not yet running."""


def plant(break_it: Callable[[], None]) -> Callable[[], None]:
    """Make this function a plant."""
    PLANTS[break_it.__name__.replace("_", "-")] = break_it
    return break_it


def main() -> None:
    name, module, *arguments = sys.argv[1:]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "anteroom.settings")
    if module == "daphne":
        importlib.import_module("daphne.server")  # before anything that brings Twisted's reactor
    import django

    django.setup()
    PLANTS[name]()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    # Under its own name too, so that what a plant imports does not load this file twice.
    sys.modules["tests.bars.plants"] = sys.modules["__main__"]
    main()
