"""The one question on which everything sealed depends. Pure."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from rooms.roles import PEOPLE, Role


def is_open(sides: Collection[Role], deadline_at: datetime, now: datetime) -> bool:
    """Whether what these sides have submitted may go to its addressees.

    sides: who has submitted. Open once both have, or when the deadline has come: at that instant nobody can
    submit any more, so nothing a person reads can change what they write.
    """
    return all(role in sides for role in PEOPLE) or now >= deadline_at
