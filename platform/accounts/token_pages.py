"""Where a person makes and revokes tokens. A new one is shown once, in the answer to its form."""

from __future__ import annotations

import uuid
from typing import cast

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts.errors import NoSuchToken, TooManyTokens
from accounts.models import ApiToken, Person
from accounts.tokens import LIFETIMES_DAYS, Scope, live_tokens, make_token, revoke_token

SCOPE_HELP = {
    Scope.TRANSCRIPT_READ: "Your rooms, and what happened in them.",
    Scope.FEEDBACK_READ: "What both sides wrote, as part of a transcript, once it is revealed.",
    Scope.PROFILE_READ: "Your own name and e-mail address.",
}


class TokenForm(forms.Form):
    """What a token is called, what it may read, and how long."""

    label = forms.CharField(
        label="Name",
        max_length=ApiToken._meta.get_field("label").max_length,
        help_text="So that you know it again, such as “my notes script”.",
        error_messages={"required": "Give the token a name."},
    )
    scopes = forms.TypedMultipleChoiceField(
        label="What it may read",
        choices=Scope.choices,
        coerce=Scope,
        initial=[Scope.TRANSCRIPT_READ.value],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one."},
    )
    valid_days = forms.TypedChoiceField(
        label="Valid for",
        choices=[(days, "1 year" if days == 365 else f"{days} days") for days in LIFETIMES_DAYS],
        coerce=int,
        initial=LIFETIMES_DAYS[1],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose how long."},
    )

    def scope_choices(self) -> list[tuple[str, str, str, bool]]:
        """Value, label, help and whether it is ticked, of every scope."""
        ticked = {str(each) for each in self["scopes"].value() or ()}
        return [(scope.value, scope.label, SCOPE_HELP[scope], scope.value in ticked) for scope in Scope]


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    person = cast(Person, request.user)
    form = TokenForm(request.POST or None)
    made: dict[str, object] = {}
    if request.method == "POST" and form.is_valid():
        try:
            token, secret = make_token(person=person, **form.cleaned_data)
        except TooManyTokens as refusal:
            form.add_error(None, refusal.sentence)
        else:
            form, made = TokenForm(), {"made": token, "secret": secret}
    context = {
        "form": form,
        "scopes": form.scope_choices(),
        "tokens": [(token, [Scope(scope).label for scope in token.scopes]) for token in live_tokens(person)],
    }
    return render(request, "accounts/tokens.html", context | made, status=422 if form.errors else 200)


@login_required
@require_POST
def revoke(request: HttpRequest, token_id: uuid.UUID) -> HttpResponse:
    try:
        revoke_token(person=cast(Person, request.user), token_id=token_id)
    except NoSuchToken as refusal:
        messages.warning(request, refusal.sentence)
    else:
        messages.success(request, "Revoked. It opens nothing any more.")
    return redirect("accounts:tokens")
