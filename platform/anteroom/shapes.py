"""Which processes make a site: one web server and the worker, or several behind nginx."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from anteroom import asking
from anteroom.proxy import Proxy, address_of
from anteroom.serving import daphne_command, free_port, roomserver_command, worker_command
from anteroom.supervision import Part

WEB_STOPS_WITHIN_S = 10
ROOMS_STOP_WITHIN_S = 20
"""A room server tells its people, and writes down what they sent."""
PROXY_STOPS_WITHIN_S = 5
WORKER_STOPS_WITHIN_S = 20
REDIS_STOPS_WITHIN_S = 5

ROOMS_RANK, PROXY_RANK, WORKER_RANK, REDIS_RANK = range(4)
"""Who is asked to stop first: people are told while the proxy still stands; the queues go last."""

Question = Callable[[], dict[str, bool] | None]


@dataclass(frozen=True)
class Shape:
    """The parts, and what to ask until each of them serves."""

    parts: list[Part]
    questions: list[Question]


def one_process(listening: socket.socket) -> Shape:
    """One web server for pages and rooms, on the socket that people come to."""
    descriptor = listening.fileno()
    web = Part(
        "web server",
        daphne_command(descriptor=descriptor),
        WEB_STOPS_WITHIN_S,
        rank=ROOMS_RANK,
        descriptors=(descriptor,),
    )
    return Shape([web, _worker()], [_asks_for_all(address_of(listening))])


def several(processes: int, proxy: Proxy) -> Shape:
    """So many web servers for pages and so many room servers for sockets, behind nginx.

    Each listens on a port of its own, which nobody holds while it is dead: nginx learns of that at once.
    """
    web_ports = [free_port() for _ in range(processes)]
    room_ports = [free_port() for _ in range(processes)]
    trusted = int(os.environ.get("TRUSTED_PROXIES") or 0)
    proxy.configure(pages=web_ports, rooms=room_ports, is_behind_another=trusted > 0)
    environment = {**os.environ, "TRUSTED_PROXIES": "1"}
    parts = [
        *(
            Part(f"web server {number}", daphne_command(port), WEB_STOPS_WITHIN_S, environment=environment)
            for number, port in enumerate(web_ports, 1)
        ),
        *(
            Part(
                f"room server {number}",
                roomserver_command(port),
                ROOMS_STOP_WITHIN_S,
                environment=environment,
            )
            for number, port in enumerate(room_ports, 1)
        ),
        Part(
            "proxy",
            proxy.command,
            PROXY_STOPS_WITHIN_S,
            rank=PROXY_RANK,
            descriptors=proxy.descriptors,
            environment=proxy.environment,
            orphan_signal=signal.SIGTERM,  # it has workers to end
        ),
        _worker(),
    ]
    questions: list[Question] = [
        *(_asks_for_all(f"http://127.0.0.1:{port}") for port in (*room_ports, *web_ports)),
        _asks_for_all(proxy.url),
    ]
    return Shape(parts, questions)


# --- inside -------------------------------------------------------------------------------------------


def _worker() -> Part:
    return Part("worker", worker_command(), WORKER_STOPS_WITHIN_S, rank=WORKER_RANK)


def _asks_for_all(url: str) -> Question:
    return partial(asking.health, url)
