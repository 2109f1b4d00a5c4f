"""The door. allauth's names carry no namespace, since allauth looks them up itself."""

from __future__ import annotations

from allauth.account import views as allauth_views
from django.urls import URLPattern, URLResolver, include, path, re_path

from accounts import pages, token_pages

own: list[URLPattern | URLResolver] = [
    path("enter/", pages.enter, name="enter"),
    path("me/", pages.me, name="me"),
    path("me/sign-out-everywhere/", pages.sign_out_everywhere, name="sign_out_everywhere"),
    path("me/tokens/", token_pages.tokens, name="tokens"),
    path("me/tokens/<uuid:token_id>/revoke/", token_pages.revoke, name="revoke_token"),
    path("accounts/link/", pages.mail_link, name="mail_link"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include((own, "accounts"))),
    path("accounts/login/", allauth_views.login, name="account_login"),
    path("accounts/logout/", pages.sign_out, name="account_logout"),
    path("accounts/signup/", allauth_views.signup, name="account_signup"),
    path("accounts/inactive/", allauth_views.account_inactive, name="account_inactive"),
    path("accounts/password/change/", allauth_views.password_change, name="account_change_password"),
    path("accounts/password/set/", allauth_views.password_set, name="account_set_password"),
    path("accounts/password/reset/", allauth_views.password_reset, name="account_reset_password"),
    path(
        "accounts/password/reset/sent/", allauth_views.password_reset_done, name="account_reset_password_done"
    ),
    re_path(
        r"^accounts/password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        allauth_views.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path(
        "accounts/password/reset/done/",
        allauth_views.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
]
