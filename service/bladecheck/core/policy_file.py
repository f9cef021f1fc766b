"""Policy files (TOML): a force's own rules and wording, checked key by key, identified by the file's sha256."""

from __future__ import annotations

import hashlib
import string
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from bladecheck.core import taxonomy
from bladecheck.core.bundle import Band
from bladecheck.core.taxonomy import Decision
from bladecheck.core.verdict import KnifeAction, Policy, WeaponAction
from bladecheck.errors import PolicyError

DEFAULT = "default"
PLACEHOLDER = "kind"


def _plain(text: str) -> str:
    """Allow {kind} and no other placeholder."""
    try:
        fields = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    except ValueError as error:
        raise ValueError(f"braces don't match: {error}") from error
    if unknown := fields - {PLACEHOLDER}:
        raise ValueError(f"unknown placeholder {sorted(unknown)[0]!r}; only {{{PLACEHOLDER}}} is filled in")
    return text


def _label(name: str) -> str:
    if name not in taxonomy.LABELS:
        raise ValueError(f"unknown label {name!r}; known: {', '.join(taxonomy.LABELS)}")
    return name


Text = Annotated[str, Field(max_length=2000), AfterValidator(_plain)]
Label = Annotated[str, AfterValidator(_label)]


class _File(BaseModel):
    """A policy file, key for key."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,60}$")
    summary: str = Field(max_length=500)
    approver_required: bool = False
    gun: WeaponAction = "check"
    other_weapon: WeaponAction = "check"
    food: KnifeAction = "hold"
    drawing: KnifeAction = "check"
    thresholds: dict[Label, Band] = {}
    wording: dict[Annotated[Decision, Field(strict=False)], Text] = {}
    alt_text: dict[Annotated[Decision, Field(strict=False)], Text] = {}


def parse(raw: bytes, source: str) -> Policy:
    """A policy from the bytes of its file; `source` names it in errors.

    Raises:
        PolicyError: naming the key and what is wrong with it.
    """
    try:
        values: dict[str, Any] = tomllib.loads(raw.decode("utf-8"))
        file = _File.model_validate(values)
    except ValidationError as error:
        raise PolicyError(f"Policy {source}: {_first(error)}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyError(f"Policy {source} is not valid TOML: {error}.") from error
    fields = {name: getattr(file, name) for name in _File.model_fields}
    fields["wording"] = {str(decision): text for decision, text in file.wording.items()}
    fields["alt_text"] = {str(decision): text for decision, text in file.alt_text.items()}
    return Policy(sha256=hashlib.sha256(raw).hexdigest(), **fields)


def _first(error: ValidationError) -> str:
    found = error.errors()[0]
    where = ".".join(str(part) for part in found["loc"] if part != "[key]")
    if found["type"] == "extra_forbidden":
        known = _File.model_fields if len(found["loc"]) == 1 else Band.model_fields
        return f"unknown key {where!r}; known: {', '.join(known)}."
    return f"{where}: {found['msg'].removeprefix('Value error, ')}."


def folder() -> Path:
    """Where the shipped policies lie."""
    return Path(__file__).parent / "policies"


def available() -> list[str]:
    """Names of the shipped policies."""
    return sorted(path.stem for path in folder().glob("*.toml"))


def find(name_or_path: str | Path | None = None) -> Policy:
    """Load a policy by shipped name or by path; None takes the default.

    Raises:
        PolicyError: if there is none, or it is not valid.
    """
    wanted = str(name_or_path or DEFAULT)
    path = folder() / f"{wanted}.toml" if wanted in available() else Path(wanted)
    try:
        return parse(path.read_bytes(), str(path))
    except OSError as error:
        known = ", ".join(available())
        raise PolicyError(f"No policy {wanted!r} ({error.strerror}). Give a TOML file, or one of: {known}.") from error
