"""Figures a person can reproduce: `manage.py bench NAME` measures one thing and prints one table."""

from __future__ import annotations

import importlib
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

BENCHES = {
    "journey": "rooms.bench.journey", "storage": "rooms.bench.storage", "sync": "rooms.bench.sync",
}  # fmt: skip
"""Name on the command line: module with `add_arguments(parser)` and `run(say, **options)`."""


class Command(BaseCommand):
    help = __doc__
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        benches = parser.add_subparsers(dest="bench", required=True, metavar="NAME")
        for name, path in BENCHES.items():
            module = importlib.import_module(path)
            summary = (module.__doc__ or "").split("\n", maxsplit=1)[0]
            module.add_arguments(benches.add_parser(name, help=summary, description=summary))

    def handle(self, *, bench: str, **options: Any) -> None:
        importlib.import_module(BENCHES[bench]).run(say=self.stdout.write, **options)
