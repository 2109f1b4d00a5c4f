"""The demo is ready whenever it is asked for, and never hands anybody's account to another."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Person
from accounts.services import use_sign_in_link
from rooms.demo import ADMIN, AddressTaken, prepare
from rooms.live.lifecycle import Phase
from rooms.models import Room
from rooms.roles import Role

pytestmark = pytest.mark.django_db


def signed_in_by(link: str) -> tuple[Person, str]:
    return use_sign_in_link(secret=link.rpartition("#")[2])


def test_three_links_lead_three_people_to_the_room_and_the_admin() -> None:
    demo = prepare()
    candidate, path = signed_in_by(demo.candidate_link)
    assert path == f"/rooms/{demo.room.pk}/lobby/"
    interviewer, path = signed_in_by(demo.interviewer_link)
    assert path == f"/rooms/{demo.room.pk}/lobby/"
    assert demo.room.seats.get(role=Role.CANDIDATE).person == candidate
    assert demo.room.seats.get(role=Role.INTERVIEWER).person == interviewer
    admin, path = signed_in_by(demo.admin_link)
    assert (admin.is_superuser, path) == (True, "/admin/")
    assert not any(each.is_staff for each in (candidate, interviewer))
    assert not any(each.has_usable_password() for each in (candidate, interviewer, admin))


def test_again_means_the_same_people_and_room_with_new_links() -> None:
    first, second = prepare(), prepare()
    assert first.room == second.room
    assert Person.objects.count() == 3
    assert first.candidate_link != second.candidate_link


@pytest.mark.parametrize(
    ("phase", "live_minutes_ago", "same"),
    [
        (Phase.SCHEDULED, None, True),
        (Phase.LOBBY, None, True),
        (Phase.LIVE, 5, True),
        (Phase.LIVE, 61, False),
        (Phase.WRAP_UP, 61, False),
        (Phase.FEEDBACK, 90, False),
        (Phase.CANCELLED, None, False),
    ],
)
def test_a_used_up_room_makes_room_for_a_new_one(
    phase: Phase, live_minutes_ago: int | None, same: bool
) -> None:
    first = prepare().room
    live_at = live_minutes_ago and timezone.now() - timedelta(minutes=live_minutes_ago)
    Room.objects.filter(pk=first.pk).update(phase=phase.value, live_at=live_at)
    assert (prepare().room == first) is same


def test_whoever_signed_up_under_the_admins_address_becomes_no_admin() -> None:
    stranger = Person.objects.create_user(ADMIN[0], "a password of their own")
    with pytest.raises(AddressTaken):
        prepare()
    stranger.refresh_from_db()
    assert not stranger.is_superuser
    assert Room.objects.count() == 0
