"""`manage.py test` fails when anything fails, shows why, and leaves nothing out."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from anteroom import frontend, suite
from anteroom.suite import Check

ROOT = Path(__file__).resolve().parents[2]
GOOD = Check("good", [sys.executable, "-c", "print('first'); print('  3 files fine')"])
BAD = Check("bad", [sys.executable, "-c", "import sys; print('this is why'); sys.exit(3)"])


@pytest.fixture
def pytest_runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What pytest would have been called with; it always says yes."""
    runs: list[tuple[str, ...]] = []

    def run(*arguments: str) -> int:
        runs.append(arguments)
        return 0

    monkeypatch.setattr(suite, "_pytest", run)
    monkeypatch.setattr(suite, "_bring_chromium", lambda: None)
    monkeypatch.setattr(frontend, "build", lambda: "nothing changed")
    monkeypatch.setattr(suite, "_python_checks", lambda: [GOOD])
    monkeypatch.setattr(suite, "_frontend_checks", lambda: [GOOD])
    return runs


def test_all_good_is_zero_and_python_and_browsers_both_ran(
    pytest_runs: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert suite.main([]) == 0
    assert [run[-1] for run in pytest_runs] == ["not browser and not alone", "alone", "browser"]
    said = capsys.readouterr().out
    assert "3 files fine" in said
    assert "All 5 checks passed" in said


def test_one_bad_check_is_shown_and_fails_the_whole_but_the_rest_still_runs(
    pytest_runs: list[tuple[str, ...]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(suite, "_python_checks", lambda: [BAD, GOOD])
    assert suite.main([]) == 1
    said = capsys.readouterr().out
    assert "bad: FAILED" in said
    assert "this is why" in said
    assert "Failed: bad; passed: 5" in said
    assert len(pytest_runs) == 3


def test_a_failing_pytest_fails_the_whole(
    pytest_runs: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite, "_pytest", lambda *arguments: int("alone" in arguments))
    assert suite.main([]) == 1


def test_fast_leaves_out_what_is_slow_and_the_browsers(pytest_runs: list[tuple[str, ...]]) -> None:
    assert suite.main(["--fast"]) == 0
    assert [run[-1] for run in pytest_runs] == ["not browser and not slow"]


def test_other_arguments_are_pytests(pytest_runs: list[tuple[str, ...]]) -> None:
    assert suite.main(["tests/rooms", "-k", "clock"]) == 0
    assert pytest_runs == [("tests/rooms", "-k", "clock")]


def test_the_real_lists_name_every_tool() -> None:
    names = [check.name for check in suite._python_checks() + suite._frontend_checks()]
    assert names == ["ruff", "ruff format", "imports", "mypy", "biome", "tsc", "vitest"]


def test_continuous_integration_calls_the_same_command() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert lines[-1].split("<")[0].split() == ["exec", "python3", "manage.py", "test"]
