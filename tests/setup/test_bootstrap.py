"""From a bare Python to one sentence or to a start: what can go wrong before anything is installed."""

from __future__ import annotations

import ast
import errno
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from anteroom import bootstrap, frontend
from anteroom.bootstrap import RUNTIME, TESTS, Environment
from anteroom.steps import DISK_FULL, Trouble, explain

ROOT = Path(__file__).resolve().parents[2]
PYTHON = getattr(sys, "_base_executable", sys.executable)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what a start needs before Django: no environment, no packages, no network asked for."""
    copy = tmp_path / "checkout"
    (copy / "platform" / "anteroom").mkdir(parents=True)
    (copy / "tests").mkdir()
    for name in (
        "manage.py", "requirements.txt", ".constraints.txt", "tests/requirements.txt",
        "platform/anteroom/__init__.py", "platform/anteroom/bootstrap.py", "platform/anteroom/steps.py",
    ):  # fmt: skip
        shutil.copy(ROOT / name, copy / name)
    return copy


def start(checkout: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, str(checkout / "manage.py"), *arguments],
        env={"PATH": "/usr/bin:/bin", **environment}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def assert_one_sentence(ran: subprocess.CompletedProcess[str], *words: str) -> None:
    assert ran.returncode not in (0, None)
    assert "Traceback" not in ran.stderr + ran.stdout
    for word in words:
        assert word in ran.stderr


# --- Python and its venv ------------------------------------------------------------------------------


def test_an_old_python_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "manage.py"), run_name="__main__")
    assert "needs Python 3.11 or newer, and this is Python 3.9" in str(ended.value)


def test_an_old_python_can_read_the_file_that_tells_it() -> None:
    ast.parse((ROOT / "manage.py").read_text(), feature_version=(3, 6))


def test_before_the_environment_only_python_itself_is_imported() -> None:
    """-S: no site-packages; importing anything from there fails here."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import anteroom.bootstrap"
    subprocess.run([PYTHON, "-I", "-S", "-c", code, str(ROOT / "platform")], check=True)


def test_without_ensurepip_the_half_made_environment_goes_and_a_sentence_comes(
    checkout: Path, tmp_path: Path
) -> None:
    fake = tmp_path / "fake"
    fake.mkdir()
    (fake / "venv.py").write_text(
        "import pathlib, sys\n"
        "pathlib.Path(sys.argv[1], 'bin').mkdir(parents=True)\n"
        "sys.exit('The virtual environment was not created successfully because ensurepip is not available.')"
    )
    ran = start(checkout, "up", PYTHONPATH=str(fake))
    assert_one_sentence(ran, "apt install python3-venv")
    assert not (checkout / ".venv").exists()


def test_without_a_network_the_sentence_says_what_is_missing(checkout: Path) -> None:
    ran = start(checkout, "up", PIP_NO_INDEX="1", UV_OFFLINE="1", UV_NO_CACHE="1", HOME=str(checkout))
    assert_one_sentence(ran, "could not be installed", "network")


def test_an_environment_of_another_python_is_made_anew(checkout: Path) -> None:
    environment = Environment(checkout / ".venv")
    (checkout / ".venv" / "bin").mkdir(parents=True)
    environment.python.symlink_to(PYTHON)
    now = ".".join(map(str, sys.version_info[:3]))
    for version, sound in ((now, True), ("3.2.1", False)):
        (checkout / ".venv" / "pyvenv.cfg").write_text(f"version = {version}\n")
        assert environment.is_sound() is sound


def test_a_moved_environment_is_made_anew(tmp_path: Path) -> None:
    environment = Environment(tmp_path)
    (tmp_path / "bin").mkdir()
    environment.python.symlink_to(PYTHON)
    (tmp_path / "pyvenv.cfg").write_text(f"version_info = {sys.version_info[0]}.{sys.version_info[1]}.0\n")
    assert environment.is_sound()
    environment.stamp_path.write_text('{"root": "/elsewhere"}')
    assert not environment.is_sound()


def test_only_the_very_requirements_that_were_installed_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*TESTS, ".constraints.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("one==1\n")
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    environment = Environment(tmp_path / ".venv")
    monkeypatch.setattr(environment, "is_sound", lambda: True)
    monkeypatch.setattr(environment, "install", lambda *arguments, what: "by nobody")
    (tmp_path / ".venv").mkdir()
    environment._site_packages().mkdir(parents=True)
    (environment._site_packages() / "pip").mkdir()
    environment.prepare(TESTS)
    assert environment.has(TESTS)
    assert environment.has(RUNTIME)
    (tmp_path / ".constraints.txt").write_text("one==2\n")
    assert not environment.has(TESTS)
    assert not environment.has(RUNTIME)


# --- disk, ports, Node --------------------------------------------------------------------------------


def test_a_full_disk_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Environment, "enter", full)
    assert bootstrap.run(["up"]) == 1
    assert DISK_FULL in capsys.readouterr().err


def test_another_error_of_the_system_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Environment, "enter", broken)
    with pytest.raises(OSError, match="Input/output"):
        bootstrap.run(["up"])


def test_a_program_that_met_a_full_disk_says_the_same_sentence() -> None:
    assert str(explain("npm ci failed.", "npm error ENOSPC: no space left on device, write")) == DISK_FULL
    assert "npm ci failed." in str(explain("npm ci failed.", "something else"))


def test_no_node_and_no_network_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object, **__: object) -> str:
        raise Trouble("Node could not be installed. Is there a network?")

    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(frontend, "_packaged_node", lambda: None)
    monkeypatch.setattr(Environment, "install", no_network)
    with pytest.raises(Trouble, match=r"needs Node 20\.19 or newer; no Node was found"):
        frontend.npm("ci", what="The front end's packages")


@pytest.mark.parametrize(
    ("version", "enough"),
    [
        ((18, 20, 0), False), ((20, 18, 9), False), ((20, 19, 0), True), ((21, 9, 0), False),
        ((22, 11, 0), False), ((22, 12, 0), True), ((24, 0, 0), True),
    ],
)  # fmt: skip
def test_which_node_will_do(version: tuple[int, ...], enough: bool) -> None:
    assert frontend._is_new_enough(version) is enough


def test_the_environment_is_entered_once_and_never_in_a_loop(checkout: Path) -> None:
    """A .venv whose Python is not one: the guard ends what would go on for ever."""
    environment = Environment(checkout / ".venv")
    os.environ[bootstrap.ENTERED] = str(environment.folder)
    try:
        environment.has = lambda requirements: True  # type: ignore[method-assign]
        with pytest.raises(Trouble, match="does not start as it should"):
            environment.enter(RUNTIME, ["up"])
    finally:
        os.environ.pop(bootstrap.ENTERED, None)
