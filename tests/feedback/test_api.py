"""The same verbs over REST, with errors by field."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from feedback.models import Draft, Submission
from tests.feedback.conftest import PRAISE, THANKS, C, I, Interview

ADVANCE = {"advance": True, "technical": 3, "problem_solving": 4, "communication": 2, "text": PRAISE}
WORK_WITH = {
    "work_with": True, "excitement": 4, "questions": 3, "hints": None, "communication": 3, "text": THANKS,
}  # fmt: skip


def call(browser: Client, interview: Interview, method: str, path: str, body: Any = None) -> Any:
    """Status and JSON of one call below the exchange."""
    more = {} if body is None else {"data": body, "content_type": "application/json"}
    response = getattr(browser, method)(f"/api/rooms/{interview.room.pk}/exchange{path}", **more)
    assert response["Cache-Control"] == "no-store"
    return response.status_code, response.json()


def test_the_whole_way(interview: Interview) -> None:
    candidate, interviewer = interview.client(C), interview.client(I)
    status, standing = call(candidate, interview, "get", "")
    assert (status, standing["state"], standing["role"]) == (200, "assessing", "candidate")
    guess = {"how_well": 2, "seen_before": False}
    status, standing = call(candidate, interview, "put", "/self-assessment", guess)
    assert (status, standing["state"], standing["assessment"]) == (200, "answering", guess)
    status, saved = call(candidate, interview, "put", "/draft", {"excitement": 2, "text": "So "})
    assert status == 200 and set(saved) == {"saved_at"}
    assert call(candidate, interview, "get", "")[1]["draft"] == {"excitement": 2, "text": "So "}
    status, standing = call(candidate, interview, "post", "/submission", WORK_WITH)
    assert (status, standing["state"], standing["by_me"]) == (201, "waiting", None)
    assert call(interviewer, interview, "get", "/glance") == (200, {"state": "answering", "unmask": "closed"})
    status, standing = call(interviewer, interview, "post", "/submission", ADVANCE)
    assert (status, standing["state"]) == (201, "revealed")
    assert standing["about_me"]["answers"] == WORK_WITH and standing["about_me"]["author"] == "candidate"
    assert standing["by_me"]["answers"] == ADVANCE
    assert call(candidate, interview, "get", "/glance") == (200, {"state": "revealed", "unmask": "open"})
    status, standing = call(candidate, interview, "put", "/unmask", {"name": "Ada"})
    assert (status, standing["unmask"]["state"], standing["unmask"]["mine"]["name"]) == (200, "chosen", "Ada")
    assert call(candidate, interview, "delete", "/unmask")[1]["unmask"]["state"] == "open"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"advance", "technical", "problem_solving", "communication", "text"}),
        (ADVANCE | {"technical": 0}, {"technical"}),
        (ADVANCE | {"technical": "three"}, {"technical"}),
        (ADVANCE | {"technical": None}, {"technical"}),
        (ADVANCE | {"technical": 2.5}, {"technical"}),
        (ADVANCE | {"advance": None}, {"advance"}),
        (ADVANCE | {"text": PRAISE[:49]}, {"text"}),
        (ADVANCE | {"text": {"a": 1}}, {"text"}),
        (ADVANCE | {"note": "x" * 9_000}, {"note"}),
    ],
)
def test_what_is_wrong_is_said_by_field(interview: Interview, body: Any, fields: set[str]) -> None:
    status, problem = call(interview.client(I), interview, "post", "/submission", body)
    assert (status, problem["code"], set(problem["fields"])) == (422, "unusable", fields)
    assert not Submission.objects.exists()


@pytest.mark.parametrize("body", [[], "text", [[1]], 7])
def test_a_body_of_another_shape_is_refused(interview: Interview, body: Any) -> None:
    for method, path in (("post", "/submission"), ("put", "/draft"), ("put", "/unmask")):
        status, problem = call(interview.client(I), interview, method, path, body)
        assert 400 <= status < 500 and problem["detail"]
    assert not Draft.objects.exists()


@pytest.mark.parametrize("body", [{"technical": 9}, {"text": "x" * 8_001}, {"advance": "perhaps"}])
def test_a_draft_may_lack_anything_but_holds_nothing_wrong(interview: Interview, body: Any) -> None:
    browser = interview.client(I)
    assert call(browser, interview, "put", "/draft", {"technical": None, "text": "  So "})[0] == 200
    assert call(browser, interview, "put", "/draft", body)[0] == 422
    assert Draft.objects.get().answers == {"technical": None, "text": "  So "}


def test_refusals_have_codes(interview: Interview) -> None:
    candidate = interview.client(C)
    assert call(candidate, interview, "post", "/submission", WORK_WITH)[1]["code"] == "assess_first"
    interview.submit(C)
    for method, path, body in (
        ("post", "/submission", WORK_WITH),
        ("put", "/draft", {}),
        ("put", "/self-assessment", {"how_well": 1, "seen_before": True}),
    ):
        status, problem = call(candidate, interview, method, path, body)
        assert (status, problem["code"]) == (409, "already_submitted")
    assert call(candidate, interview, "delete", "/unmask")[1]["code"] == "unmask_closed"
    status, problem = call(interview.client(I), interview, "put", "/self-assessment", {"how_well": 9})
    assert (status, problem["code"]) == (409, "feedback_not_open")


def test_a_foreign_page_cannot_submit(interview: Interview) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(interview.people[I])
    status, problem = call(browser, interview, "post", "/submission", ADVANCE)
    assert (status, problem["code"]) == (403, "not_allowed")
    assert not Submission.objects.exists()
