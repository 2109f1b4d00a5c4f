"""HTTP goes to Django, sockets to the rooms."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "anteroom.settings")
application = get_asgi_application()
