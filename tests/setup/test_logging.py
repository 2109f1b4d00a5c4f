"""No log line names a person, and a bug can be found by the reference its page showed."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Callable, Iterator

import pytest
import structlog
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.test.utils import override_settings
from django.urls import path

from anteroom.failures import server_error
from anteroom.logging import configuration, discreet


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("no room for mona.lisa@example.org from 203.0.113.7")


urlpatterns = [path("broken", broken)]
handler500 = server_error


Read = Callable[[], list[dict[str, str]]]


@pytest.fixture
def logged() -> Iterator[Read]:
    """Call it for the lines written since, as the `json` format has them."""
    recipe = dict(configuration("json", "INFO")["formatters"]["line"])
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(recipe.pop("()")(**recipe))
    root = logging.getLogger()
    root.addHandler(handler)
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    root.removeHandler(handler)


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("mail to Mona.Lisa+x@mail.example.org failed", "mail to [hidden] failed"),
        ("peer 203.0.113.7:50000 left", "peer [hidden]:50000 left"),
        ("peer 2001:db8::7 left", "peer [hidden] left"),
        ("GET /rooms/7/?token=abc&x=1 done", "GET /rooms/7/?[hidden] done"),
        ("listening on 127.0.0.1:8000 and ::1", "listening on 127.0.0.1:8000 and ::1"),
        ("at 12:30:59 in 1.2.3 s, why?", "at 12:30:59 in 1.2.3 s, why?"),
    ],
)
def test_what_could_name_a_person_is_struck_out(said: str, written: str) -> None:
    assert discreet(said) == written


def test_lines_of_libraries_and_ours_are_one_json_object_each(logged: Read) -> None:
    logging.getLogger("some.library").warning("mail to %s", "mona@example.org")
    structlog.get_logger("ours").warning("seat taken", by="mona@example.org")
    first, second = logged()
    assert (first["event"], first["logger"], first["level"]) == (
        "mail to [hidden]",
        "some.library",
        "warning",
    )
    assert (second["event"], second["by"]) == ("seat taken", "[hidden]")


@pytest.mark.django_db
@override_settings(ROOT_URLCONF="tests.setup.test_logging")
def test_a_bug_shows_the_reference_under_which_it_is_logged(
    logged: Read,
) -> None:
    client = Client(raise_request_exception=False)
    response = client.get("/broken", {"secret": "hush"})
    assert response.status_code == 500
    errors = [line for line in logged() if line["level"] == "error"]
    assert len(errors) == 1
    assert re.fullmatch(r"[0-9a-f]{8}", errors[0]["reference"])
    assert errors[0]["reference"] in response.content.decode()
    everything = json.dumps(errors)
    assert "RuntimeError: no room for [hidden] from [hidden]" in everything
    assert "hush" not in everything
