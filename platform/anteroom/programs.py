"""Programs of the machine that a start needs: found, or said how to get."""

from __future__ import annotations

import os
import shutil

from anteroom.steps import Trouble

SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/sbin", "/opt/homebrew/bin")
"""Where systems keep servers, and where a user's PATH often does not look."""


def find_program(name: str, *, package: str) -> str:
    """The path of a program. package: Debian's name of what brings it. Raises Trouble."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS])
    found = shutil.which(name, path=path)
    if found is None:
        raise Trouble(
            f"Several processes need {name}, and there is none on this machine. On Debian or Ubuntu: "
            f"apt install {package}. Then try again, or leave --processes away: one process needs neither "
            "Redis nor nginx."
        )
    return found
