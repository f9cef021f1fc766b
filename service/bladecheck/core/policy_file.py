"""Policy files (TOML): a force's own rules and wording, checked key by key, identified by the file's sha256."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from bladecheck.core import taxonomy, wording_file
from bladecheck.core.bundle import Band
from bladecheck.core.verdict import KnifeAction, Policy, WeaponAction
from bladecheck.core.wording_file import Plain, Texts
from bladecheck.errors import PolicyError

DEFAULT = "default"


def _label(name: str) -> str:
    if name not in taxonomy.LABELS:
        raise ValueError(f"unknown label {name!r}; known: {', '.join(taxonomy.LABELS)}")
    return name


Label = Annotated[str, AfterValidator(_label)]


class _File(BaseModel):
    """A policy file, key for key."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,60}$")
    summary: str = Field(max_length=500)
    approver_required: bool = False
    approvers: list[Plain] = []
    gun: WeaponAction = "check"
    other_weapon: WeaponAction = "check"
    food: KnifeAction = "hold"
    drawing: KnifeAction = "check"
    thresholds: dict[Label, Band] = {}
    wording: Texts = {}
    organisation: Plain | None = None
    helplines: Plain | None = None
    post: Texts = {}
    alt_text: Texts = {}


def parse(raw: bytes, source: str, beside: Path | None = None) -> Policy:
    """A policy from the bytes of its file; `source` names it in errors, a wording file is looked for in `beside`.

    Raises:
        PolicyError: naming the key and what is wrong with it.
    """
    try:
        values: dict[str, Any] = tomllib.loads(raw.decode("utf-8"))
        named = values.pop("wording") if isinstance(values.get("wording"), str) else None
        file = _File.model_validate(values)
    except ValidationError as error:
        raise PolicyError(f"Policy {source}: {_first(error)}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyError(f"Policy {source} is not valid TOML: {error}.") from error
    fields = {name: getattr(file, name) for name in _File.model_fields}
    try:
        words = _words(file, named, beside)
    except PolicyError as error:
        raise PolicyError(f"Policy {source}: {error.detail}") from error
    return Policy(sha256=hashlib.sha256(raw).hexdigest(), **{**fields, **words})


def _words(file: _File, named: str | None, beside: Path | None) -> dict[str, Any]:
    """What the policy says itself, before what its wording file (`named`) says."""
    words = wording_file.find(named or wording_file.DEFAULT, beside)
    return {
        "language": words.language,
        "organisation": words.organisation if file.organisation is None else file.organisation,
        "helplines": words.helplines if file.helplines is None else file.helplines,
        "pointers": tuple(words.pointers),
        "approvers": tuple(file.approvers),
        # Advice of the force's own stands alone; without any, the wording file's is shown if the policy names one.
        "wording": dict(words.advice if named else file.wording),
        "post": {**words.post, **file.post},
        "alt_text": {**words.alt_text, **file.alt_text},
    }


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
        return parse(path.read_bytes(), str(path), path.parent)
    except OSError as error:
        known = ", ".join(available())
        raise PolicyError(f"No policy {wanted!r} ({error.strerror}). Give a TOML file, or one of: {known}.") from error
