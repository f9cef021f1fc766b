"""The page in another language: a file of phrases each, English on the left. English itself is in templates and code.

Templates of `TRANSLATED` are put into the language as they are loaded, text by text; what code says is put into it
where a template shows it (`{{ words|t }}`); the page's script finds its own phrases in the page. Other templates stay
English, and the page says so (`lang="en"`).
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment
from jinja2.ext import Extension

FOLDER = Path(__file__).parent / "languages"
TRANSLATED = frozenset(
    f"{name}.html"
    for name in (
        "card",
        "copy",
        "copy_made",
        "editor",
        "error_summary",
        "layout",
        "record",
        "record_approve",
        "record_fields",
        "record_form",
        "record_form_body",
        "record_made",
        "record_open",
        "results",
        "results_body",
        "start",
    )
)
"""Not the record itself, which is one text for everybody, and not what explains the model and the service."""

PIECES = re.compile(r"(\{%.*?%\}|\{#.*?#\}|<(?:\{\{.*?\}\}|\{%.*?%\}|[^<>])*>)", re.DOTALL)
SPOKEN = re.compile(r'((?:aria-label|alt|data-i18n\.[\w.-]+)=")([^"]*)"')
GAP = re.compile(r"\{(\w+)\}")
CODE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}")
LETTERS = re.compile(r"[A-Za-z]{2}")
SENTENCE = re.compile(r"(?<=[.?!]) ")


@dataclass(frozen=True, slots=True)
class Language:
    """A language by its code; English phrases, where `{gap}` stands for anything, to that language's."""

    code: str
    phrases: Mapping[str, str] = field(default_factory=dict)
    script: Mapping[str, str] = field(default_factory=dict)

    def say(self, text: str) -> str:
        """The text in this language: as a whole, or sentence by sentence; what has no translation stays as it is."""
        found = self._phrase(text)
        if found is None and len(sentences := SENTENCE.split(text)) > 1:
            return " ".join(self.say(sentence) for sentence in sentences)
        return text if found is None else found

    def _phrase(self, text: str) -> str | None:
        if text in self.phrases:
            return self.phrases[text]
        for pattern, given in _patterns(self.code):
            if match := pattern.fullmatch(text):
                return given.format_map({name: self.say(value) for name, value in match.groupdict().items()})
        return None


ENGLISH = Language("en")


@functools.cache
def find(code: str) -> Language:
    """The page's language of that code; English where there is no file for it."""
    path = FOLDER / f"{code}.toml"
    if code == ENGLISH.code or not code.isalpha() or not path.is_file():
        return ENGLISH
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    return Language(code, content["phrases"], content["script"])


@functools.cache
def _patterns(code: str) -> list[tuple[re.Pattern[str], str]]:
    """Phrases with gaps, those that say most first."""
    given = [(english, said) for english, said in find(code).phrases.items() if GAP.search(english)]
    given.sort(key=lambda pair: -len(GAP.sub("", pair[0])))
    return [(re.compile(_with_gaps(english), re.DOTALL), said) for english, said in given]


def _with_gaps(english: str) -> str:
    between = GAP.split(english)
    return "".join(f"(?P<{part}>.+?)" if index % 2 else re.escape(part) for index, part in enumerate(between))


class Translated(Extension):
    """Puts the templates of `TRANSLATED` into the environment's language as they are loaded."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        language = speaks(self.environment)
        return source if language is ENGLISH or name not in TRANSLATED else translate(source, language.phrases)


def speaks(environment: Environment) -> Language:
    """The language of an environment for templates."""
    found = getattr(environment, "language", ENGLISH)
    assert isinstance(found, Language)
    return found


def translate(source: str, phrases: Mapping[str, str]) -> str:
    """A template's source with its texts replaced: whole texts between tags, and what is read out."""

    def said(text: str) -> str:
        key = " ".join(text.split())
        if key not in phrases:
            return text
        before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
        return f"{before}{phrases[key]}{after}"

    def spoken(tag: str) -> str:
        return SPOKEN.sub(lambda found: f'{found[1]}{said(found[2])}"', tag)

    pieces = PIECES.split(source)
    return "".join(spoken(piece) if index % 2 else said(piece) for index, piece in enumerate(pieces))


def texts(source: str) -> list[str]:
    """The English texts of a template that `translate` looks for, as its keys."""
    found = []
    for index, piece in enumerate(PIECES.split(source)):
        parts = [match[2] for match in SPOKEN.finditer(piece)] if index % 2 else [piece]
        keys = (" ".join(part.split()) for part in parts)
        found += [key for key in keys if LETTERS.search(CODE.sub("", key))]
    return found
