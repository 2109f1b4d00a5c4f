"""Who may do what, in one table: this file is the documentation, tests/test_access.py holds the site to it.

A row names an address, a method and the state of the room; `allowed` are those who get through the door.
Everybody else is refused: signed-out people are sent to sign in (a program gets 401), and for whoever has no
seat in a room the answer is the same as for a room that does not exist. Getting through the door does not
mean that a form is accepted.

Every address of the site stands here, or the suite fails. The socket `/sockets/rooms/<id>` follows `LOBBY`:
its own tests are in tests/rooms.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

State = Literal["open", "over", "no room"]


class Who(StrEnum):
    SIGNED_OUT = "signed out"
    CANDIDATE = "candidate"  # came by the link, as a guest
    INTERVIEWER = "interviewer"  # opened the room
    STRANGER = "stranger"  # signed in, has no seat
    STAFF = "staff"  # a superuser without a seat
    TOKEN = "token"  # the interviewer's program, with every scope; a page takes it for a signed-out visitor


EVERYBODY = frozenset(Who)
SIGNED_IN = EVERYBODY - {Who.SIGNED_OUT, Who.TOKEN}
PEOPLE = frozenset({Who.CANDIDATE, Who.INTERVIEWER})
OPENER = frozenset({Who.INTERVIEWER})
STAFF = frozenset({Who.STAFF})
NOBODY: frozenset[Who] = frozenset()


@dataclass(frozen=True)
class Row:
    """One address, one verb. `name` is the URL's name; an address without one is written out."""

    name: str
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    state: State
    allowed: frozenset[Who]

    def __str__(self) -> str:
        return f"{self.method} {self.name}, {self.state}"


PUBLIC = (
    Row("home", "GET", "no room", EVERYBODY),
    Row("accounts:enter", "GET", "no room", EVERYBODY),
    Row("accounts:enter", "POST", "no room", EVERYBODY),  # the secret decides
    Row("accounts:mail_link", "GET", "no room", EVERYBODY),
    Row("accounts:mail_link", "POST", "no room", EVERYBODY),
    Row("account_login", "GET", "no room", EVERYBODY),
    Row("account_logout", "GET", "no room", EVERYBODY),
    Row("account_signup", "GET", "no room", EVERYBODY),
    Row("account_inactive", "GET", "no room", EVERYBODY),
    Row("account_reset_password", "GET", "no room", EVERYBODY),
    Row("account_reset_password_done", "GET", "no room", EVERYBODY),
    Row("account_reset_password_from_key_done", "GET", "no room", EVERYBODY),
    Row("rooms:join", "GET", "no room", EVERYBODY),
    Row("rooms:join", "POST", "no room", EVERYBODY),  # the secret decides
    Row("rooms:look", "POST", "no room", EVERYBODY),  # the secret decides
    Row("schema", "GET", "no room", EVERYBODY),
    Row("docs", "GET", "no room", EVERYBODY),
    Row("/robots.txt", "GET", "no room", EVERYBODY),
    Row("healthz", "GET", "no room", EVERYBODY),
)

ACCOUNT = (
    Row("accounts:me", "GET", "no room", SIGNED_IN),
    Row("accounts:me", "POST", "no room", SIGNED_IN),
    Row("accounts:sign_out_everywhere", "POST", "no room", SIGNED_IN),
    Row("accounts:tokens", "GET", "no room", SIGNED_IN),
    Row("account_change_password", "GET", "no room", SIGNED_IN),
    Row("account_set_password", "GET", "no room", SIGNED_IN),
    Row("me", "GET", "no room", SIGNED_IN | {Who.TOKEN}),
    Row("rooms:new", "GET", "no room", SIGNED_IN),
    Row("rooms:new", "POST", "no room", SIGNED_IN),
    Row("rooms_api:rooms", "GET", "no room", SIGNED_IN | {Who.TOKEN}),
    Row("rooms_api:rooms", "POST", "no room", SIGNED_IN),
    Row("/admin/", "GET", "no room", STAFF),
)

LOBBY = Row("rooms:lobby", "GET", "open", PEOPLE)

ROOM = (
    LOBBY,
    Row("rooms:room", "GET", "open", PEOPLE),
    Row("rooms:ready", "GET", "open", PEOPLE),
    Row("rooms:cancel", "POST", "open", PEOPLE),
    Row("rooms:renew_link", "POST", "open", OPENER),
    Row("rooms:transcript", "GET", "over", PEOPLE),
    Row("feedback:feedback", "GET", "over", PEOPLE),
    Row("feedback:feedback", "POST", "over", PEOPLE),
    Row("rooms_api:room", "GET", "open", PEOPLE | {Who.TOKEN}),
    Row("rooms_api:transcript", "GET", "over", PEOPLE | {Who.TOKEN}),
    Row("feedback_api:exchange", "GET", "over", PEOPLE),
    Row("feedback_api:glance", "GET", "over", PEOPLE),
    Row("feedback_api:draft", "PUT", "over", PEOPLE),
    Row("feedback_api:self_assessment", "PUT", "over", PEOPLE),
    Row("feedback_api:submission", "POST", "over", PEOPLE),
    Row("feedback_api:unmask", "PUT", "over", PEOPLE),
)

TABLE = PUBLIC + ACCOUNT + ROOM

ELSEWHERE = {
    "account_reset_password_from_key": "the key decides; tests/accounts/test_passwords.py",
    "accounts:revoke_token": "one's own tokens alone; tests/api",
    "/api…": "every address nobody took: not found for everybody; tests/api",
    "/admin/login/": "leads to the common door; tests/accounts/test_pages.py",
}
"""Addresses whose rule is no matter of who one is, and the test that has it."""
