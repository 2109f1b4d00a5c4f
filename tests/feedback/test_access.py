"""Person × state: what may be seen. The table is the rule and the test; what it does not name is hidden."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from accounts.models import Person
from feedback import services
from feedback.forms import CandidateForm, InterviewerForm, SelfAssessmentForm
from feedback.models import Exchange
from tests.feedback.conftest import C, I, Interview
from tests.feedback.everything import ask, reads

# Words that stand for what is secret, each found in the pages exactly when the secret is shown.
SECRETS = {
    "candidate's draft": "draftcandidatewort",
    "interviewer's draft": "draftinterviewerwort",
    "candidate's review": "reviewcandidatewort",
    "interviewer's review": "reviewinterviewerwort",
    "note": "notewort",
    "candidate's name": "Ada Unmaskwort",
    "interviewer's name": "Bo Unmaskwort",
}
GUESSED = ("you think it was", "You thought")
"""How the page speaks to the candidate of the private part, before and after."""

FORMS = {
    C: CandidateForm(True, 4, 3, None, 3, SECRETS["candidate's review"]),
    I: InterviewerForm(True, 3, 3, 3, SECRETS["interviewer's review"] * 4, SECRETS["note"]),
}
NAMES = {C: SECRETS["candidate's name"], I: SECRETS["interviewer's name"]}


def assess(interview: Interview) -> None:
    services.assess_self(seat=interview.seats[C], form=SelfAssessmentForm(2, True))


def draft(interview: Interview) -> None:
    for role in (C, I):
        services.save_draft(seat=interview.seats[role], answers={"text": SECRETS[f"{role.word}'s draft"]})


def submit_candidate(interview: Interview) -> None:
    services.submit(seat=interview.seats[C], form=FORMS[C])


def submit_interviewer(interview: Interview) -> None:
    services.submit(seat=interview.seats[I], form=FORMS[I])


def pass_deadline(interview: Interview) -> None:
    """A week earlier everything; the page itself closes what is due."""
    week = timedelta(days=7, seconds=1)
    exchange = interview.exchange
    Exchange.objects.filter(pk=exchange.pk).update(
        opened_at=exchange.opened_at - week, deadline_at=exchange.deadline_at - week
    )


def yes_candidate(interview: Interview) -> None:
    services.choose_unmask(seat=interview.seats[C], identity=services.Identity(name=NAMES[C]))


def yes_interviewer(interview: Interview) -> None:
    services.choose_unmask(seat=interview.seats[I], identity=services.Identity(name=NAMES[I]))


Step = Callable[[Interview], None]
BOTH_SUBMIT: list[Step] = [assess, draft, submit_candidate, submit_interviewer]
REVIEWS = {"candidate's review", "interviewer's review"}

TABLE: dict[str, tuple[list[Step], set[str], set[str]]] = {
    # state: (how it came about, what the candidate sees, what the interviewer sees)
    "nothing yet": ([], set(), set()),
    "assessed": ([assess], {"guess"}, set()),
    "drafted": ([assess, draft], {"guess", "candidate's draft"}, {"interviewer's draft"}),
    "candidate submitted": ([assess, draft, submit_candidate], set(), {"interviewer's draft"}),
    "interviewer submitted": (
        [assess, draft, submit_interviewer],
        {"guess", "candidate's draft"},
        set(),
    ),
    "revealed": (BOTH_SUBMIT, {"guess", *REVIEWS}, REVIEWS),
    "lapsed, nobody submitted": ([assess, draft, pass_deadline], set(), set()),
    "lapsed, candidate submitted": (
        [assess, draft, submit_candidate, pass_deadline],
        {"candidate's review"},
        {"candidate's review"},
    ),
    "lapsed, interviewer submitted": (
        [assess, draft, submit_interviewer, pass_deadline],
        {"guess", "interviewer's review"},
        {"interviewer's review"},
    ),
    "candidate said yes": (
        [*BOTH_SUBMIT, yes_candidate],
        {"guess", "candidate's name", *REVIEWS},
        REVIEWS,
    ),
    "interviewer said yes": (
        [*BOTH_SUBMIT, yes_interviewer],
        {"guess", *REVIEWS},
        {"interviewer's name", *REVIEWS},
    ),
    "both said yes": (
        [*BOTH_SUBMIT, yes_interviewer, yes_candidate],
        {"guess", "candidate's name", "interviewer's name", *REVIEWS},
        {"candidate's name", "interviewer's name", *REVIEWS},
    ),
}


def seen_by(browser: Client, interview: Interview) -> set[str]:
    words = b"".join(each.body for each in reads(browser, interview)).decode()
    seen = {name for name, secret in SECRETS.items() if secret in words}
    return seen | ({"guess"} if any(each in words for each in GUESSED) else set())


@pytest.mark.parametrize("state", TABLE)
def test_what_each_side_sees(interview: Interview, state: str) -> None:
    steps, candidate, interviewer = TABLE[state]
    for step in steps:
        step(interview)
    assert seen_by(interview.client(C), interview) == candidate
    assert seen_by(interview.client(I), interview) == interviewer


CALLS = [
    ("get", "", None),
    ("get", "/glance", None),
    ("put", "/draft", {"text": "x"}),
    ("put", "/self-assessment", {"how_well": 3, "seen_before": False}),
    ("post", "/submission", {}),
    ("put", "/unmask", {"name": "x"}),
    ("delete", "/unmask", None),
]


@pytest.mark.parametrize("state", ["nothing yet", "revealed", "both said yes"])
@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_strangers_cannot_tell_it_from_nothing(
    interview: Interview, state: str, method: str, path: str, body: object
) -> None:
    """Another person, and nobody: the same answer as for a room that does not exist."""
    for step in TABLE[state][0]:
        step(interview)
    stranger, nobody = Client(), Client()
    stranger.force_login(Person.objects.create_user("stranger@example.org"))
    nowhere = "00000000-0000-4000-8000-000000000000"
    more = {} if body is None else {"data": body, "content_type": "application/json"}
    for browser, status in ((stranger, 404), (nobody, 401)):
        ours = getattr(browser, method)(f"/api/rooms/{interview.room.pk}/exchange{path}", **more)
        none = getattr(browser, method)(f"/api/rooms/{nowhere}/exchange{path}", **more)
        assert (ours.status_code, ours.content) == (none.status_code, none.content)
        assert ours.status_code == status
    page = ask(stranger, "get", f"/rooms/{interview.room.pk}/feedback/")
    assert page.status == 404
    assert page.body == ask(stranger, "get", f"/rooms/{nowhere}/feedback/").body
    assert nobody.get(f"/rooms/{interview.room.pk}/feedback/").status_code == 302
