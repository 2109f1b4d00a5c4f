"""The page without JavaScript: every step as a plain form."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from feedback.models import Draft, SelfAssessment, Submission, UnmaskChoice
from rooms.live.lifecycle import Phase
from rooms.models import Room
from tests.feedback.conftest import PRAISE, C, I, Interview

ASSESS = {"action": "assess", "how_well": "2", "seen_before": "true"}
ADVANCE = {
    "action": "submit",
    "advance": "true",
    "technical": "3",
    "problem_solving": "4",
    "communication": "2",
    "text": PRAISE,
    "note": "",
}
WORK_WITH = {
    "action": "submit",
    "work_with": "true",
    "excitement": "4",
    "questions": "3",
    "hints": "",
    "communication": "3",
    "text": "",
}


def page(interview: Interview) -> str:
    return reverse("feedback:feedback", args=[interview.room.pk])


def post(browser: Client, interview: Interview, data: dict[str, str]) -> Any:
    return browser.post(page(interview), data, follow=True)


def words(response: HttpResponse) -> str:
    return response.content.decode()


def test_the_whole_way_by_plain_forms(interview: Interview) -> None:
    candidate, interviewer = interview.client(C), interview.client(I)
    assert "First, just for you" in words(candidate.get(page(interview)))
    assert "How was it with" in words(post(candidate, interview, ASSESS))
    assert "Sealed. Thank you." in words(post(candidate, interview, WORK_WITH))
    assert "Sealed" not in words(interviewer.get(page(interview)))
    assert "Both have answered" in words(post(interviewer, interview, ADVANCE))
    assert PRAISE in words(candidate.get(page(interview)))
    yes = {"action": "unmask", "show_name": "on", "name": "Ada", "email": "not-ticked@example.org"}
    answer = words(post(candidate, interview, yes))
    assert "You said yes" in answer and "not-ticked" not in answer
    assert "Meet without masks" in words(post(candidate, interview, {"action": "withdraw"}))
    post(candidate, interview, yes)
    answer = words(post(interviewer, interview, {"action": "unmask", "show_message": "on", "message": "Hi"}))
    assert "You have both taken off the mask" in answer and "Ada" in answer


def test_the_form_is_not_shown_before_the_private_part(interview: Interview) -> None:
    """Also not to one who posts it first."""
    candidate = interview.client(C)
    response = candidate.post(page(interview), WORK_WITH)
    assert response.status_code == 409
    assert not Submission.objects.exists()
    assert "work_with" not in words(candidate.get(page(interview)))


def test_the_private_part_can_be_changed_until_the_rest_is_sent(interview: Interview) -> None:
    candidate = interview.client(C)
    post(candidate, interview, ASSESS)
    answer = words(candidate.get(page(interview) + "?private"))
    assert "First, just for you" in answer and 'value="2" checked' in answer
    post(candidate, interview, ASSESS | {"how_well": "4"})
    post(candidate, interview, WORK_WITH)
    assert "Sealed" in words(post(candidate, interview, ASSESS | {"how_well": "1"}))
    assert SelfAssessment.objects.get().how_well == 4


MISTAKES = [
    ({"text": "Too short."}, "at least 50 characters"),
    ({"text": " " * 60}, "Write a few words."),
    ({"text": "x" * 8_001}, "more than 8,000 characters"),
    ({"technical": "5"}, "Choose one of the four."),
    ({"technical": "three"}, "Choose one of the four."),
    ({"technical": "99999999999999999999"}, "Choose one of the four."),
    ({"technical": None}, "Choose one of the four."),
    ({"advance": None}, "Choose yes or no."),
    ({"advance": "perhaps"}, "Choose yes or no."),
]


@pytest.mark.parametrize(("change", "sentence"), MISTAKES)
def test_what_is_wrong_stands_beside_the_field_and_nothing_is_lost(
    interview: Interview, change: dict[str, str | None], sentence: str
) -> None:
    sent = {
        name: value
        for name, value in (ADVANCE | {"note": "Keep this."} | change).items()
        if value is not None
    }
    response = interview.client(I).post(page(interview), sent)
    assert response.status_code == 422
    answer = words(response)
    assert sentence in answer and "Keep this." in answer and 'value="4" checked' in answer
    assert not Submission.objects.exists()


def test_a_null_character_is_refused_not_a_bug(interview: Interview) -> None:
    response = interview.client(I).post(page(interview), ADVANCE | {"text": PRAISE + "\x00"})
    assert response.status_code == 422


def test_hints_need_an_answer_and_none_is_one(interview: Interview) -> None:
    candidate = interview.client(C)
    post(candidate, interview, ASSESS)
    open_one = {name: value for name, value in WORK_WITH.items() if name != "hints"}
    response = candidate.post(page(interview), open_one)
    assert response.status_code == 422 and "Choose one of the four." in words(response)
    assert "Sealed" in words(post(candidate, interview, WORK_WITH))


def test_a_draft_saved_by_its_button_comes_back(interview: Interview) -> None:
    interviewer = interview.client(I)
    answer = words(post(interviewer, interview, {"action": "save", "technical": "2", "text": "So far"}))
    assert "So far" in answer and 'value="2" checked' in answer and "Draft saved" in answer
    assert Draft.objects.get().answers == {"technical": 2, "text": "So far"}


def test_what_people_write_is_shown_as_text(interview: Interview) -> None:
    evil = '<script>alert("x")</script><img src=x onerror=y> ' + PRAISE
    post(interview.client(I), interview, ADVANCE | {"text": evil})
    candidate = interview.client(C)
    post(candidate, interview, ASSESS)
    answer = words(post(candidate, interview, WORK_WITH))
    assert "&lt;script&gt;" in answer and "<script>alert" not in answer and "<img" not in answer


BAD_YESES = [
    ({}, "Choose at least one thing to show."),
    ({"name": "Not ticked"}, "Choose at least one thing to show."),
    ({"show_name": "on", "name": "  "}, "Choose at least one thing to show."),
    ({"show_email": "on", "email": "nowhere"}, "This is no e-mail address."),
    ({"show_profile_url": "on", "profile_url": "javascript:alert(1)"}, "Write the whole link"),
]


@pytest.mark.parametrize(("fields", "sentence"), BAD_YESES)
def test_a_yes_that_shows_nothing_or_nonsense(
    interview: Interview, fields: dict[str, str], sentence: str
) -> None:
    interview.submit(C, I)
    response = interview.client(C).post(page(interview), {"action": "unmask", **fields})
    assert response.status_code == 422 and sentence in words(response)
    assert not UnmaskChoice.objects.exists()


@pytest.mark.parametrize("phase", [Phase.LIVE, Phase.CANCELLED, Phase.NO_SHOW])
def test_no_page_without_an_interview_that_ended(interview: Interview, phase: Phase) -> None:
    Room.objects.filter(pk=interview.room.pk).update(phase=phase.value)
    response = interview.client(C).get(page(interview))
    assert response.status_code == 302


def test_an_unknown_action_is_refused_and_shows_the_page(interview: Interview) -> None:
    response = interview.client(I).post(page(interview), {"action": "reveal"})
    assert response.status_code == 400 and "How was it with" in words(response)


def test_guests_are_not_promised_a_mail(interview: Interview) -> None:
    person = interview.people[C]
    interview.submit(C)
    assert "a mail tells you too" in words(interview.client(C).get(page(interview)))
    person.email = None
    person.save()
    assert "a mail tells you too" not in words(interview.client(C).get(page(interview)))
