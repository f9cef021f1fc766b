"""Wording files (TOML): what a force says in a post, in place of a picture that can't be seen, and as advice."""

from __future__ import annotations

import string
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from bladecheck.core.taxonomy import BLADES, LABELS, Decision
from bladecheck.errors import PolicyError

DEFAULT = "en"
PLACEHOLDERS = ("kind", "organisation", "helplines")
CASES = (*(str(decision) for decision in Decision), *LABELS[1:], *BLADES)
"""What a text may be for: a decision, another weapon where no knife shows, or a kind of blade in a held picture."""


def _placeholders(text: str) -> str:
    """Allow the known placeholders, and nothing else in braces."""
    try:
        fields = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    except ValueError as error:
        raise ValueError(f"braces don't match: {error}") from error
    if unknown := fields - set(PLACEHOLDERS):
        known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        raise ValueError(f"unknown placeholder {sorted(unknown)[0]!r}; filled in are {known}")
    return text


def _case(name: str) -> str:
    if name not in CASES:
        raise ValueError(f"unknown case {name!r}; known: {', '.join(CASES)}")
    return name


Text = Annotated[str, Field(max_length=2000), AfterValidator(_placeholders)]
Plain = Annotated[str, Field(max_length=1000, pattern=r"^[^{}]*$")]
Case = Annotated[str, AfterValidator(_case)]
Texts = dict[Case, Text]


class Wording(BaseModel):
    """A wording file, key for key; an empty text means "none"."""

    model_config = ConfigDict(extra="forbid", strict=True)

    language: Literal["en", "cy"] = "en"
    organisation: Plain = ""
    helplines: Plain = ""
    pointers: list[Plain] = []
    advice: Texts = {}
    post: Texts = {}
    alt_text: Texts = {}


def folder() -> Path:
    """Where the shipped wordings lie."""
    return Path(__file__).parent / "wordings"


def available() -> list[str]:
    """Names of the shipped wordings."""
    return sorted(path.stem for path in folder().glob("*.toml"))


def find(name_or_path: str = DEFAULT, beside: Path | None = None) -> Wording:
    """A wording by shipped name or by path, which counts from the folder `beside`.

    Raises:
        PolicyError: if there is none, or it is not valid.
    """
    shipped = name_or_path in available()
    path = folder() / f"{name_or_path}.toml" if shipped else (beside or Path()) / name_or_path
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        return Wording.model_validate(values)
    except OSError as error:
        known = ", ".join(available())
        raise PolicyError(
            f"No wording {name_or_path!r} ({error.strerror}). Give a TOML file, or one of: {known}."
        ) from error
    except ValidationError as error:
        found = error.errors()[0]
        where = ".".join(str(part) for part in found["loc"] if part != "[key]")
        raise PolicyError(f"Wording {path}: {where}: {found['msg'].removeprefix('Value error, ')}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyError(f"Wording {path} is not valid TOML: {error}.") from error
