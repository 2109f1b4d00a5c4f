"""Anteroom under load: its rooms' sockets behind each of its shells, its gate and its durable commits on."""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg
from django.conf import settings
from django.utils import timezone

from accounts.models import Person
from anteroom.postgres import EmbeddedPostgres
from anteroom.serving import Shell, Site, drop_database, fresh_name, make_database, migrate
from rooms.bench.sync.clients import Door
from rooms.bench.sync.servers import Server, on_core, tree
from rooms.models import Room, Seat
from rooms.passes import make_session
from rooms.roles import PEOPLE

UNLIMITED = {
    "ROOM_MESSAGES_PER_S": "0",
    "ROOM_BYTES_PER_S": "0",
    "ROOM_HANDSHAKES_PER_MINUTE": "0",
    "LOG_LEVEL": "WARNING",
}
"""What one person may send is limited elsewhere; here one client types as fast as it can."""
SESSION_S = 24 * 3600
WAL_FILES = 32
"""Of 16 MB: more than one server writes while it is measured."""


class Postgres:
    """The database of all our servers, on the server's core: what it takes is part of what they need."""

    def __init__(self, folder: Path, core: int | None) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self._embedded = EmbeddedPostgres(folder)
        with on_core(core):
            self.url = self._embedded.start(options={"min_wal_size": f"{WAL_FILES * 16}MB"})
        self._have_wal_files()
        self.template = fresh_name("template")
        migrate(make_database(self.url, self.template), folder.parent)

    def _have_wal_files(self) -> None:
        """Make the files that a database that has run for a while uses again: it stops for each new one."""
        with psycopg.connect(self.url, autocommit=True) as line:
            for _ in range(WAL_FILES):
                line.execute("SELECT pg_logical_emit_message(false, '', ''), pg_switch_wal()")
            line.execute("CHECKPOINT")

    def processes(self) -> list[psutil.Process]:
        return tree(self._embedded.pid) if self._embedded.pid else []

    def stop(self) -> None:
        self._embedded.stop()


class Anteroom(Server):
    """One process that serves the rooms' sockets."""

    stores = "Postgres, before it is shown"
    name_size = 36

    def __init__(self, folder: Path, core: int | None, postgres: Postgres, shell: Shell) -> None:
        self.name = self.title = f"Anteroom, {shell}"
        self._core = core
        self._postgres = postgres
        self._database = fresh_name("bench")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "secret_key").write_text(settings.SECRET_KEY)  # so that sessions made here count there
        self.folder = folder
        self.site = Site(
            home=folder, database_url=make_database(postgres.url, self._database, template=postgres.template),
            shell=shell, settings=UNLIMITED,
        )  # fmt: skip
        host, _, port = self.site.socket_url.rpartition("//")[2].partition(":")
        self.address = ("127.0.0.1" if host == "localhost" else host, int(port))

    def start(self) -> None:
        with on_core(self._core):
            self.site.start()

    def stop(self) -> None:
        self.site.stop()

    def kill(self) -> None:
        self.site.kill()

    def close(self) -> None:
        self.site.stop()
        drop_database(self._postgres.url, self._database)
        shutil.rmtree(self.folder, ignore_errors=True)

    def processes(self) -> list[psutil.Process]:
        return tree(self.site.server_pid)

    def database_processes(self) -> list[psutil.Process]:
        return self._postgres.processes()

    def doors(self, count: int) -> list[Door]:
        with self.site.database():
            people = Person.objects.bulk_create(
                [Person(name="Bench", password="!") for _ in range(2 * count)], batch_size=500
            )
            rooms = Room.objects.bulk_create(
                [Room(title="Benchmark", language="python", starts_at=timezone.now()) for _ in range(count)],
                batch_size=500,
            )
            seats, doors = [], []
            for number, room in enumerate(rooms):
                pair = people[2 * number : 2 * number + 2]
                seats += [
                    Seat(room=room, role=role, person=person, mask=f"Mask {place}")
                    for place, (role, person) in enumerate(zip(PEOPLE, pair, strict=True))
                ]
                candidate, interviewer = map(self._headers, pair)
                doors.append(Door(str(room.pk), f"/sockets/rooms/{room.pk}", (candidate, interviewer)))
            Seat.objects.bulk_create(seats, batch_size=500)
        return doors

    def _headers(self, person: Person) -> dict[str, str]:
        """Those of a signed-in person's page."""
        key = make_session(person, SESSION_S).session_key
        return {"Cookie": f"{settings.SESSION_COOKIE_NAME}={key}", "Origin": self.site.url}
