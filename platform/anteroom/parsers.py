"""How the body of a request is read. A module of its own: settings name it before api.py can be imported."""

from __future__ import annotations

from typing import Any

from rest_framework import parsers

from anteroom.errors import Unreadable


class JSONParser(parsers.JSONParser):
    """JSON, where nesting deeper than Python can follow is the sender's mistake and not a bug."""

    def parse(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        try:
            return super().parse(*args, **kwargs)
        except RecursionError as error:
            raise Unreadable from error
