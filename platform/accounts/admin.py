"""People and their tokens for staff. The one thing that can be done here: turn somebody away, or let them in.

Where somebody sat is not shown: it would tie a mask to a name. Secrets are not shown; links not even listed.
"""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.models import ApiToken, Person
from accounts.services import let_in, turn_away
from anteroom.admin import ReadOnly


@admin.register(Person)
class PersonAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # none at run time
    list_display = ("who", "is_guest", "is_active", "is_staff", "created_at", "last_login")
    list_filter = ("is_active", "is_guest", "is_staff")
    search_fields = ("email", "name")
    search_help_text = "Search by e-mail address or name."
    ordering = ("-created_at",)
    fields = (
        "id",
        "email",
        "name",
        "is_guest",
        "is_active",
        "is_staff",
        "is_superuser",
        "created_at",
        "last_login",
    )
    actions = ("turn_away", "let_in")

    @admin.display(description="person", ordering="email")
    def who(self, person: Person) -> str:
        return str(person)

    def has_turning_away_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    @admin.action(description="Turn away: sign out everywhere, refuse sign-in", permissions=["turning_away"])
    def turn_away(self, request: HttpRequest, people: QuerySet[Person]) -> None:
        for person in people.filter(is_active=True):
            if person == request.user:
                self.message_user(request, "You cannot turn yourself away.", messages.WARNING)
                continue
            turn_away(person=person)
            self.log_change(request, person, "Turned away.")
            self.message_user(request, f"{person} is turned away.", messages.SUCCESS)

    @admin.action(description="Let in again", permissions=["turning_away"])
    def let_in(self, request: HttpRequest, people: QuerySet[Person]) -> None:
        for person in people.filter(is_active=False):
            let_in(person=person)
            self.log_change(request, person, "Let in again.")
            self.message_user(request, f"{person} may sign in again.", messages.SUCCESS)


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]  # none at run time
    list_display = ("label", "person", "scope_words", "created_at", "expires_at", "revoked_at")
    list_filter = ("expires_at", "revoked_at")
    list_select_related = ("person",)
    search_fields = ("label", "person__email")
    ordering = ("-created_at",)
    fields = ("label", "person", "scope_words", "created_at", "expires_at", "revoked_at")
    readonly_fields = ("scope_words",)

    @admin.display(description="scopes")
    def scope_words(self, token: ApiToken) -> str:
        return ", ".join(token.scopes)
