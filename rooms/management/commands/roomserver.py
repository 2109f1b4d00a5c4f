"""`manage.py roomserver`: the rooms' sockets alone, for many rooms."""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from anteroom import collector
from rooms.forks import Forks, listen
from rooms.roomserver import serve
from rooms.voice.desk import desk

DEFAULT_PORT = 8001


class Command(BaseCommand):
    help = "Serve the rooms' sockets over picows and uvloop. Pages need a web server beside it."
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
        parser.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"port ({DEFAULT_PORT})")
        parser.add_argument("--fd", type=int, help="an open listening socket to serve instead")
        parser.add_argument(
            "--processes", type=int, default=cores(),
            help="room processes, started again when they die (one per core); 0: serve in this very process",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        count = max(0, options["processes"])
        if options["fd"] is not None:
            listening = [socket.socket(fileno=options["fd"])] * max(1, count)
        else:
            try:
                listening = listen(options["host"], options["port"], count)
            except (OSError, OverflowError) as error:
                why = getattr(error, "strerror", None) or str(error)
                raise CommandError(
                    f"Port {options['port']} on {options['host']} cannot be used: {why}. Stop what uses it, "
                    "or choose another one with --port."
                ) from error
        if not count:
            serve(listening[0])
            return
        asyncio.run(desk().warm_up())  # what is loaded now, every process has
        collector.settle()
        Forks(listening, serve).run()


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
