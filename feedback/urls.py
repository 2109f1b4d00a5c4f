"""The feedback page, and its REST paths."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from feedback import pages, views

app_name = "feedback"

urlpatterns: list[URLPattern | URLResolver] = [
    path("rooms/<uuid:room_id>/feedback/", pages.feedback_page, name="feedback"),
]

api_urlpatterns: list[URLPattern | URLResolver] = [
    path("rooms/<uuid:room_id>/exchange", views.ExchangeView.as_view(), name="exchange"),
    path("rooms/<uuid:room_id>/exchange/glance", views.GlanceView.as_view(), name="glance"),
    path("rooms/<uuid:room_id>/exchange/draft", views.DraftView.as_view(), name="draft"),
    path(
        "rooms/<uuid:room_id>/exchange/self-assessment",
        views.SelfAssessmentView.as_view(),
        name="self_assessment",
    ),
    path("rooms/<uuid:room_id>/exchange/submission", views.SubmissionView.as_view(), name="submission"),
    path("rooms/<uuid:room_id>/exchange/unmask", views.UnmaskView.as_view(), name="unmask"),
]
