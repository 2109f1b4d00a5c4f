"""The files of platform/deploy: a real nginx serves by them, and the compose file names what there is."""

from __future__ import annotations

import datetime
import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from anteroom.processes import Child
from anteroom.programs import find_program
from anteroom.serving import free_port, until

DEPLOY = Path(__file__).resolve().parents[2] / "platform" / "deploy"
STRANGER = "127.0.0.2"
"""An address of this machine that is not the one of its neighbours."""


class Mirror(BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, MirrorServer)
        if self.path.startswith("/slow"):
            self.server.release.wait(30)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.dumps(
            {"path": self.path, "length": len(self.rfile.read(length)), "headers": dict(self.headers)}
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


class MirrorServer(ThreadingHTTPServer):
    """For as long as `release` is not set, it keeps who asks for /slow."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Mirror)
        self.release = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # nginx hung up


@dataclass
class Front:
    """An nginx by our files, on ports of its own, before a mirror."""

    http_port: int
    https_port: int
    folder: Path
    release: threading.Event

    def ask(
        self, path: str, *, source: str = "127.0.0.1", body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """Status and what the mirror saw, over TLS."""
        line = self.connect(source)
        try:
            line.request("POST" if body is not None else "GET", path, body, headers)
            answer = line.getresponse()
            told = answer.read()
            return answer.status, json.loads(told) if answer.status == 200 else {}
        finally:
            line.close()

    def connect(self, source: str = "127.0.0.1") -> http.client.HTTPSConnection:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection(
            "127.0.0.1", self.https_port, timeout=20, context=context, source_address=(source, 0)
        )


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("nginx")
    shutil.copytree(DEPLOY / "nginx", folder / "anteroom")
    _write_certificate(folder / "anteroom-certificates")
    mirror = MirrorServer()
    threading.Thread(target=mirror.serve_forever, daemon=True).start()
    front = Front(free_port(), free_port(), folder / "anteroom", mirror.release)
    _fit_to_this_machine(front, mirror.server_port)
    child = Child("nginx", [*_nginx(front.folder), "-g", "daemon off;"], log_path=folder / "nginx.log")

    def answers() -> bool:
        assert child.exit_code is None, child.last_lines()
        with socket.socket() as line:
            return line.connect_ex(("127.0.0.1", front.https_port)) == 0

    try:
        until(answers, "nginx answers")
        yield front
    finally:
        front.release.set()
        child.stop(10)
        mirror.shutdown()
        mirror.server_close()


def _fit_to_this_machine(front: Front, mirror_port: int) -> None:
    """Other ports, folders and neighbours; everything else stays as it is shipped."""
    main = front.folder / "nginx.conf"
    text = main.read_text().replace(":80 default", f":{front.http_port} default")
    text = text.replace("listen 80 ", f"listen {front.http_port} ").replace(
        "]:443 ", f"]:{front.https_port} "
    )
    text = text.replace("listen 443 ", f"listen {front.https_port} ")
    folders = "".join(f"{name}_temp_path temp_{name};" for name in ("proxy", "fastcgi", "uwsgi", "scgi"))
    text = text.replace("http {", f"http {{ client_body_temp_path temp_body; {folders}", 1)
    main.write_text(f"pid nginx.pid;\n{text}".replace("worker_rlimit_nofile 65536;", ""))
    upstreams = front.folder / "upstreams.conf"
    text = re.sub(r"^resolver .*$", "", upstreams.read_text(), flags=re.MULTILINE)
    upstreams.write_text(re.sub(r"server [\w-]+:8000 resolve", f"server 127.0.0.1:{mirror_port}", text))


def _nginx(folder: Path) -> list[str]:
    program = find_program("nginx", package="nginx")
    return [program, "-p", str(folder), "-e", "stderr", "-c", "nginx.conf"]


def _write_certificate(folder: Path) -> None:
    folder.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "privkey.pem").write_bytes(private)
    (folder / "fullchain.pem").write_bytes(certificate.public_bytes(pem))


# --- nginx --------------------------------------------------------------------------------------------


def test_nginx_takes_the_files_without_a_warning(front: Front) -> None:
    ran = subprocess.run([*_nginx(front.folder), "-t"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "warn" not in ran.stderr


def test_what_is_said_of_the_visitor_is_said_by_the_proxy(front: Front) -> None:
    claimed = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http", "Daphne-Root-Path": "/evil"}
    for path in ("/", "/accounts/login/", "/static/app.js", "/sockets/rooms/1"):
        status, seen = front.ask(path, source=STRANGER, Host="interviews.example.org", **claimed)
        assert status == 200
        headers = {name.lower(): value for name, value in seen["headers"].items()}
        assert headers["x-forwarded-for"] == STRANGER
        assert headers["x-forwarded-proto"] == "https"
        assert headers["host"] == "interviews.example.org"
        assert "daphne-root-path" not in headers
        assert headers.get("connection", "").lower() == ("upgrade" if path.startswith("/sockets") else "")


def test_plain_http_is_sent_to_https(front: Front) -> None:
    line = http.client.HTTPConnection("127.0.0.1", front.http_port, timeout=10)
    line.request("GET", "/rooms/?a=b", headers={"Host": "interviews.example.org"})
    answer = line.getresponse()
    assert (answer.status, answer.getheader("Location")) == (301, "https://interviews.example.org/rooms/?a=b")
    assert answer.getheader("Server") == "nginx"
    line.close()


def test_a_large_body_is_refused_and_a_usual_one_passes(front: Front) -> None:
    assert front.ask("/api/", body=b"x" * 1_000_000)[1]["length"] == 1_000_000
    assert front.ask("/api/", body=b"x" * 1_100_000)[0] == 413


def test_too_many_tries_at_a_door_are_refused_to_a_stranger_alone(front: Front) -> None:
    tried = [front.ask("/accounts/login/", source="127.0.0.3")[0] for _ in range(40)]
    assert tried.count(200) >= 20 and tried.count(429) >= 15 and set(tried) == {200, 429}
    assert front.ask("/accounts/login/", source="127.0.0.4")[0] == 200
    assert {front.ask("/accounts/login/")[0] for _ in range(40)} == {200}  # the machine itself


def test_a_crowd_of_connections_from_one_address_is_bounded(front: Front) -> None:
    lines = [front.connect("127.0.0.5") for _ in range(60)]
    try:
        for line in lines:
            line.request("GET", "/slow")
        until(lambda: front.ask("/static/x", source="127.0.0.5")[0] == 429, "the next one is refused")
        assert front.ask("/static/x", source="127.0.0.6")[0] == 200
    finally:
        front.release.set()
        for line in lines:
            line.close()


def test_half_a_request_is_not_waited_for(front: Front) -> None:
    with socket.create_connection(("127.0.0.1", front.http_port), timeout=15) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        with suppress(ConnectionResetError):  # the same in fewer packets; a TimeoutError is our deadline
            assert line.recv(1000) == b""


def test_nothing_is_written_of_who_came(front: Front) -> None:
    front.ask("/rooms/?secret=1", source=STRANGER)
    written = [path for path in front.folder.parent.rglob("*") if path.is_file() and "log" in path.name]
    assert all(STRANGER not in path.read_text() and "secret" not in path.read_text() for path in written)


# --- compose ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    return dict(yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"])


def test_every_server_of_the_proxy_is_a_service_and_every_service_is_served(services: dict[str, Any]) -> None:
    named = re.findall(r"^ +server ([\w-]+):8000 ", (DEPLOY / "nginx" / "upstreams.conf").read_text(), re.M)
    assert sorted(named) == sorted(name for name in services if re.match(r"(web|rooms)-\d", name))
    for name in named:
        assert services[name]["command"][3] == name.split("-")[0]
        assert services[name]["healthcheck"]["test"][1:4] == ["python", "-m", "anteroom.asking"]


def test_room_servers_share_no_voice_port_and_publish_theirs(services: dict[str, Any]) -> None:
    ranges = []
    for name, service in services.items():
        if name.startswith("rooms-"):
            low, high = map(int, service["environment"]["VOICE_PORTS"].split("-"))
            assert service["ports"] == [f"{low}-{high}:{low}-{high}/udp"]
            assert service["environment"]["DATABASE_URL"] and service["environment"]["VOICE_HOST"]
            ranges.append((low, high))
    ranges.sort()
    assert len(ranges) >= 2
    assert all(one[1] < other[0] for one, other in pairwise(ranges))


def test_all_parts_are_bounded_watched_and_given_time_to_end(services: dict[str, Any]) -> None:
    ours = [service for service in services.values() if service.get("image") == "anteroom"]
    assert len(ours) == 6
    for service in ours:
        assert service["read_only"] and service["cap_drop"] == ["ALL"]
        if service["restart"] == "unless-stopped":
            assert service["mem_limit"] and service["stop_grace_period"]
            assert service["depends_on"] == {"prepare": {"condition": "service_completed_successfully"}}
    assert {"postgres", "redis", "proxy"} <= {name for name in services if "healthcheck" in services[name]}
    assert "synchronous_commit=on" in services["postgres"]["command"]
    assert "ports" not in services["postgres"] and "ports" not in services["redis"]
