"""What every page has in common, before and after its view."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from anteroom.errors import Refusal

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class Discreet:
    """Nothing a view answers is kept by a browser or a proxy, or listed by a search engine.

    Static files are answered before this and may be kept.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response["Cache-Control"] = "no-store"
        response["X-Robots-Tag"] = "noindex, nofollow"
        return response


class RefusalPages:
    """A Refusal raised by a page's view becomes a page with its sentence.

    One with status 404 becomes the page of an unknown address, so that what is hidden looks like what is not.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, Refusal):
            return None
        if exception.status == 404:
            return render(request, "404.html", status=404)
        return render(request, "anteroom/refusal.html", {"refusal": exception}, status=exception.status)
