"""Two people and a room that are ready to try, and somebody to look after them."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from accounts.models import Person
from accounts.services import make_sign_in_link
from rooms.live.lifecycle import Phase
from rooms.models import Room
from rooms.roles import Role
from rooms.services import invite, open_room, take_seat

TITLE = "Two sum, and what comes after"
LANGUAGE = "python"
CANDIDATE = ("candidate@anteroom.invalid", "Demo candidate")
INTERVIEWER = ("interviewer@anteroom.invalid", "Demo interviewer")
ADMIN = ("admin@anteroom.invalid", "Demo admin")


class AddressTaken(Exception):
    """Somebody signed up under the admin's address; no link may make them one."""


@dataclass(frozen=True)
class Demo:
    """Fresh links, each good for one sign-in."""

    room: Room
    candidate_link: str
    interviewer_link: str
    admin_link: str


@transaction.atomic
def prepare() -> Demo:
    """The demo's people, a room they can start, and new links; safe to call again and again.

    None of the three has a password. A room that is over makes room for a new one. Raises AddressTaken.
    """
    candidate, interviewer = _person(*CANDIDATE), _person(*INTERVIEWER)
    room = _ready_room(candidate, interviewer)
    lobby = reverse("rooms:lobby", args=[room.pk])
    return Demo(
        room=room,
        candidate_link=make_sign_in_link(person=candidate, next_path=lobby),
        interviewer_link=make_sign_in_link(person=interviewer, next_path=lobby),
        admin_link=make_sign_in_link(person=_admin(), next_path=reverse("admin:index")),
    )


def _person(email: str, name: str) -> Person:
    return Person.objects.filter(email=email).first() or Person.objects.create_user(email, name=name)


def _admin() -> Person:
    email, name = ADMIN
    person = Person.objects.filter(email=email).first()
    if person is None:
        return Person.objects.create_superuser(email, name=name)
    if not person.is_superuser:
        raise AddressTaken(f"{email} belongs to an account that is no admin's; remove it first.")
    return person


def _ready_room(candidate: Person, interviewer: Person) -> Room:
    rooms = Room.objects.seen_by(candidate).filter(title=TITLE, created_by=interviewer)
    room = rooms.order_by("-created_at").first()
    if room is None or not _can_be_used(room):
        room = open_room(person=interviewer, title=TITLE, role=Role.INTERVIEWER, language=LANGUAGE)
        take_seat(secret=invite(room=room, person=interviewer).rpartition("#")[2], person=candidate)
    elif room.phase == Phase.SCHEDULED:
        room.starts_at = timezone.now()  # it waited for today; nobody is late
        room.save(update_fields=["starts_at"])
    return room


def _can_be_used(room: Room) -> bool:
    """Not begun, or going on right now: of one left over from yesterday the time is up."""
    if room.phase == Phase.LIVE:
        return room.ends_at is not None and timezone.now() < room.ends_at
    return room.phase in (Phase.SCHEDULED, Phase.LOBBY)
