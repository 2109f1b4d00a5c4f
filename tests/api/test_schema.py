"""The schema says what the API does."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, get_resolver
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from rooms.roles import Role
from rooms.serializers import ITEMS
from rooms.timeline import Item
from rooms.transcript import Review
from tests.api.conftest import Story, json_of

SAFE_STATUSES = range(200, 300)


@pytest.fixture(scope="module")
def schema() -> Any:
    return json_of(Client().get("/api/schema"))


def test_it_is_generated_without_warnings(tmp_path: Any) -> None:
    call_command("spectacular", "--fail-on-warn", "--validate", "--file", str(tmp_path / "schema.yaml"))


def test_everybody_may_read_it(schema: Any) -> None:
    assert schema["openapi"].startswith("3.1")


def operations(schema: Any) -> list[tuple[str, str, Any]]:
    return [
        (method, path, operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
        if method != "parameters"
    ]


def test_every_address_of_the_api_is_in_it(schema: Any) -> None:
    """But for the schema itself, its page, and the one that catches the rest."""
    routes = [route for route in _routes() if route.startswith("api/")]
    assert len(routes) > 5
    known = {path.lstrip("/") for path in schema["paths"]}
    missing = {route.replace("<uuid:", "{").replace(">", "}") for route in routes} - known
    assert missing == {"api/schema", "api/docs"}


def _routes(patterns: Any = None, before: str = "") -> list[str]:
    found = []
    for each in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(each.pattern)
        found += [route] if isinstance(each, URLPattern) else _routes(each.url_patterns, route)
    return found


def test_every_endpoint_says_what_it_is_and_what_it_refuses(schema: Any) -> None:
    for method, path, operation in operations(schema):
        where = f"{method} {path}"
        assert operation.get("description") or operation.get("summary"), where
        refused = [status for status in operation["responses"] if int(status) not in SAFE_STATUSES]
        assert "401" in refused, where
        for status in refused:
            content = operation["responses"][status]["content"]
            assert list(content) == ["application/problem+json"], where
        assert operation["security"], where


def test_tokens_are_described(schema: Any) -> None:
    schemes = schema["components"]["securitySchemes"]
    assert (schemes["token"]["type"], schemes["token"]["scheme"]) == ("http", "bearer")
    takes_tokens = {
        path for _, path, operation in operations(schema) if {"token": []} in operation["security"]
    }
    assert takes_tokens == {
        "/api/me", "/api/rooms/", "/api/rooms/{room_id}", "/api/rooms/{room_id}/transcript",
    }  # fmt: skip


def _validator(schema: Any, response: Any) -> Draft202012Validator:
    registry = Registry().with_resource("urn:api", Resource(copy.deepcopy(schema), DRAFT202012))
    shape = response["content"]["application/json"]["schema"]
    return Draft202012Validator({"$id": "urn:api:here", **_absolute(shape)}, registry=registry)


def _absolute(shape: Any) -> Any:
    if isinstance(shape, dict):
        return {key: f"urn:api{value}" if key == "$ref" else _absolute(value) for key, value in shape.items()}
    return [_absolute(each) for each in shape] if isinstance(shape, list) else shape


def test_a_real_transcript_is_what_the_schema_says(schema: Any, ended: Story) -> None:
    ended.submit(Role.CANDIDATE, Role.INTERVIEWER)
    transcript = json_of(ended.browser(Role.CANDIDATE).get(ended.url))
    answer = schema["paths"]["/api/rooms/{room_id}/transcript"]["get"]["responses"]["200"]
    validator = _validator(schema, answer)
    validator.validate(transcript)
    transcript["items"][0]["at_ms"] = "soon"  # the check itself can fail
    assert not validator.is_valid(transcript)


def test_real_rooms_are_what_the_schema_says(schema: Any, story: Story) -> None:
    browser = story.browser(Role.CANDIDATE)
    for path, url in (("/api/rooms/", "/api/rooms/"), ("/api/me", "/api/me")):
        _validator(schema, schema["paths"][path]["get"]["responses"]["200"]).validate(
            json_of(browser.get(url))
        )


def test_every_kind_of_item_has_a_shape() -> None:
    kinds = {each.kind for each in [*Item.__subclasses__(), Review] if hasattr(each, "kind")}
    assert kinds == set(ITEMS)


def test_the_page_comes_from_here_alone(db: None) -> None:
    page = Client().get("/api/docs").content.decode()
    assert 'src="/static/drf_spectacular_sidecar/' in page
    assert "http://" not in page and "https://" not in page
    assert "<script>" not in page and "<style" not in page
    script = Client().get("/api/docs?script=")
    assert script["Content-Type"].startswith("application/javascript")
    assert script["Cache-Control"] == "no-store"
