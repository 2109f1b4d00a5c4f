"""The OpenAPI schema and the page that shows it, served from here alone."""

from __future__ import annotations

from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView
from rest_framework.authentication import SessionAuthentication


class SchemaView(SpectacularJSONAPIView):
    """The schema as JSON (OpenAPI 3.1). The same for everybody."""


class DocsView(SpectacularSwaggerSplitView):
    """The schema for people, under the site's own content policy: no inline script, no other host."""

    template_name = "anteroom/docs.html"
    authentication_classes = (SessionAuthentication,)  # for the page's head; everybody may read it
