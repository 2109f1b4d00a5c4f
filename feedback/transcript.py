"""Released reviews as part of a transcript. rooms/transcript.py asks; feedback/apps.py registers it."""

from __future__ import annotations

from collections.abc import Iterator

from feedback.forms import FORMS, Question, Scale, YesNo, public_questions
from feedback.selectors import revealed_reviews
from rooms.models import Seat
from rooms.transcript import Addition, Answer, Value


def reviews(seat: Seat) -> Iterator[Addition]:
    """What this seat may read of the feedback on its room; nothing before the release."""
    for review in revealed_reviews(room_id=seat.room_id, seat=seat):
        answers = tuple(
            _answer(question, review.answers[question.name])
            for question in public_questions(FORMS[review.author])
        )
        yield Addition(review.author, answers)


def _answer(question: Question, value: Value) -> Answer:
    return Answer(question.name, question.short, value, _words(question, value))


def _words(question: Question, value: Value) -> str:
    match question:
        case YesNo():
            return question.yes if value else question.no
        case Scale() if value is None:
            return question.none
        case Scale() if isinstance(value, int):
            return question.anchors[value - 1]
        case _:
            return str(value)
