"""What dies is started again, what dies at once again and again is given up, and all stop in their order."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from anteroom import supervision
from anteroom.serving import until
from anteroom.steps import Trouble
from anteroom.supervision import Part, Supervisor

STAYS = "import time; time.sleep(60)"
DIES = "import sys; sys.exit('no such port')"
STOPS_WITH_THE_OTHER = """
import signal, sys, time
from pathlib import Path
mine, other = Path(sys.argv[1]), Path(sys.argv[2])
def end(*_):
    mine.touch()
    while not other.exists():
        time.sleep(0.01)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(60)
"""
IGNORES = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    monkeypatch.setattr(supervision, "FIRST_PAUSE_S", 0.01)
    supervisor = Supervisor(tmp_path)
    yield supervisor
    supervisor.kill()


def program(name: str, code: str, *arguments: str, rank: int = 0, stops_within_s: float = 5) -> Part:
    return Part(name, [sys.executable, "-c", code, *arguments], stops_within_s, rank=rank)


def looking(supervisor: Supervisor, until_so: Callable[[], object]) -> Callable[[], object]:
    def look() -> object:
        supervisor.look()
        return until_so()

    return look


def test_one_that_is_killed_comes_back_alone(parts: Supervisor, capsys: pytest.CaptureFixture[str]) -> None:
    killed, other = parts.start(program("one", STAYS)), parts.start(program("other", STAYS))
    psutil.Process(killed.pid).kill()
    told: list[str] = []

    def is_told() -> bool:
        told.append(capsys.readouterr().out)
        return "started again" in "".join(told)

    until(looking(parts, is_told), "it is back")
    until(looking(parts, lambda: len(children_now() - {other.pid}) == 1), "it runs")
    assert other.pid in children_now() and killed.pid not in children_now()
    assert "".join(told) == "  one           died (SIGKILL), started again\n"


def children_now() -> set[int]:
    alive = [each for each in psutil.Process().children() if each.status() != psutil.STATUS_ZOMBIE]
    return {each.pid for each in alive if "time.sleep" in " ".join(each.cmdline())}


def test_one_that_dies_again_and_again_is_given_up_with_its_last_words(parts: Supervisor) -> None:
    parts.start(program("web server 1", DIES))
    with pytest.raises(
        Trouble, match=r"(?s)web server 1 died 6 times in a row.*web-server-1.log.*no such port"
    ):
        until(looking(parts, lambda: False), "given up")


def test_one_that_lived_for_a_while_is_never_given_up(
    parts: Supervisor, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(supervision, "AT_ONCE_S", 0.0)
    parts.start(program("worker", DIES))
    deaths = 2 * supervision.MAX_DEATHS
    told = []

    def enough() -> bool:
        told.append(capsys.readouterr().out)
        return "".join(told).count("started again") >= deaths

    until(looking(parts, enough), f"{deaths} deaths", timeout_s=30)


def test_a_rank_stops_together_before_the_next(
    parts: Supervisor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(tmp_path / "one"), str(tmp_path / "two")]
    for name, names in (("room server 1", paths), ("room server 2", paths[::-1])):
        parts.start(program(name, STOPS_WITH_THE_OTHER, *names))
    parts.start(program("proxy", STAYS, rank=1))
    parts.start(program("worker", IGNORES, rank=2, stops_within_s=0.1))
    logs = [parts.logs / f"{name}.log" for name in ("room-server-1", "room-server-2", "worker")]
    until(lambda: all("ready" in log.read_text() for log in logs), "they are ready")
    parts.stop()
    said = [" ".join(line.split()[:-2]) for line in capsys.readouterr().out.splitlines()]
    assert said == [
        "room server 1 stopped", "room server 2 stopped", "proxy stopped", "worker killed: too slow",
    ]  # fmt: skip


def test_what_a_signal_is_called() -> None:
    assert supervision.how(3) == "exit code 3"
    assert supervision.how(-signal.SIGSEGV) == "SIGSEGV"
