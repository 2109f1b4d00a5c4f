"""The HTML pages around a room: my interviews, a new room, its link, joining, and the room itself."""

from __future__ import annotations

import uuid
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Person
from accounts.sessions import come_in
from accounts.throttle import throttle
from rooms import selectors, services
from rooms.cards import shelves_of
from rooms.errors import InvitationSpent, NotNow, SeatTaken
from rooms.forms import SEAT_WORDS, NewRoomForm
from rooms.live.languages import LANGUAGES
from rooms.live.lifecycle import Phase
from rooms.models import Seat
from rooms.permissions import may_cancel, may_enter, may_invite
from rooms.roles import PEOPLE, Role


def person_of(request: HttpRequest) -> Person:
    """Who is signed in; only behind login_required."""
    return cast(Person, request.user)


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated:
        return render(request, "rooms/landing.html")
    return render(request, "rooms/home.html", {"shelves": shelves_of(person_of(request))})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    form = NewRoomForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        wanted = {
            name: form.cleaned_data[name]
            for name in ("title", "role", "language", "starts_at", "length_minutes")
        }
        room = services.open_room(person=person_of(request), **wanted)
        services.invite(room=room, person=person_of(request))
        return redirect("rooms:ready", room.pk)
    seats = [(role.word, *words) for role, words in SEAT_WORDS.items()]
    return render(
        request, "rooms/new.html", {"form": form, "seats": seats}, status=422 if form.errors else 200
    )


@login_required
@require_safe
def ready(request: HttpRequest, room_id: uuid.UUID) -> HttpResponse:
    """A room just made, or waiting for its other side: the link to give away."""
    seat = selectors.seat_in(room_id=room_id, person=request.user)
    if not may_enter(seat):
        return _after(request, seat)
    other = _other(seat)
    waiting = selectors.waiting_invitation(seat)
    context = {
        "room": seat.room,
        "seat": seat,
        "role": Role(seat.role).word,
        "other_role": Role(other.role).word,
        "other_joined": other.person_id is not None,
        "link": waiting[0] if waiting else None,
        "expires_at": waiting[1].expires_at if waiting else None,
        "can_invite": may_invite(seat) and other.person_id is None,
        "can_cancel": may_cancel(seat),
    }
    return render(request, "rooms/ready.html", context)


@login_required
@require_POST
def renew_link(request: HttpRequest, room_id: uuid.UUID) -> HttpResponse:
    seat = selectors.seat_in(room_id=room_id, person=request.user)
    try:
        services.invite(room=seat.room, person=person_of(request))
        messages.success(request, "Here is a fresh link. The one before no longer works.")
    except NotNow as refusal:
        messages.error(request, refusal.sentence)
    return redirect("rooms:ready", room_id)


@login_required
@require_POST
def cancel(request: HttpRequest, room_id: uuid.UUID) -> HttpResponse:
    try:
        services.cancel_room(room_id=room_id, person=person_of(request))
        messages.success(request, "The interview is cancelled.")
    except NotNow as refusal:
        messages.error(request, refusal.sentence)
    return redirect("home")


@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest) -> HttpResponse:
    """The page an invitation leads to. GET knows nothing of the secret; only the POST uses the link up."""
    if request.method != "POST":
        return render(request, "rooms/join.html")
    throttle(request, "use_link")
    secret = request.POST.get("secret", "")
    try:
        if request.user.is_authenticated:
            seat = services.take_seat(secret=secret, person=person_of(request))
        else:
            seat = services.take_seat_as_guest(secret=secret)
            come_in(request, cast(Person, seat.person))
    except (InvitationSpent, SeatTaken) as refusal:
        return render(request, "rooms/join.html", {"refusal": refusal}, status=refusal.status)
    return redirect("rooms:lobby", seat.room_id)


@require_POST
def look(request: HttpRequest) -> HttpResponse:
    """What an invitation is for, so that its page says so before the button is pressed; uses nothing up.

    A spent link is an answer like another, not an error in the visitor's console.
    """
    throttle(request, "use_link")
    try:
        seat = selectors.offered_seat(secret=request.POST.get("secret", ""), person=request.user)
    except (InvitationSpent, SeatTaken) as refusal:
        return JsonResponse({"refused": refusal.code})
    room = seat.room
    return JsonResponse(
        {
            "title": room.title,
            "seat": Role(seat.role).word,
            "starts_at": room.starts_at.isoformat(),
            "length_minutes": room.length_minutes,
        }
    )


@login_required
@require_safe
def room_page(request: HttpRequest, room_id: uuid.UUID, stage: str) -> HttpResponse:
    seat = selectors.seat_in(room_id=room_id, person=request.user)
    if not may_enter(seat):
        return _after(request, seat)
    page = _room_json(seat, person_of(request), stage)
    return render(request, "rooms/room.html", {"room": seat.room, "seat": seat, "page": page})


def _room_json(seat: Seat, person: Person, stage: str) -> dict[str, Any]:
    """All the room's script is told by its page. Of the other side: nothing.

    `guard` holds the reader's own words that would identify them, for the warning before they are sent.
    """
    room = seat.room
    waiting = selectors.waiting_invitation(seat)
    names = ("feedback:feedback", "rooms:transcript", "rooms:lobby", "rooms:room")
    urls = {name.partition(":")[2]: reverse(name, args=[room.pk]) for name in names}
    return {
        "room_id": str(room.pk),
        "seat": Role(seat.role).word,
        "mask": seat.mask,
        "title": room.title,
        "language": room.language,
        "languages": [{"key": each.key, "name": each.name} for each in LANGUAGES],
        "stage": stage,
        "urls": {**urls, "socket": f"/sockets/rooms/{room.pk}", "home": reverse("home")},
        "invitation_url": waiting[0] if waiting else None,
        "guard": {"names": [word for word in (person.name, person.employer) if word]},
    }


def _after(request: HttpRequest, seat: Seat) -> HttpResponse:
    """Where a room that is over leads."""
    phase = Phase(seat.room.phase)
    if phase in (Phase.CANCELLED, Phase.NO_SHOW):
        called_off = phase is Phase.CANCELLED
        messages.info(
            request, "This interview was cancelled." if called_off else "This interview did not take place."
        )
        return redirect("home")
    return redirect("feedback:feedback", seat.room_id)


def _other(seat: Seat) -> Seat:
    return Seat.objects.get(room_id=seat.room_id, role__in=set(PEOPLE) - {Role(seat.role)})
