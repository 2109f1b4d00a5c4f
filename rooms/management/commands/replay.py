"""Types a recorded history into a room of the running site, so that one can watch."""

from __future__ import annotations

import asyncio
import sys
import time
import uuid
from argparse import ArgumentParser
from pathlib import Path
from random import SystemRandom
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from websockets.exceptions import InvalidHandshake

from accounts.models import Person
from rooms.client import RoomClient
from rooms.live.lifecycle import Phase
from rooms.models import Seat
from rooms.passes import make_session
from rooms.roles import PEOPLE
from rooms.traces import NotATrace, Trace, read_trace, type_trace
from rooms.wire import Move

EDITS_PER_SECOND = 5.0
"""Of one person who types without a pause."""
SESSION_S = 12 * 60 * 60


class Command(BaseCommand):
    help = "Type a recorded editing history into a room of the running site, as both of its people."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("trace", type=Path, help="a .json or .json.gz of josephg/editing-traces")
        parser.add_argument("--room", required=True, type=uuid.UUID, help="id of a room; both seats taken")
        parser.add_argument(
            "--speed", type=float, default=10, metavar="N",
            help="N times a person's typing (5 edits a second); 0: as fast as it goes; default: 10",
        )  # fmt: skip

    def handle(self, *, trace: Path, room: uuid.UUID, speed: float, **_: Any) -> None:
        """Sign both people in, type, and compare what the room then holds with the trace's end."""
        try:
            recorded = read_trace(trace)
        except (NotATrace, OSError) as error:
            raise CommandError(str(error)) from error
        sessions = [make_session(person, SESSION_S) for person in _people(room)]
        try:
            self._play(recorded, room, speed, [session.session_key or "" for session in sessions])
        except (InvalidHandshake, ConnectionError, TimeoutError, OSError, ExceptionGroup) as error:
            raise CommandError(f"The room at {settings.SITE_URL} did not play along: {error}") from error
        finally:
            for session in sessions:
                session.delete()

    def _play(self, recorded: Trace, room: uuid.UUID, speed: float, keys: list[str]) -> None:
        # Where both typed at one place at one time, the lower clientID stands first, as in the recording.
        ids = sorted(SystemRandom().sample(range(1, 1 << 32), 2))
        url = f"{settings.SITE_URL.replace('http', 'ws', 1)}/sockets/rooms/{room}"
        clients = [
            RoomClient(
                url, cookie=f"{settings.SESSION_COOKIE_NAME}={key}", origin=settings.SITE_URL, client_id=id_
            )
            for key, id_ in zip(keys, ids, strict=True)
        ]
        edits = sum(map(len, recorded.sides))
        self.stdout.write(f"Typing {edits:,} edits into {settings.SITE_URL}/rooms/{room}/ …")
        began = time.monotonic()
        text = asyncio.run(
            _play(recorded, (clients[0], clients[1]), speed * EDITS_PER_SECOND, self._count(edits))
        )
        took_s = time.monotonic() - began
        if text != recorded.end:
            raise CommandError("The room's text differs from the recording's end; did someone else type?")
        self.stdout.write(
            f"Done in {took_s:.1f} s: both clients hold the recording's end, {len(text):,} characters."
        )

    def _count(self, total: int) -> Any:
        done = 0
        is_screen = sys.stdout.isatty()

        def count() -> None:
            nonlocal done
            done += 1
            if is_screen and (done % 100 == 0 or done == total):
                self.stdout.write(f"\r{done:,} of {total:,}", ending="" if done < total else "\n")
                self.stdout.flush()

        return count


async def _play(trace: Trace, clients: tuple[RoomClient, RoomClient], per_second: float, count: Any) -> str:
    first, second = clients
    async with first, second:
        if first.phase == Phase.LOBBY:
            await first.until(lambda: all(seat["here"] for seat in first.seats), "the other seat")
            await first.send(Move(Phase.LIVE))
        await first.edit((0, len(str(first.text)), trace.start))
        await first.until_saved()
        await second.until(lambda: str(second.text) == trace.start, "the cleared page")
        await type_trace(trace, clients, per_second=per_second, on_change=count)
        texts = {str(client.text) for client in clients}
        return texts.pop() if len(texts) == 1 else ""


def _people(room_id: uuid.UUID) -> list[Person]:
    """Candidate and interviewer. Raises CommandError."""
    seats = Seat.objects.filter(room_id=room_id, role__in=PEOPLE).order_by("role").select_related("room")
    people = [seat.person for seat in seats if seat.person]
    if not seats:
        raise CommandError(f"There is no room {room_id}.")
    if not Phase(seats[0].room.phase).is_open:
        raise CommandError("The room has ended.")
    if len(people) != len(PEOPLE):
        raise CommandError("A seat of the room is free; both must be taken.")
    return people
