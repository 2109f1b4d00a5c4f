"""The HTML pages of the door that are our own; signing in and up with a password is django-allauth's."""

from __future__ import annotations

from typing import cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts import services
from accounts.errors import LinkSpent
from accounts.forms import LinkForm, ProfileForm
from accounts.links import safe_path
from accounts.models import Person
from accounts.sessions import come_in, go_out
from accounts.tasks import mail_sign_in_link
from accounts.throttle import throttle


@require_http_methods(["GET", "HEAD", "POST"])
def enter(request: HttpRequest) -> HttpResponse:
    """The page a sign-in link leads to. GET knows nothing of the secret; only the POST uses the link up."""
    if request.method != "POST":
        return render(request, "accounts/enter.html")
    throttle(request, "use_link")
    try:
        person, path = services.use_sign_in_link(secret=request.POST.get("secret", ""))
    except LinkSpent as refusal:
        return render(request, "accounts/enter.html", {"refusal": refusal}, status=refusal.status)
    come_in(request, person)
    return redirect(path)


@require_http_methods(["GET", "HEAD", "POST"])
def mail_link(request: HttpRequest) -> HttpResponse:
    """Ask for a sign-in link by mail. The answer is the same whether the address is known or not."""
    path = safe_path(request.POST.get("next") or request.GET.get("next"))
    form = LinkForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        email = form.cleaned_data["email"]
        throttle(request, "mail_link", key=email)
        mail_sign_in_link.delay(email=email, next_path=path)
        minutes = services.MAILED_LINK_VALID_MINUTES
        return render(request, "accounts/link_mailed.html", {"email": email, "valid_minutes": minutes})
    context = {"form": form, "next": path}
    return render(request, "accounts/mail_link.html", context, status=422 if form.errors else 200)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def me(request: HttpRequest) -> HttpResponse:
    person = cast(Person, request.user)
    # A form bound to request.user itself would show a refused name in the page's header.
    form = ProfileForm(request.POST or None, instance=Person.objects.get(pk=person.pk))
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Saved.")
        return redirect("accounts:me")
    return render(request, "accounts/me.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def sign_out(request: HttpRequest) -> HttpResponse:
    if request.method != "POST" and request.user.is_authenticated:
        return render(request, "account/logout.html")
    return go_out(request, redirect(settings.LOGOUT_REDIRECT_URL))


@login_required
@require_POST
def sign_out_everywhere(request: HttpRequest) -> HttpResponse:
    services.sign_out_everywhere(person=cast(Person, request.user))
    return go_out(request, redirect(settings.LOGOUT_REDIRECT_URL))
