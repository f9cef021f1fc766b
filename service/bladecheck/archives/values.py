"""Careful access to values whose shape others decided: nothing here raises on a missing or odd value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"

# Digits that spreadsheets keep of a number; later ones become zeros.
EXACT_DIGITS = 15
# Above it a float skips whole numbers: an id that was one is another by now.
LARGEST_EXACT_FLOAT = 2**53


def dig(value: object, *path: str | int) -> object:
    """Follows keys and indices into nested dicts and lists; None where a step does not exist."""
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def dict_of(value: object) -> dict[str, object]:
    """The value where it is a dict, else an empty one."""
    return value if isinstance(value, dict) else {}


def list_of(value: object) -> list[object]:
    """The value where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def clean(text: str) -> str:
    """Text that can be written as UTF-8: without NUL bytes, lone surrogates replaced by U+FFFD."""
    text = text.replace("\x00", "")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def text_of(value: object) -> str | None:
    """Cleaned text, or None where the value is not text or blank."""
    if not isinstance(value, str):
        return None
    return clean(value) if value.strip() else None


def id_of(value: object) -> str | None:
    """An identifier as text. A float beyond 2^53 has lost digits, so it gives None; so do 0, bool and blank."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, float):
        if not math.isfinite(value) or value != int(value) or abs(value) >= LARGEST_EXACT_FLOAT:
            return None
        value = int(value)
    if isinstance(value, int):
        return str(value) if 0 < value < 10**40 else None
    text = text_of(value)
    return None if text is None or text.strip() in ("", "0") else text.strip()


def handle_of(value: object) -> str | None:
    """An account name without its leading @, or None."""
    text = text_of(value)
    return (text.strip().lstrip("@") or None) if text else None


def first_text(record: Mapping[str, object], *keys: str) -> str | None:
    """The first of these keys that holds text."""
    return next((text for key in keys if (text := text_of(record.get(key)))), None)


def first_id(record: Mapping[str, object], *keys: str) -> str | None:
    """The first of these keys that holds an identifier."""
    return next((found for key in keys if (found := id_of(record.get(key)))), None)
