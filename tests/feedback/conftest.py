"""An interview that has ended, its two people, and their answers."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.test import Client

from accounts.models import Person
from feedback import services
from feedback.forms import CandidateForm, InterviewerForm, SelfAssessmentForm
from feedback.models import Exchange
from rooms.live.lifecycle import Phase
from rooms.models import Room, Seat
from rooms.phases import move_room
from rooms.roles import Role

C, I = Role.CANDIDATE, Role.INTERVIEWER  # noqa: E741

PRAISE = "You explained every step. Next time, write the smallest failing test first."
THANKS = "Your hints came at the right moment."
NOTE = "Their connection dropped twice."

ADVANCE = InterviewerForm(
    advance=True, technical=3, problem_solving=4, communication=2, text=PRAISE, note=NOTE
)
WORK_WITH = CandidateForm(work_with=True, excitement=4, questions=3, hints=None, communication=3, text=THANKS)
GUESS = SelfAssessmentForm(how_well=2, seen_before=False)

ANSWERS = {C: WORK_WITH, I: ADVANCE}

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Interview:
    """A room in phase feedback with its exchange."""

    room: Room
    seats: dict[Role, Seat]
    people: dict[Role, Person]

    @property
    def exchange(self) -> Exchange:
        """As the database has it now."""
        return Exchange.objects.get(room=self.room)

    def client(self, role: Role) -> Client:
        """A browser in which this person is signed in."""
        browser = Client()
        browser.force_login(self.people[role])
        return browser

    def submit(self, *roles: Role, assess: bool = True) -> None:
        for role in roles:
            if role is C and assess:
                services.assess_self(seat=self.seats[C], form=GUESS)
            services.submit(seat=self.seats[role], form=ANSWERS[role])


def make_interview() -> Interview:
    """Through the services, as people do it; the phases as the room walks them."""
    from rooms.services import invite, open_room, take_seat

    number = next(_numbers)
    people = {
        C: Person.objects.create_user(
            f"ada{number}@example.org", name="Ada Canarywort", employer="Zanzibar Ltd"
        ),
        I: Person.objects.create_user(f"bo{number}@example.org", name="Bo Finchquill", employer="Yonder Inc"),
    }
    room = open_room(person=people[C], title="Practice", role=C, language="python")
    take_seat(secret=invite(room=room, person=people[C]).rpartition("#")[2], person=people[I])
    for phase in (Phase.LOBBY, Phase.LIVE, Phase.WRAP_UP, Phase.FEEDBACK):
        move_room(room_id=room.pk, to=phase)
    services.open_exchange(room_id=room.pk)  # in a test's own transaction no signal comes after a commit
    room.refresh_from_db()
    return Interview(room, {Role(seat.role): seat for seat in room.seats.all()}, people)


@pytest.fixture
def interview(db: None) -> Interview:
    return make_interview()


@pytest.fixture
def interviews(db: None) -> Callable[[], Interview]:
    return make_interview
