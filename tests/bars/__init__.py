"""The bars: what Anteroom promises under attack and failure, each shown by breaking something on purpose.

`manage.py bar NAME` runs one. Each module here with a `run` function is a bar; its name on the command line
is the module's with hyphens, and the first paragraph of its docstring says what it shows.

    def run(*, runs: int | None, plant: bool, say: Callable[[str], None]) -> Verdict

runs: how often, None for the bar's own number. plant: break the protection first; then the bar must not hold.
say: one line of progress. A bar may also take `shell`, the server that it starts ("daphne", "roomserver"),
and `seed`, where its chances begin, so that a failure can be had again.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent

Say = Callable[[str], Any]


class CannotTry(Exception):
    """Something could not be set up, so nothing was shown; the message says what."""


@dataclass(frozen=True)
class Verdict:
    """What a bar found. `figure` must not go beyond `limit`; the bar itself says whether it holds."""

    bar: str
    figure: float
    limit: float
    ok: bool
    details: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> str:
        """One line."""
        return json.dumps(
            {"bar": self.bar, "figure": self.figure, "limit": self.limit, "ok": self.ok, **self.details}
        )


def bars() -> dict[str, str]:
    """Every bar by its name, with the sentence that says what it shows. Imports none of them."""
    found = {}
    for path in sorted(FOLDER.glob("*.py")):
        tree = ast.parse(path.read_text())
        if any(isinstance(node, ast.FunctionDef) and node.name == "run" for node in tree.body):
            sentence = (ast.get_docstring(tree) or "").split("\n\n", maxsplit=1)[0]
            found[path.stem.replace("_", "-")] = " ".join(sentence.split())
    return found


def try_bar(
    name: str,
    *,
    runs: int | None = None,
    plant: bool = False,
    shell: str | None = None,
    seed: int | None = None,
    say: Say = print,
) -> Verdict:
    """Run a bar. shell: which server it is to start; seed: where its chances begin; None for its own choice.

    Raises CannotTry, KeyError for an unknown name.
    """
    if name not in bars():
        raise KeyError(name)
    run = importlib.import_module(f"tests.bars.{name.replace('-', '_')}").run
    options: dict[str, Any] = {}
    for option, value, lack in (
        ("shell", shell, "starts no server whose kind could be chosen"),
        ("seed", seed, "leaves nothing to chance that a seed could bring again"),
    ):
        if value is None:
            continue
        if option not in inspect.signature(run).parameters:
            raise CannotTry(f"The bar {name} {lack}.")
        options[option] = value
    verdict: Verdict = run(runs=runs, plant=plant, say=say, **options)
    return verdict
