"""Asks a server whether it serves: `up` while it starts one, containers now and then.

`python -m anteroom.asking URL PART…` ends with 0 when /healthz there says that these parts are all there.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from urllib.parse import urlsplit

TIMEOUT_S = 5.0


def health(url: str) -> dict[str, bool] | None:
    """What /healthz at this address says; None while nobody answers."""
    asked = urllib.request.Request(f"{url}/healthz", headers={"Host": _own_name(url)})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy does not reach us
    try:
        with direct.open(asked, timeout=TIMEOUT_S) as answer:
            body = answer.read()
    except urllib.error.HTTPError as error:
        body = error.read()
    except OSError:
        return None
    try:
        parts = json.loads(body)
    except ValueError:
        return None
    return parts if isinstance(parts, dict) else None


def _own_name(url: str) -> str:
    """Servers answer to the site's name alone, whatever address they are asked at."""
    return urlsplit(os.environ.get("SITE_URL") or url).netloc


def main(arguments: list[str]) -> int:
    where, *parts = arguments
    told = health(where)
    return 0 if told is not None and all(told.get(part) for part in parts) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
