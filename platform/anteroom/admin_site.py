"""The admin site: it takes in only what shows and changes nothing."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig

from anteroom.admin import ReadOnly


class Site(AdminSite):
    """Pages that could change rows stay out, whichever app brings them.

    The parts we use bring some: groups, and e-mail addresses with the keys that confirm them.
    """

    site_header = site_title = "Anteroom"
    index_title = "Rooms, people and exchanges"

    def register(  # type: ignore[override]
        self, model: Any, admin_class: Any = None, **options: Any
    ) -> None:
        if admin_class is not None and issubclass(admin_class, ReadOnly):
            super().register(model, admin_class, **options)


class Config(AdminConfig):
    """Django's admin app, with this site."""

    default_site = "anteroom.admin_site.Site"
