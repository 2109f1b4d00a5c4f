"""The languages a room's code can be written in. frontend/src/room/languages.ts has the same keys."""

from __future__ import annotations

from typing import NamedTuple


class Language(NamedTuple):
    key: str
    name: str
    file_name: str


LANGUAGES = (
    Language("python", "Python", "main.py"),
    Language("javascript", "JavaScript", "main.js"),
    Language("typescript", "TypeScript", "main.ts"),
    Language("java", "Java", "Main.java"),
    Language("cpp", "C / C++", "main.cpp"),
    Language("go", "Go", "main.go"),
    Language("rust", "Rust", "main.rs"),
    Language("sql", "SQL", "main.sql"),
)
BY_KEY = {language.key: language for language in LANGUAGES}
