"""`manage.py bar` itself: what it prints, and with which code it ends."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from django.core.management import CommandError, call_command

import tests.bars
from tests.bars import CannotTry, Say, Verdict, bars, try_bar


def verdict(ok: bool) -> Verdict:
    return Verdict("kill9", 0 if ok else 7, 0, ok, {"kills": 3})


def replace(monkeypatch: pytest.MonkeyPatch, answer: Callable[[], Verdict]) -> list[dict[str, object]]:
    asked: list[dict[str, object]] = []

    def try_it(name: str, *, say: Say, **options: object) -> Verdict:
        asked.append({"name": name, **options})
        say("working")
        return answer()

    monkeypatch.setattr(tests.bars, "try_bar", try_it)
    return asked


def test_all_are_listed_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("bar")
    said = capsys.readouterr().out
    assert {"kill9", "kill9-postgres", "burst", "revoke", "flood", "histories"} <= set(bars())
    assert all(name in said and len(sentence) > 40 for name, sentence in bars().items())


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (False, 1)])
def test_the_last_line_is_the_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ok: bool, code: int
) -> None:
    asked = replace(monkeypatch, lambda: verdict(ok))
    with pytest.raises(SystemExit) as ended:
        call_command("bar", "kill9", "--runs", "3", "--plant")
    assert ended.value.code == code
    assert asked == [{"name": "kill9", "runs": 3, "plant": True, "shell": None}]
    first, last = capsys.readouterr().out.splitlines()
    assert first == "working"
    assert json.loads(last) == {
        "bar": "kill9", "figure": 0 if ok else 7, "limit": 0, "ok": ok, "kills": 3,
    }  # fmt: skip


@pytest.mark.parametrize("error", [CannotTry("no Postgres"), ValueError("a bug"), KeyboardInterrupt()])
def test_what_could_not_be_tried_does_not_hold(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException
) -> None:
    def fail() -> Verdict:
        raise error

    replace(monkeypatch, fail)
    with pytest.raises(SystemExit) as ended:
        call_command("bar", "kill9")
    assert ended.value.code == 2
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["ok"] is False and told["figure"] is None and told["error"]


def test_what_is_not_there_cannot_be_tried() -> None:
    with pytest.raises(CommandError, match="There are: "):
        call_command("bar", "everything")
    with pytest.raises(CannotTry, match="There is no shell"):
        try_bar("kill9", runs=1, shell="telnet")
