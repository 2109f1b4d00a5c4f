"""What the two sides of a room say about it, and what of that is sealed.

Who may read a row stands in selectors.py, the one door. Until the reveal a side's answers exist in exactly
one place, `Submission.answers`; ratings get typed columns of their own only in the rows written at reveal.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from feedback.forms import SCALE_MAX, SCALE_MIN
from rooms.models import Room
from rooms.roles import PEOPLE, Role

ANSWER_TIME = timedelta(days=7)
"""How long both sides have; then what was submitted goes to its addressee and the rest closes."""
UNMASK_TIME = timedelta(days=30)
"""How long after the reveal two people can still decide to unmask."""

ROLES = [(role.value, role.word) for role in PEOPLE]


def other_side(side: int) -> Role:
    """The seat across the table."""
    return Role.INTERVIEWER if side == Role.CANDIDATE else Role.CANDIDATE


def _known_role(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(condition=Q(role__in=[role.value for role in PEOPLE]), name=name)


def _on_scale(field: str, name: str) -> models.CheckConstraint:
    """1 to 4; an optional answer may be null, which a check lets through."""
    return models.CheckConstraint(condition=Q(**{f"{field}__range": (SCALE_MIN, SCALE_MAX)}), name=name)


class ExchangeQuerySet(models.QuerySet["Exchange"]):
    def unclosed(self) -> Self:
        """Neither revealed nor lapsed."""
        return self.filter(revealed_at=None, lapsed_at=None)

    def overdue(self, now: datetime) -> Self:
        """Unclosed although their deadline has passed."""
        return self.unclosed().filter(deadline_at__lte=now)


class Exchange(models.Model):
    """The two sides' feedback on one room. Its row is the lock under which a reveal is decided.

    Nothing in this row changes when only one side submits: a change would tell the other.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    room = models.OneToOneField(Room, on_delete=models.CASCADE, related_name="exchange")
    opened_at = models.DateTimeField(default=timezone.now)
    deadline_at = models.DateTimeField()
    revealed_at = models.DateTimeField(null=True, blank=True, help_text="Both had submitted.")
    lapsed_at = models.DateTimeField(
        null=True, blank=True, help_text="The deadline closed it before both had."
    )
    unmasked_at = models.DateTimeField(null=True, blank=True, help_text="Both said yes.")

    objects = ExchangeQuerySet.as_manager()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(revealed_at=None) | Q(lapsed_at=None), name="exchange_closes_one_way"
            ),
            models.CheckConstraint(
                condition=Q(deadline_at__gt=F("opened_at")), name="exchange_deadline_after_opening"
            ),
            models.CheckConstraint(
                condition=Q(unmasked_at=None) | Q(revealed_at__isnull=False),
                name="exchange_unmasks_after_reveal",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["deadline_at"],
                condition=Q(revealed_at=None, lapsed_at=None),
                name="exchange_unclosed_deadline",
            ),
        ]

    def __str__(self) -> str:
        return f"feedback on {self.room_id}"

    @property
    def is_closed(self) -> bool:
        """Nobody can answer any more."""
        return self.revealed_at is not None or self.lapsed_at is not None

    @property
    def unmask_until(self) -> datetime | None:
        """When unmasking closes; None unless revealed."""
        return self.revealed_at + UNMASK_TIME if self.revealed_at else None


class Draft(models.Model):
    """What one side has typed so far. Gone with the submission or the deadline."""

    exchange = models.ForeignKey(Exchange, on_delete=models.CASCADE, related_name="drafts")
    role = models.PositiveSmallIntegerField(choices=ROLES)
    answers = models.JSONField(default=dict)
    saved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["exchange", "role"], name="one_draft_per_side"),
            _known_role("draft_role_is_known"),
        ]

    def __str__(self) -> str:
        return f"draft of the {Role(self.role).word}"


class Submission(models.Model):
    """One side's final answers, sealed. Only the reveal opens `answers`; no page, not even the author's own,
    reads them from here."""

    exchange = models.ForeignKey(Exchange, on_delete=models.CASCADE, related_name="submissions")
    role = models.PositiveSmallIntegerField(choices=ROLES)
    answers = models.BinaryField(editable=False, help_text="forms.pack() of the whole form.")
    submitted_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["exchange", "role"], name="one_submission_per_side"),
            _known_role("submission_role_is_known"),
        ]

    def __str__(self) -> str:
        return f"submission of the {Role(self.role).word}"


class SelfAssessment(models.Model):
    """The candidate's private part, in a table of its own so that no query for the other side can meet it."""

    exchange = models.OneToOneField(Exchange, on_delete=models.CASCADE, related_name="self_assessment")
    how_well = models.PositiveSmallIntegerField(
        help_text="On the scale of the interviewer's technical rating."
    )
    seen_before = models.BooleanField()
    assessed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [_on_scale("how_well", "how_well_on_scale")]

    def __str__(self) -> str:
        return "self-assessment"


class InterviewerReview(models.Model):
    """What the interviewer said of the candidate; written when it is released."""

    exchange = models.OneToOneField(Exchange, on_delete=models.CASCADE, related_name="interviewer_review")
    advance = models.BooleanField()
    technical = models.PositiveSmallIntegerField()
    problem_solving = models.PositiveSmallIntegerField()
    communication = models.PositiveSmallIntegerField()
    text = models.TextField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            _on_scale("technical", "technical_on_scale"),
            _on_scale("problem_solving", "problem_solving_on_scale"),
            _on_scale("communication", "interviewer_communication_on_scale"),
        ]

    def __str__(self) -> str:
        return "the interviewer's review"


class CandidateReview(models.Model):
    """What the candidate said of the interviewer; written when it is released."""

    exchange = models.OneToOneField(Exchange, on_delete=models.CASCADE, related_name="candidate_review")
    work_with = models.BooleanField()
    excitement = models.PositiveSmallIntegerField()
    questions = models.PositiveSmallIntegerField()
    hints = models.PositiveSmallIntegerField(null=True, blank=True, help_text="Null: there were none.")
    communication = models.PositiveSmallIntegerField()
    text = models.TextField(blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            _on_scale("excitement", "excitement_on_scale"),
            _on_scale("questions", "questions_on_scale"),
            _on_scale("hints", "hints_on_scale"),
            _on_scale("communication", "candidate_communication_on_scale"),
        ]

    def __str__(self) -> str:
        return "the candidate's review"


class ModeratorNote(models.Model):
    """The interviewer's private word to the moderators. In no review, since no side may read it."""

    exchange = models.OneToOneField(Exchange, on_delete=models.CASCADE, related_name="moderator_note")
    text = models.TextField()

    def __str__(self) -> str:
        return "note to the moderators"


class UnmaskChoice(models.Model):
    """A yes, with exactly what it would show. A no has no row: it looks like silence, even here."""

    exchange = models.ForeignKey(Exchange, on_delete=models.CASCADE, related_name="unmask_choices")
    role = models.PositiveSmallIntegerField(choices=ROLES)
    name = models.CharField(max_length=80, blank=True)
    email = models.EmailField("e-mail", blank=True)
    profile_url = models.URLField("profile link", blank=True)
    message = models.TextField(blank=True)
    chosen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["exchange", "role"], name="one_unmask_choice_per_side"),
            _known_role("unmask_choice_role_is_known"),
            models.CheckConstraint(
                condition=~Q(name="", email="", profile_url="", message=""),
                name="unmask_choice_shows_something",
            ),
        ]

    def __str__(self) -> str:
        return f"unmask choice of the {Role(self.role).word}"


class Notice(models.Model):
    """A mail to one side that becomes due; until the exchange closes it hangs on that side alone."""

    class Kind(models.TextChoices):
        HOUR = "hour", "one hour after opening"
        DAY = "day", "one day after opening"
        LAST_DAY = "last_day", "six days after opening"
        READY = "ready", "there is something to read"

    exchange = models.ForeignKey(Exchange, on_delete=models.CASCADE, related_name="notices")
    role = models.PositiveSmallIntegerField(choices=ROLES)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    due_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["exchange", "role", "kind"], name="one_notice_of_a_kind_per_side"
            ),
            _known_role("notice_role_is_known"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["due_at"], condition=Q(sent_at=None), name="notice_unsent_due"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to the {Role(self.role).word}"


REMINDERS: dict[Notice.Kind, timedelta] = {
    Notice.Kind.HOUR: timedelta(hours=1),
    Notice.Kind.DAY: timedelta(days=1),
    Notice.Kind.LAST_DAY: timedelta(days=6),
}
"""When, after opening, a side that has not submitted is reminded."""
