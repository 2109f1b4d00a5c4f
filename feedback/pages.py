"""The feedback page: one address, five states, complete without JavaScript."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods
from rest_framework.serializers import Serializer

from accounts.models import Person
from feedback import selectors, services
from feedback.errors import AlreadySubmitted, AlreadyUnmasked, NotOpen, TooLate, UnmaskClosed
from feedback.forms import FORMS, Question, Scale, SelfAssessmentForm, Text, YesNo, questions
from feedback.selectors import Standing, State, UnmaskState
from feedback.serializers import FORM_SERIALIZERS, SelfAssessmentSerializer, UnmaskSerializer
from rooms.live.lifecycle import Phase
from rooms.models import Seat
from rooms.roles import Role
from rooms.selectors import seat_in

Values = Mapping[str, Any]
Errors = Mapping[str, list[str]]

WITH_FEEDBACK = (Phase.FEEDBACK, Phase.REVEALED, Phase.LAPSED)
UNMASK_FIELDS = ("name", "email", "profile_url", "message")


@dataclass(frozen=True, slots=True)
class Choice:
    """One radio button."""

    value: str
    label: str
    number: str
    checked: bool


@dataclass(frozen=True, slots=True)
class Field:
    """A question as the template draws it."""

    question: Question
    kind: str
    value: Any
    error: str

    @property
    def choices(self) -> list[Choice]:
        match self.question:
            case YesNo(yes=yes, no=no):
                return [
                    Choice("true", yes, "", self.value is True),
                    Choice("false", no, "", self.value is False),
                ]
            case Scale(anchors=anchors, none=none):
                scale = [
                    Choice(str(number), words, str(number), self.value == number)
                    for number, words in enumerate(anchors, start=1)
                ]
                return [*scale, Choice("", none, "–", self.value is None)] if none else scale
        return []


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def feedback_page(request: HttpRequest, room_id: UUID) -> HttpResponse:
    """GET: where my side stands. POST: one of the steps in ACTIONS, for a browser without JavaScript too."""
    seat = seat_in(room_id=room_id, person=request.user)
    if Phase(seat.room.phase) not in WITH_FEEDBACK:
        return redirect("rooms:room", room_id=room_id)  # it knows where an unfinished room leads
    services.open_exchange(room_id=room_id)
    services.close_if_due(room_id=room_id)
    if request.method != "POST":
        return _page(request, seat)
    act = ACTIONS.get(request.POST.get("action", ""))
    if act is None:
        return _page(request, seat, status=400)
    try:
        refused = act(request, seat)
    except (AlreadySubmitted, TooLate, AlreadyUnmasked, UnmaskClosed):
        refused = None  # a second tab was quicker; the page that follows says how things stand
    return refused or redirect("feedback:feedback", room_id=room_id)


# --- steps: each carries out one POST and answers only if something needs a second look ---------------


def _assess(request: HttpRequest, seat: Seat) -> HttpResponse | None:
    form = SelfAssessmentSerializer(data=_posted(request.POST, questions(SelfAssessmentForm)))
    if not form.is_valid():
        return _page(request, seat, posted=form)
    services.assess_self(seat=seat, form=form.answers())
    return None


def _save(request: HttpRequest, seat: Seat) -> HttpResponse | None:
    draft = _answers(request, seat, is_draft=True)
    if not draft.is_valid():
        return _page(request, seat, posted=draft)
    services.save_draft(seat=seat, answers=dict(draft.validated_data))
    return None


def _submit(request: HttpRequest, seat: Seat) -> HttpResponse | None:
    form = _answers(request, seat)
    if not form.is_valid():
        return _page(request, seat, posted=form)
    services.submit(seat=seat, form=form.answers())
    return None


def _unmask(request: HttpRequest, seat: Seat) -> HttpResponse | None:
    chosen = {name: request.POST.get(name, "") for name in UNMASK_FIELDS if f"show_{name}" in request.POST}
    form = UnmaskSerializer(data=chosen)
    if not form.is_valid():
        return _page(request, seat, posted=form)
    services.choose_unmask(seat=seat, identity=services.Identity(**form.validated_data))
    return None


def _withdraw(request: HttpRequest, seat: Seat) -> HttpResponse | None:
    services.withdraw_unmask(seat=seat)
    return None


ACTIONS: dict[str, Callable[[HttpRequest, Seat], HttpResponse | None]] = {
    "assess": _assess,
    "save": _save,
    "submit": _submit,
    "unmask": _unmask,
    "withdraw": _withdraw,
}


# --- drawing ------------------------------------------------------------------------------------------


def _page(
    request: HttpRequest, seat: Seat, *, posted: Serializer[Any] | None = None, status: int = 200
) -> HttpResponse:
    """The page as this side may see it. posted: a form that needs a second look, with what is wrong."""
    standing = selectors.standing(seat=seat)
    person = request.user
    assert isinstance(person, Person)
    values: Values = posted.initial_data if posted else standing.draft
    errors: Errors = posted.errors if posted else {}
    wants_step_1 = "private" in request.GET or isinstance(posted, SelfAssessmentSerializer)
    step_1 = standing.state is State.ASSESSING or (
        standing.state is State.ANSWERING and standing.role is Role.CANDIDATE and wants_step_1
    )
    context: dict[str, Any] = {
        "standing": standing,
        "state": "assessing" if step_1 else standing.state.value,
        "errors": errors,
        "compared": standing.compared,
        "has_email": bool(person.email),
        "page": _page_data(standing, person),
    }
    if step_1:
        given = values if posted else _assessed(standing)
        context["fields"] = _fields(questions(SelfAssessmentForm), given, errors)
    elif standing.state is State.ANSWERING:
        context["fields"] = _fields(questions(FORMS[standing.role]), values, errors)
    if standing.unmask.state in (UnmaskState.OPEN, UnmaskState.CHOSEN):
        context["unmask_fields"] = _unmask_fields(standing, person, request.POST if posted else None, errors)
        context["wants_change"] = "change" in request.GET or bool(posted)
    return render(request, "feedback/feedback.html", context, status=422 if errors else status)


def _page_data(standing: Standing, person: Person) -> dict[str, Any]:
    """What the scripts need. The person's own words go to their own browser, to warn before they are sent."""
    data: dict[str, Any] = {
        "state": standing.state.value,
        "unmask": standing.unmask.state.value,
        "urls": {
            name: reverse(f"feedback_api:{name}", args=[standing.room_id])
            for name in ("glance", "draft", "submission")
        },
    }
    if standing.state is State.ANSWERING:
        data["guard"] = {"names": [word for word in (person.name, person.employer) if word]}
    return data


def _answers(request: HttpRequest, seat: Seat, *, is_draft: bool = False) -> Any:
    role = Role(seat.role)
    if role not in FORMS:
        raise NotOpen
    data = _posted(request.POST, questions(FORMS[role]))
    return FORM_SERIALIZERS[role](data=data, partial=is_draft)


def _posted(post: QueryDict, asked: tuple[Question, ...]) -> dict[str, Any]:
    """The answers in a posted form as JSON would carry them; what was left open is absent."""
    given: dict[str, Any] = {}
    for question in asked:
        text = post.get(question.name)
        if text is None:
            continue
        match question:
            case YesNo():
                given[question.name] = {"true": True, "false": False}.get(text, text)
            case Scale(none=none):
                given[question.name] = int(text) if text.isdecimal() else None if none and not text else text
            case Text():
                given[question.name] = text
    return given


def _assessed(standing: Standing) -> Values:
    mine = standing.assessment
    return {"how_well": mine.how_well, "seen_before": mine.seen_before} if mine else {}


def _fields(asked: tuple[Question, ...], values: Values, errors: Errors) -> list[Field]:
    missing = object()  # not None: that is the answer "there were no hints"
    return [
        Field(
            question=each,
            kind=type(each).__name__.lower(),
            value=values.get(each.name, "" if isinstance(each, Text) else missing),
            error=" ".join(str(error) for error in errors.get(each.name, [])),
        )
        for each in asked
    ]


def _unmask_fields(
    standing: Standing, person: Person, post: QueryDict | None, errors: Errors
) -> list[dict[str, Any]]:
    """Name, e-mail, profile link, message: what was chosen, else what the account knows, unchecked."""
    mine = standing.unmask.mine
    known = {"name": person.name, "email": person.email or "", "profile_url": person.profile_url}
    labels = {"name": "Name", "email": "E-mail", "profile_url": "Profile link", "message": "Message"}
    fields = []
    for name in UNMASK_FIELDS:
        chosen = getattr(mine, name) if mine else ""
        fields.append(
            {
                "name": name,
                "label": labels[name],
                "value": post.get(name, "") if post is not None else chosen or known.get(name, ""),
                "checked": f"show_{name}" in post if post is not None else bool(chosen),
                "error": " ".join(str(error) for error in errors.get(name, [])),
            }
        )
    return fields
