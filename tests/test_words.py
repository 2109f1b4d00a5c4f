"""The same words on both sides: error codes, message names; and words that belong nowhere in the tree."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import math
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from anteroom.errors import Refusal
from rooms import wire

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "frontend" / "src"
APP_FOLDERS = ("platform/anteroom", "platform/accounts", "rooms", "feedback")

NOT_OURS = {".git", ".venv", ".anteroom", ".hypothesis", "node_modules", "dist", "__pycache__"}

ADDRESS = re.compile(r"\b(?:https?|wss?)://([\w.-]+)")
COMMENT = re.compile(r"/\*.*?\*/|(?m:^\s*//.*$)|\{#.*?#\}|<!--.*?-->", re.DOTALL)
BLOCK = re.DOTALL | re.MULTILINE
XML_NAMES = {"www.w3.org"}  # names of namespaces look like addresses; nobody goes there
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:home|Users|work|root)/\w")


def refusals() -> dict[str, type[Refusal]]:
    """Every expected trouble of the project by its code. Fails when two share one."""
    found: dict[str, type[Refusal]] = {}
    for folder in APP_FOLDERS:
        for path in sorted((ROOT / folder).rglob("errors.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            module = importlib.import_module(".".join(parts[1:] if parts[0] == "platform" else parts))
            for _, each in inspect.getmembers(module, inspect.isclass):
                if issubclass(each, Refusal) and each.__module__ == module.__name__ and each is not Refusal:
                    assert each.code not in found, f"{each.code} means two things"
                    found[each.code] = each
    return found


def sentences() -> list[str]:
    """The codes for which say.ts has a sentence, as often as they stand there."""
    return re.findall(r"^  (\w+): \[", block("say.ts", "WORDS"), re.MULTILINE)


def block(file: str, name: str) -> str:
    """What stands between the braces of a constant of this name in the browser's sources."""
    found = re.search(rf"^(?:export )?const {name}\b[^=]*= \{{$(.*?)^\}}", (SOURCE / file).read_text(), BLOCK)
    assert found, f"{file} has no {name}"
    return found.group(1)


def test_every_refusal_has_one_sentence_in_the_browser() -> None:
    said = Counter(sentences())
    assert not [code for code, count in said.items() if count > 1]
    expected = set(refusals()) | {Refusal.code}
    assert set(said) == expected, "errors.py and say.ts differ"


def test_refusals_are_whole() -> None:
    """Each says a sentence of its own, with a status and a close code that clients may see."""
    for each in refusals().values():
        assert "code" in vars(each) and "sentence" in vars(each), f"{each.__name__} borrows its words"
        assert each.sentence[-1] in ".?!" and each.sentence[0].isupper()
        assert 400 <= each.status < 600
        assert 4000 <= each.close_code < 5000 or each.close_code in {1008, 1009, 1011, 1012, 1013}


def messages() -> list[type]:
    return [
        each
        for _, each in inspect.getmembers(wire, inspect.isclass)
        if each.__module__ == wire.__name__ and hasattr(each, "mark")
    ]


@pytest.mark.parametrize("message", messages(), ids=lambda each: each.__name__)
def test_every_message_has_its_name_in_the_browser(message: type) -> None:
    typescript = (SOURCE / "wire.ts").read_text()
    name = message.__name__
    assert f'export type {name} = {{ kind: "{name}"' in re.sub(r"\{\s+", "{ ", typescript)
    assert message.__doc__ and message.__doc__.startswith(("Either way", "From a client", "From the server"))


def test_messages_have_the_same_numbers_in_the_browser() -> None:
    there = {name: int(kind) for name, kind in re.findall(r"(\w+): (\d+)", block("wire.ts", "KINDS"))}
    here = {each.__name__: each.kind for each in messages() if hasattr(each, "kind")}
    assert there == here


@pytest.mark.parametrize("side", ["FROM_CLIENT", "FROM_SERVER"])
def test_messages_have_the_same_fields_in_the_browser(side: str) -> None:
    there = {
        name: set(re.findall(r"(\w+):", fields))
        for name, fields in re.findall(r"(\w+): \{(.*?)\}", block("wire.ts", side), re.DOTALL)
    }
    here = {each.__name__: {field.name for field in dataclasses.fields(each)} for each in getattr(wire, side)}
    assert there == here


def test_limits_are_the_same_in_the_browser() -> None:
    typescript = (SOURCE / "wire.ts").read_text()
    for name in ("MAX_FRAME_BYTES", "MAX_CHAT_CHARACTERS"):
        told = re.search(rf"export const {name} = ([\d_* ]+);", typescript)
        assert told, f"wire.ts does not export {name}"
        assert math.prod(int(part) for part in told.group(1).split("*")) == getattr(wire, name)


def files() -> Iterator[Path]:
    """Everything written by hand; nothing built, installed or remembered."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in NOT_OURS and not name.endswith("_cache")]
        yield from (Path(folder) / name for name in names)


def pages_sources() -> list[Path]:
    return [
        path
        for path in files()
        if SOURCE in path.parents or (path.suffix == ".html" and "templates" in path.parts)
    ]


def test_pages_name_no_other_host() -> None:
    """What a page loads comes from the installation itself."""
    for path in pages_sources():
        hosts = set(ADDRESS.findall(COMMENT.sub("", path.read_text()))) - XML_NAMES
        assert not hosts, f"{path.relative_to(ROOT)} names {', '.join(sorted(hosts))}"


def test_no_path_of_somebodys_machine() -> None:
    for path in files():
        found = MACHINE_PATH.search(path.read_text(errors="replace"))
        assert not found, f"{path.relative_to(ROOT)} holds a path of one machine: {found.group()}…"


def test_where_packages_come_from_is_the_machines_business() -> None:
    names = {path.name for path in files()}
    assert not names & {".npmrc", "pip.conf", ".pypirc"}
    assert '"resolved"' not in (ROOT / "frontend" / "package-lock.json").read_text()
    for name in ("requirements.txt", "tests/requirements.txt", ".constraints.txt"):
        assert "index-url" not in (ROOT / name).read_text()
