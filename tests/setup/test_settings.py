"""The README's table of settings and settings.py name the same switches."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| `([A-Z_]+)` \|", re.MULTILINE)


def read_through_env() -> set[str]:
    """The names that settings.py asks the environment for."""
    tree = ast.parse((ROOT / "platform" / "anteroom" / "settings.py").read_text())
    return {
        call.args[0].value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "env"
        and isinstance(call.args[0], ast.Constant)
    }


def test_every_setting_stands_in_the_readme_and_nothing_else() -> None:
    section = (ROOT / "README.md").read_text().split("## Settings")[1].split("\n## ")[0]
    documented = ROW.findall(section)
    assert len(documented) == len(set(documented))
    assert set(documented) == read_through_env()


@pytest.mark.parametrize(
    ("site_url", "passes"), [("https://interviews.example.org", True), ("http://localhost:8000", False)]
)
def test_the_deploy_check_passes_with_https_and_only_then(
    site_url: str, passes: bool, tmp_path: Path
) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "django", "check", "--deploy", "--fail-level", "WARNING"],
        env={
            **os.environ, "SITE_URL": site_url, "ANTEROOM_HOME": str(tmp_path),
            "DJANGO_SETTINGS_MODULE": "anteroom.settings", "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
        },
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.returncode == 0) is passes, ran.stderr
