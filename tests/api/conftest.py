"""A room with a story: opened, talked, typed and drawn in, ended, answered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from pycrdt import Doc, Text

from accounts.models import Person
from accounts.tokens import Scope, make_token
from feedback import services as feedback
from feedback.forms import CandidateForm, InterviewerForm, SelfAssessmentForm
from rooms.live.entry import write_event
from rooms.live.gate import ROOT
from rooms.live.lifecycle import Phase
from rooms.log import append
from rooms.models import Room, Seat
from rooms.phases import move_room
from rooms.roles import Role
from rooms.services import invite, open_room, take_seat
from rooms.streams import Stream

CODE = "def two_sum(numbers, target):\n    seen = {}\n"
PRAISE = "You explained every step. Next time, write the smallest failing test first."
NOTE = "CANARY-note: their connection dropped twice."


@dataclass
class Story:
    """The room and its two people; each step writes the log as a live room does."""

    room: Room
    people: dict[Role, Person]

    @property
    def url(self) -> str:
        return f"/api/rooms/{self.room.pk}/transcript"

    def seat(self, role: Role) -> Seat:
        return Seat.objects.select_related("room").get(room=self.room, role=role)

    def tell(self, role: Role, stream: Stream, kind: str, **fields: Any) -> None:
        self.put(role, stream, write_event(kind, **fields))

    def put(self, role: Role, stream: Stream, payload: bytes) -> None:
        room = Room.objects.get(pk=self.room.pk)
        append(room=room, role=role, stream=stream, payload=payload)

    def move(self, *phases: Phase) -> None:
        for phase in phases:
            move_room(room_id=self.room.pk, to=phase)

    def type(self, role: Role, text: str) -> None:
        code = Text()
        doc: Doc[Any] = Doc({ROOT: code})
        code += text
        self.put(role, Stream.CODE, doc.get_update())

    def live(self) -> None:
        """From the lobby into the interview, with a little of everything."""
        self.move(Phase.LOBBY)
        self.tell(Role.CANDIDATE, Stream.PRESENCE, "Came")
        self.tell(Role.INTERVIEWER, Stream.PRESENCE, "Came")
        self.move(Phase.LIVE)
        self.tell(Role.INTERVIEWER, Stream.CHAT, "Say", key="k1", text="Hello <b>there</b>")
        self.type(Role.CANDIDATE, CODE)
        self.tell(
            Role.CANDIDATE, Stream.BOARD, "Draw", elements=[element("box"), element("gone", isDeleted=True)]
        )
        self.tell(Role.CANDIDATE, Stream.LIFECYCLE, "Consent", recording=True)

    def end(self) -> None:
        self.move(Phase.WRAP_UP, Phase.FEEDBACK)

    def submit(self, *roles: Role) -> None:
        for role in roles:
            seat = self.seat(role)
            if role is Role.CANDIDATE:
                feedback.assess_self(seat=seat, form=SelfAssessmentForm(how_well=2, seen_before=True))
            feedback.submit(seat=seat, form=CANDIDATES if role is Role.CANDIDATE else INTERVIEWERS)

    def browser(self, role: Role) -> Client:
        return signed_in(self.people[role])


INTERVIEWERS = InterviewerForm(
    advance=True, technical=3, problem_solving=4, communication=2, text=PRAISE, note=NOTE
)
CANDIDATES = CandidateForm(work_with=True, excitement=4, questions=3, hints=None, communication=3, text="")


def element(id: str, **more: Any) -> dict[str, Any]:
    return {
        "id": id, "type": "rectangle", "x": 1, "y": 2, "width": 30, "height": 40, "version": 1,
        "versionNonce": 7, "isDeleted": False, "index": f"a{id}",
    } | more  # fmt: skip


def signed_in(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def with_token(person: Person, *scopes: Scope) -> Client:
    """A program of this person."""
    _, secret = make_token(person=person, label="script", scopes=scopes, valid_days=7)
    return Client(headers={"Authorization": f"Bearer {secret}"})


def a_person(name: str, **fields: Any) -> Person:
    return Person.objects.create_user(
        f"{name}@example.org", name=f"{name.title()} Canarywort", employer="Zanzibar Ltd", **fields
    )


def json_of(response: Any) -> Any:
    return json.loads(response.content)


@pytest.fixture
def story(transactional_db: None) -> Story:
    """A room that is open; nothing has happened in it yet."""
    people = {Role.CANDIDATE: a_person("ada"), Role.INTERVIEWER: a_person("bo")}
    ada, bo = people[Role.CANDIDATE], people[Role.INTERVIEWER]
    room = open_room(person=ada, title="Two sums", role=Role.CANDIDATE, language="python")
    take_seat(secret=invite(room=room, person=ada).rpartition("#")[2], person=bo)
    return Story(room, people)


@pytest.fixture
def ended(story: Story) -> Story:
    """The interview took place and has ended; nobody has answered."""
    story.live()
    story.end()
    return story
