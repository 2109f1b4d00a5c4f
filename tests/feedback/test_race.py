"""Two people send at the same moment: both are revealed, exactly once, never early.

Real threads, each with its own connection to Postgres. Counting without the lock misses nearly every such
pair, since neither transaction sees the other's row; that is planted here too, so the test can fail.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import Count

from accounts.models import Person
from feedback import services
from feedback.errors import AlreadySubmitted, TooLate
from feedback.models import CandidateReview, Exchange, InterviewerReview, Submission
from rooms.live.lifecycle import Phase
from rooms.models import LogEntry, Room, Seat
from rooms.roles import Role
from tests.feedback.conftest import ANSWERS, GUESS, C, I, Interview

pytestmark = pytest.mark.django_db(transaction=True)

PAIRS = 200
WAIT_S = 30
LOOK_EVERY_S = 0.002


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Two threads whose connections to the database are closed at the end."""
    with ThreadPoolExecutor(max_workers=2) as threads:
        yield threads
        gate = threading.Barrier(2, timeout=WAIT_S)

        def close() -> None:
            gate.wait()  # so that each thread runs it once
            connection.close()

        for done in [threads.submit(close) for _ in range(2)]:
            done.result(WAIT_S)


def at_once(pool: ThreadPoolExecutor, *calls: Callable[[], object]) -> list[BaseException | None]:
    """Start all calls at the same moment; what each raised."""
    gate = threading.Barrier(len(calls), timeout=WAIT_S)

    def run(call: Callable[[], object]) -> None:
        gate.wait()
        call()

    return [done.exception(WAIT_S) for done in [pool.submit(run, call) for call in calls]]


@contextmanager
def watching_for_early_reveals() -> Iterator[list[object]]:
    """A third connection that looks all the time for an exchange which is revealed but lacks a submission."""
    early: list[object] = []
    done = threading.Event()

    def watch() -> None:
        seen = Exchange.objects.exclude(revealed_at=None).annotate(sides=Count("submissions"))
        while not done.wait(LOOK_EVERY_S) and not early:
            early.extend(seen.exclude(sides=2).values_list("pk", flat=True))
        connection.close()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield early
    finally:
        done.set()
        watcher.join(WAIT_S)


def submits(interview: Interview, role: Role) -> Callable[[], None]:
    return lambda: services.submit(seat=interview.seats[role], form=ANSWERS[role])


def says_yes(interview: Interview, role: Role) -> Callable[[], bool]:
    me = services.Identity(name="Somebody")
    return lambda: services.choose_unmask(seat=interview.seats[role], identity=me)


def assessed(count: int) -> list[Interview]:
    """Rooms that stand in phase feedback without having walked there: only the race is at stake."""
    people = {role: Person.objects.create_user(f"{role.word}@example.org") for role in (C, I)}
    made = []
    for _ in range(count):
        room = Room.objects.create(title="Practice", language="python", phase=Phase.FEEDBACK.value)
        seats = {
            role: Seat.objects.create(room=room, role=role, mask=role.word, person=people[role])
            for role in (C, I)
        }
        services.open_exchange(room_id=room.pk)
        services.assess_self(seat=seats[C], form=GUESS)
        made.append(Interview(room, seats, people))
    return made


def test_simultaneous_pairs_reveal_exactly_once(pool: ThreadPoolExecutor) -> None:
    ready = assessed(PAIRS)
    with watching_for_early_reveals() as early:
        for interview in ready:
            assert at_once(pool, submits(interview, C), submits(interview, I)) == [None, None]
    assert early == []
    exchanges = Exchange.objects.all()
    assert exchanges.count() == PAIRS
    assert exchanges.exclude(revealed_at=None).count() == PAIRS
    # The unique row of each review would have refused a second reveal, and the log tells of each just once.
    assert InterviewerReview.objects.count() == CandidateReview.objects.count() == PAIRS
    revealed = [
        each for each in LogEntry.objects.values_list("payload", flat=True) if b"revealed" in bytes(each)
    ]
    assert len(revealed) == PAIRS
    assert Room.objects.filter(phase=Phase.REVEALED).count() == PAIRS


def test_without_the_lock_pairs_are_missed(pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: look, but do not lock. Each transaction counts one submission, and nobody reveals."""
    monkeypatch.setattr(services, "_lock", lambda exchange: Exchange.objects.get(pk=exchange.pk))
    for interview in assessed(30):
        at_once(pool, submits(interview, C), submits(interview, I))
    assert Submission.objects.count() == 60
    assert Exchange.objects.filter(revealed_at=None).exists()


def test_two_tabs_of_one_side_submit_once(interview: Interview, pool: ThreadPoolExecutor) -> None:
    raised = at_once(pool, submits(interview, I), submits(interview, I))
    assert sorted(type(each) for each in raised if each) == [AlreadySubmitted]
    assert Submission.objects.count() == 1


def test_a_submission_against_the_deadline_is_in_or_out(pool: ThreadPoolExecutor) -> None:
    """The scan closes while the second side sends: revealed, or lapsed and refused; nothing between."""
    for interview in assessed(20):
        interview.submit(I)
        deadline = interview.exchange.deadline_at
        raised = at_once(
            pool,
            lambda room=interview.room, now=deadline: services.close_if_due(room_id=room.pk, now=now),
            lambda seat=interview.seats[C], now=deadline - timedelta(microseconds=1): services.submit(
                seat=seat, form=ANSWERS[C], now=now
            ),
        )
        closed = interview.exchange
        late = raised[1] is not None
        assert raised[0] is None and (raised[1] is None or isinstance(raised[1], TooLate))
        assert (closed.lapsed_at is not None) is late
        assert (closed.revealed_at is not None) is not late
        assert InterviewerReview.objects.filter(exchange=closed).exists()
        assert CandidateReview.objects.filter(exchange=closed).exists() is not late


def test_a_draft_does_not_wait_for_the_other_side(interview: Interview, pool: ThreadPoolExecutor) -> None:
    """While one side's submission holds the exchange, the other side's draft is kept at once."""
    with transaction.atomic():
        services._lock(interview.exchange)
        saved = pool.submit(services.save_draft, seat=interview.seats[I], answers={"technical": 2})
        saved.result(5)


def test_both_unmask_at_once(pool: ThreadPoolExecutor) -> None:
    """The same lock: two simultaneous yeses are one mutual yes."""
    for interview in assessed(20):
        interview.submit(C, I)
        raised = at_once(pool, says_yes(interview, C), says_yes(interview, I))
        assert raised == [None, None]
        assert interview.exchange.unmasked_at
