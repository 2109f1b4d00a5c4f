"""People, rooms and answers at the running site, made by the services that its pages call.

Everything here runs in a thread beside the browsers': Playwright's keeps an event loop in which Django's
synchronous side may not be used.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import ParamSpec, TypeVar

from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import ApiToken, Person
from accounts.services import make_sign_in_link
from accounts.tokens import make_token
from feedback import services as feedback
from feedback.forms import CandidateForm, InterviewerForm, SelfAssessmentForm
from feedback.models import ANSWER_TIME
from rooms.live.lifecycle import Phase
from rooms.log import entries
from rooms.models import Room, Seat
from rooms.phases import move_room
from rooms.roles import Role
from rooms.services import invite, open_room, take_seat

PASSWORD = "correct horse battery"
PRAISE = "You explained every step. Next time, write the smallest failing test first."
THANKS = "Your hints came at the right moment, and never too early."
ADVANCE = InterviewerForm(advance=True, technical=3, problem_solving=4, communication=2, text=PRAISE, note="")
WORK_WITH = CandidateForm(work_with=True, excitement=4, questions=3, hints=None, communication=3, text=THANKS)
GUESS = SelfAssessmentForm(how_well=2, seen_before=False)
TO_FEEDBACK = (Phase.LOBBY, Phase.LIVE, Phase.WRAP_UP, Phase.FEEDBACK)

Given = ParamSpec("Given")
Made = TypeVar("Made")

_numbers = itertools.count(1)
_beside = ThreadPoolExecutor(1, thread_name_prefix="stage")


def aside(work: Callable[Given, Made]) -> Callable[Given, Made]:
    """Let the function run in the thread beside."""

    @functools.wraps(work)
    def run(*given: Given.args, **more: Given.kwargs) -> Made:
        return _beside.submit(work, *given, **more).result()

    return run


@dataclass(frozen=True)
class Interview:
    """A room and its two people."""

    room: Room
    candidate: Person
    interviewer: Person

    @property
    def path(self) -> str:
        return reverse("rooms:room", args=[self.room.pk])

    @property
    def lobby(self) -> str:
        return reverse("rooms:lobby", args=[self.room.pk])

    @property
    def feedback(self) -> str:
        return reverse("feedback:feedback", args=[self.room.pk])

    @property
    def transcript(self) -> str:
        return reverse("rooms:transcript", args=[self.room.pk])


@aside
def leave_stage() -> None:
    """Give back the connections of the thread beside."""
    connections.close_all()


@aside
def person(name: str = "", *, password: str | None = None) -> Person:
    """Somebody new with an e-mail address of their own."""
    made: Person = Person.objects.create_user(f"somebody{next(_numbers)}@example.org", password, name=name)
    return made


@aside
def waiting_room(interviewer: Person, *, title: str = "Two sum, out loud") -> tuple[Room, str]:
    """A room whose candidate is still to come, and the link that is waiting for them."""
    room = open_room(person=interviewer, title=title, role=Role.INTERVIEWER, language="python")
    return room, invite(room=room, person=interviewer)


@aside
def interview(*, title: str = "Two sum, out loud", ended: bool = False) -> Interview:
    """A room with both seats taken; `ended`: both are to give feedback now."""
    number = next(_numbers)
    candidate = Person.objects.create_user(f"ada{number}@example.org", PASSWORD, name="Ada Canarywort")
    interviewer = Person.objects.create_user(f"bo{number}@example.org", PASSWORD, name="Bo Finchquill")
    room = open_room(person=interviewer, title=title, role=Role.INTERVIEWER, language="python")
    take_seat(secret=invite(room=room, person=interviewer).rpartition("#")[2], person=candidate)
    for phase in TO_FEEDBACK if ended else ():
        move_room(room_id=room.pk, to=phase)
    if ended:
        feedback.open_exchange(room_id=room.pk)
    return Interview(room, candidate, interviewer)


@aside
def submit(held: Interview, *roles: Role, assess_only: bool = False) -> None:
    """Let these sides give their feedback."""
    seats = {Role(seat.role): seat for seat in Seat.objects.filter(room=held.room)}
    for role in roles:
        if role is Role.CANDIDATE:
            feedback.assess_self(seat=seats[role], form=GUESS)
        if not assess_only:
            feedback.submit(seat=seats[role], form=WORK_WITH if role is Role.CANDIDATE else ADVANCE)


@aside
def unmask(held: Interview) -> None:
    """Let both sides say yes."""
    for seat in Seat.objects.filter(room=held.room).select_related("person"):
        shown = feedback.Identity(name=seat.person.name, message="Good to meet you!")
        feedback.choose_unmask(seat=seat, identity=shown)


@aside
def pass_deadline(held: Interview) -> None:
    """Let the seven days be over."""
    feedback.close_if_due(room_id=held.room.pk, now=timezone.now() + ANSWER_TIME + timedelta(minutes=1))


@aside
def sign_in_link(somebody: Person, next_path: str = "/") -> str:
    return make_sign_in_link(person=somebody, next_path=next_path)


@aside
def session_of(somebody: Person) -> str:
    """The key of a fresh session, as the cookie holds it."""
    client = Client()
    client.force_login(somebody)
    return str(client.cookies["sessionid"].value)


@aside
def token_of(somebody: Person, *scopes: str) -> str:
    """The secret of a new token."""
    wanted = [ApiToken.Scope(scope) for scope in scopes]
    return make_token(person=somebody, label="test", scopes=wanted, valid_days=7)[1]


@aside
def logged(room: Room) -> int:
    """How many entries the room's log holds."""
    return len(entries(room.pk))
