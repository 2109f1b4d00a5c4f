"""One include per app."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path

from accounts.me import MeView
from anteroom import pages
from anteroom.api import Nothing
from anteroom.failures import server_error
from anteroom.health import healthz
from anteroom.schema import DocsView, SchemaView
from feedback import urls as feedback
from rooms import urls as rooms
from rooms.pages import home

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home, name="home"),
    path("", include("accounts.urls")),
    path("", include("rooms.urls")),
    path("", include("feedback.urls")),
    path("api/me", MeView.as_view(), name="me"),
    path("api/schema", SchemaView.as_view(), name="schema"),
    path("api/docs", DocsView.as_view(), name="docs"),
    path("api/", include((rooms.api_urlpatterns, "rooms_api"))),
    path("api/", include((feedback.api_urlpatterns, "feedback_api"))),
    re_path(r"^api(/.*)?$", Nothing.as_view()),
    # One door for everybody: the same form, the same limits.
    path("admin/login/", pages.admin_login),
    path("admin/", admin.site.urls),
    path("robots.txt", pages.robots),
    path("healthz", healthz, name="healthz"),
]

handler404 = pages.not_found
handler500 = server_error
