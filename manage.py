#!/usr/bin/env python3
"""Anteroom's commands: `up`, `test`, and all of Django's.

Any Python can read this file: an old one must get as far as the sentence that says so.
"""

import os
import sys

ROOT = os.path.dirname(os.path.abspath(__file__))
OLDEST_PYTHON = (3, 11)


def main():
    if sys.version_info < OLDEST_PYTHON:
        wrong = (
            "Anteroom needs Python {}.{} or newer, and this is Python {}.{}. Start it with a newer one, for "
        )
        wrong += "example: python3.12 manage.py"
        sys.exit(wrong.format(*(OLDEST_PYTHON + sys.version_info[:2])))
    if sys.platform == "win32":
        sys.exit("Anteroom runs on Linux and macOS; on Windows start it inside WSL.")
    sys.path[:0] = [os.path.join(ROOT, "platform"), ROOT]
    from anteroom import bootstrap  # it and what it imports need nothing but Python itself

    sys.exit(bootstrap.run(sys.argv[1:]))


if __name__ == "__main__":
    main()
