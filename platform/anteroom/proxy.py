"""nginx in front of several processes of ours, with the limits of platform/deploy/nginx.

The files there are used as they are; what differs here is where it listens and which processes stand behind.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path

from anteroom.bootstrap import ROOT
from anteroom.programs import find_program

SHARED = ROOT / "platform" / "deploy" / "nginx"
SHARED_FILES = ("http.conf", "site.conf", "proxied.conf")
UNUSED_FOLDERS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
INHERITED = "NGINX"
"""The variable by which an nginx hands its listening sockets to the one that replaces it."""

_CONFIGURATION = """\
# Written by `up --processes` at each start.
daemon off;
worker_processes auto;
pid nginx.pid;
error_log stderr crit;
events {{ worker_connections 4096; }}

http {{
{folders}
    include http.conf;
{visitors}

    upstream pages {{
        zone page_servers 64k;
        least_conn;
{pages}
        keepalive 32;
        keepalive_timeout 20s;
    }}

    upstream rooms {{
        zone room_servers 64k;
        hash $uri consistent;
{rooms}
    }}

    server {{
        listen {listen};
        include site.conf;
    }}
}}
"""
_NOBODY_BEFORE_US = """\
    map "" $visitor_scheme { default $scheme; }"""
_A_PROXY_BEFORE_US = """\
    map "" $visitor_scheme { default $http_x_forwarded_proto; }
    set_real_ip_from 0.0.0.0/0;
    set_real_ip_from ::/0;
    real_ip_header X-Forwarded-For;"""


class Proxy:
    """One nginx on a socket that is listening already, so that a restart of it refuses nobody."""

    def __init__(self, folder: Path, listening: socket.socket) -> None:
        """folder: for its configuration. Raises Trouble where there is no nginx."""
        self.program = find_program("nginx", package="nginx")
        self._folder = folder
        self._listening = listening

    def configure(self, *, pages: Sequence[int], rooms: Sequence[int], is_behind_another: bool) -> None:
        """Write what to do with requests; ports of 127.0.0.1.

        is_behind_another: a trusted proxy stands in front and says for whom and by which scheme it asks.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        for name in SHARED_FILES:
            shutil.copyfile(SHARED / name, self._folder / name)
        written = _CONFIGURATION.format(
            folders="\n".join(f"    {name}_temp_path {name}_temp;" for name in UNUSED_FOLDERS),
            visitors=_A_PROXY_BEFORE_US if is_behind_another else _NOBODY_BEFORE_US,
            pages=_servers(pages),
            rooms=_servers(rooms),
            listen=_listen_directive(self._listening),
        )
        (self._folder / "nginx.conf").write_text(written)

    @property
    def url(self) -> str:
        """Where this machine reaches it."""
        return address_of(self._listening)

    @property
    def command(self) -> list[str]:
        return [self.program, "-p", str(self._folder), "-e", "stderr", "-c", "nginx.conf"]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, INHERITED: f"{self._listening.fileno()};"}

    @property
    def descriptors(self) -> tuple[int, ...]:
        return (self._listening.fileno(),)


def address_of(listening: socket.socket) -> str:
    """The URL at which this machine reaches what listens there."""
    host, port = listening.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1" if listening.family == socket.AF_INET else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _servers(ports: Sequence[int]) -> str:
    """Each is asked whatever it did before: here a dead one refuses at once, and the next one is asked."""
    return "\n".join(f"        server 127.0.0.1:{port} max_fails=0;" for port in ports)


def _listen_directive(listening: socket.socket) -> str:
    """As nginx writes it; it must be the very address, for nginx to take the socket over."""
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if listening.family == socket.AF_INET6 else f"{host}:{port}"
