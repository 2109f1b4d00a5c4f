"""The questions of both forms, defined once: page, validation, drafts, storage and API read them from here.

A form is a frozen dataclass; each field carries its question. Source: published practice of blind, two-sided
interview feedback, where 3 or above on a scale is roughly the bar.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from rooms.roles import Role

SCALE_MIN, SCALE_MAX = 1, 4
MIN_TEXT_CHARACTERS = 50
MAX_TEXT_CHARACTERS = 8_000

QUALITY = ("Poor", "Below the bar", "Solid", "Amazing")
"""The technical scale; the candidate's own guess uses it too, so that the two can be compared."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a form, in the words its reader sees."""

    name: str
    label: str
    help: str = ""
    is_required: bool = True
    short: str = ""
    """How a review and a transcript name the answer."""


@dataclass(frozen=True, slots=True)
class YesNo(Question):
    """Two radio buttons; a bool."""

    yes: str = "Yes"
    no: str = "No"


@dataclass(frozen=True, slots=True)
class Scale(Question):
    """Four radio buttons, each with its anchor in words; 1 to 4, or None where `none` offers that."""

    anchors: tuple[str, str, str, str] = QUALITY
    none: str = ""
    """Label of a fifth choice for "does not apply"; empty: there is none."""


@dataclass(frozen=True, slots=True)
class Text(Question):
    """A few lines of writing."""

    min_characters: int = 0
    max_characters: int = MAX_TEXT_CHARACTERS
    is_private: bool = False
    """For the moderators, never in a review."""


def _ask(question: Question) -> Any:
    return dataclasses.field(metadata={"question": question})


@dataclass(frozen=True, slots=True)
class InterviewerForm:
    """What the interviewer says of the candidate: the same for practice and real interviews."""

    advance: bool = _ask(
        YesNo(
            "advance",
            "Would you advance this person?",
            help="To the next round, were this interview a real one.",
            short="Would advance",
        )
    )
    technical: int = _ask(
        Scale("technical", "Technical skill", help="3 or above is roughly the bar.", short="Technical skill")
    )
    problem_solving: int = _ask(
        Scale("problem_solving", "Problem solving", help="How they found their way.", short="Problem solving")
    )
    communication: int = _ask(
        Scale(
            "communication",
            "Communication",
            help="Could you follow their thinking?",
            short="Communication",
            anchors=("Hard to follow", "Patchy", "Clear", "Superb"),
        )
    )
    text: str = _ask(
        Text(
            "text",
            "Help your interviewee get better",
            help="What went well, what to practise next, one thing to try.",
            short="How to get better",
            min_characters=MIN_TEXT_CHARACTERS,
        )
    )
    note: str = _ask(
        Text(
            "note",
            "Private note to the moderators",
            help="Only if something was not right. Your interviewee never sees it.",
            is_required=False,
            is_private=True,
        )
    )


@dataclass(frozen=True, slots=True)
class CandidateForm:
    """What the candidate says of the interviewer."""

    work_with: bool = _ask(
        YesNo(
            "work_with",
            "Would you want to work with this interviewer?",
            short="Would want to work together",
        )
    )
    excitement: int = _ask(
        Scale(
            "excitement",
            "How excited would you be to work with them?",
            short="Excitement",
            anchors=("Not at all", "A little", "Quite", "Very"),
        )
    )
    questions: int = _ask(
        Scale(
            "questions",
            "Quality of the questions",
            short="Questions",
            anchors=("Poor", "Fair", "Good", "Excellent"),
        )
    )
    hints: int | None = _ask(
        Scale(
            "hints",
            "Helpfulness of the hints",
            short="Hints",
            anchors=("In the way", "Little help", "Helpful", "Just right"),
            none="No hints",
        )
    )
    communication: int = _ask(
        Scale(
            "communication",
            "Communication",
            help="Were they clear, and did they listen?",
            short="Communication",
            anchors=("Hard to follow", "Patchy", "Clear", "Superb"),
        )
    )
    text: str = _ask(
        Text(
            "text",
            "What would you tell them?",
            help="What helped you, what got in your way.",
            short="A few words",
            is_required=False,
        )
    )


@dataclass(frozen=True, slots=True)
class SelfAssessmentForm:
    """The candidate's private part, asked before anything else."""

    how_well: int = _ask(
        Scale(
            "how_well",
            "How well do you think you did?",
            help="On the scale your interviewer uses for technical skill.",
            short="You thought",
        )
    )
    seen_before: bool = _ask(
        YesNo("seen_before", "Had you seen this question before?", yes="Yes, or one much like it", no="No")
    )


Form = InterviewerForm | CandidateForm
FORMS: dict[Role, type[Form]] = {Role.INTERVIEWER: InterviewerForm, Role.CANDIDATE: CandidateForm}


def questions(form: type[Form] | type[SelfAssessmentForm]) -> tuple[Question, ...]:
    """The questions of a form in the order in which they are asked."""
    return tuple(field.metadata["question"] for field in dataclasses.fields(form))


def public_questions(form: type[Form]) -> tuple[Question, ...]:
    """The questions whose answers the addressee may read."""
    return tuple(each for each in questions(form) if not (isinstance(each, Text) and each.is_private))


def public_answers(form: Form) -> dict[str, Any]:
    """What of a form its addressee may read: everything but the private questions."""
    return {question.name: getattr(form, question.name) for question in public_questions(type(form))}


def pack(form: Form) -> bytes:
    """A form as the bytes that are sealed: one JSON object in UTF-8, in the order of the questions."""
    return json.dumps(dataclasses.asdict(form), ensure_ascii=False, separators=(",", ":")).encode()


def unpack(role: Role, packed: bytes) -> Form:
    """The form of this side from its bytes. Raises ValueError or TypeError for bytes not made by pack()."""
    return FORMS[role](**json.loads(packed))
