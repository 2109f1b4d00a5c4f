"""Every error of the API has one shape."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from rest_framework.exceptions import ValidationError
from rest_framework.test import APIRequestFactory

import accounts.errors
import anteroom.errors
import feedback.errors
import rooms.errors
from anteroom import api
from anteroom.errors import Refusal
from rooms import views
from tests.api.conftest import a_person, json_of, signed_in

MODULES = (anteroom.errors, accounts.errors, rooms.errors, feedback.errors)
REFUSALS = sorted(
    {
        each
        for module in MODULES
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Refusal)
    },
    key=lambda each: each.code,
)


def shape_of(response: Any) -> dict[str, Any]:
    """The body, checked to be a problem that says of itself what the response says."""
    assert response["Content-Type"] == "application/problem+json"
    assert response["Cache-Control"] == "no-store"
    problem = json_of(response)
    assert set(problem) - {"fields"} == {"type", "title", "status", "code", "detail"}
    assert problem["status"] == response.status_code
    assert problem["detail"].endswith(".")
    return problem


class Raises(api.Endpoint):
    authentication_classes = ()
    permission_classes = ()
    error: Exception = Refusal()

    def get(self, request: Any) -> None:
        raise self.error


def answer_to(error: Exception) -> Any:
    response = Raises.as_view(error=error)(APIRequestFactory().get("/api/x"))
    response.render()
    return response


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda each: each.code)
def test_every_refusal_is_a_problem_with_its_code(refusal: type[Refusal]) -> None:
    problem = shape_of(answer_to(refusal()))
    assert (problem["code"], problem["status"]) == (refusal.code, refusal.status)
    assert problem["detail"] == refusal.sentence


def test_codes_are_said_once() -> None:
    codes = [each.code for each in REFUSALS]
    assert len(codes) == len(set(codes))


def test_a_refused_field_is_named() -> None:
    problem = shape_of(answer_to(anteroom.errors.Unusable("Too short.", field="title")))
    assert problem["fields"] == {"title": ["Too short."]}


def test_fields_of_nested_forms_are_named_with_dots() -> None:
    error = ValidationError(
        {"seat": {"mask": ["Odd."]}, "lines": [{}, {"text": ["Empty."]}], "non_field_errors": ["No."]}
    )
    assert shape_of(answer_to(error))["fields"] == {
        "seat.mask": ["Odd."],
        "lines.1.text": ["Empty."],
        "": ["No."],
    }


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("get", "/api/nowhere", None, 404, "not_found"),
        ("post", "/api/nowhere", "{}", 404, "not_found"),
        ("get", "/api/", None, 404, "not_found"),
        ("get", "/api", None, 404, "not_found"),
        ("get", "/api/rooms/not-a-uuid/transcript", None, 404, "not_found"),
        ("delete", "/api/rooms/", None, 405, "wrong_method"),
        ("post", "/api/rooms/", "{", 400, "unreadable"),
        ("post", "/api/rooms/", "[]", 422, "unusable"),
        ("post", "/api/rooms/", "[" * 100_000, 400, "unreadable"),
        ("get", "/api/rooms/?cursor=nonsense", None, 404, "not_found"),
    ],
)
def test_what_the_framework_refuses_has_the_same_shape(
    db: None, method: str, path: str, body: str | None, status: int, code: str
) -> None:
    client = signed_in(a_person("ada"))
    more = {} if body is None else {"data": body, "content_type": "application/json"}
    problem = shape_of(getattr(client, method)(path, **more))
    assert (problem["status"], problem["code"]) == (status, code)


def test_another_media_type_is_refused(db: None) -> None:
    client = signed_in(a_person("ada"))
    assert shape_of(client.post("/api/rooms/", {"title": "x"}))["code"] == "wrong_media_type"
    assert shape_of(client.get("/api/rooms/", headers={"Accept": "text/csv"}))["code"] == "not_acceptable"


def test_too_much_is_refused(db: None, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    body = json.dumps({"title": "x" * 200})
    response = signed_in(a_person("ada")).post("/api/rooms/", body, content_type="application/json")
    assert shape_of(response)["code"] == "too_large"


def test_anonymous_is_asked_for_a_token() -> None:
    response = Client().get("/api/me")
    assert shape_of(response)["code"] == "signed_out"
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_a_bug_is_logged_under_the_reference_that_is_shown(
    db: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(person: object) -> None:
        raise RuntimeError("the secret of the house")

    logged: list[dict[str, Any]] = []
    monkeypatch.setattr(views, "rooms_of", broken)
    monkeypatch.setattr("anteroom.failures.log.error", lambda event, **known: logged.append(known))
    response = signed_in(a_person("ada")).get("/api/rooms/")
    problem = shape_of(response)
    assert (problem["status"], problem["code"]) == (500, "bug")
    assert "secret" not in response.content.decode()
    (entry,) = logged
    assert entry["reference"] in problem["detail"]
    assert isinstance(entry["exc_info"], RuntimeError)
