"""`manage.py roomserver`: the rooms' sockets alone, for many rooms."""

from __future__ import annotations

import argparse
import os
import socket
from typing import Any

from django.core.management.base import BaseCommand

from rooms.roomserver import serve


class Command(BaseCommand):
    help = "Serve the rooms' sockets over picows and uvloop. Pages need a web server beside it."
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
        parser.add_argument("--port", type=int, default=8001, help="port to listen on (8001)")
        parser.add_argument("--fd", type=int, help="an open listening socket to serve instead")
        parser.add_argument(
            "--processes", type=int, default=len(os.sched_getaffinity(0)),
            help="room processes, restarted when they die (one per core); 0: serve in this very process",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        listening = socket.socket(fileno=options["fd"]) if options["fd"] is not None else None
        if listening is None:
            listening = socket.create_server((options["host"], options["port"]), backlog=1024)
        serve(listening)
