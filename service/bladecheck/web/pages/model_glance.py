"""How often the model is wrong, for who has one minute: sentences and a hundred dots, from the bundle's measurements.

Every set of the card that says how decisions fell can be shown; of variants of one set (their names begin alike) the
first is, which is the model as it is used. The card behind it leaves nothing out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bladecheck.core.taxonomy import BLADE_WORDS

COLUMNS = 20
TITLES = {"police": "On a police force’s own posts", "dev": "On pictures from the web, set aside from training"}
"""By the first word of a set's name; others are shown under their own name."""
ORDER = ("police", "dev")
SEEN = "The model has seen some of these very pictures while it was trained, so expect more mistakes on yours."


@dataclass(frozen=True, slots=True)
class Dot:
    """One of a hundred; `kind` is "counted", "possible" (the interval reaches so far) or "right"."""

    x: int
    y: int
    kind: str


@dataclass(frozen=True, slots=True)
class Share:
    """How often something goes wrong: a sentence of what was counted, one of what that tells, and dots."""

    counted: str
    likely: str
    dots: tuple[Dot, ...]
    drawn: str


@dataclass(frozen=True, slots=True)
class Measured:
    """One set of pictures: what it is called here and in the card, and its shares."""

    title: str
    name: str
    warning: str
    shares: tuple[Share, ...]


def glance(metrics: Mapping[str, Any]) -> tuple[Measured, ...]:
    """The sets to show, those of police posts first."""
    found: dict[str, Measured] = {}
    for name, part in metrics.items():
        decisions = part.get("decisions") if isinstance(part, Mapping) else None
        first = _first_word(name)
        if isinstance(decisions, Mapping) and first not in found and (shares := tuple(_shares(decisions))):
            found[first] = Measured(TITLES.get(first, name), name, SEEN if "have seen" in name else "", shares)
    return tuple(sorted(found.values(), key=lambda one: _rank(one.name)))


def by_kind(metrics: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Kinds of blade on police posts, and how many of each were missed; empty where the card does not say."""
    slices: Any = next((part for name, part in metrics.items() if name.startswith("slices of police")), {})
    rows = []
    for name, part in slices.items() if isinstance(slices, Mapping) else ():
        kind = name.removeprefix("blade: ")
        measure = part.get("knife_not_clear", {}) if isinstance(part, Mapping) else {}
        if name.startswith("blade: ") and _known(measure):
            rows.append((BLADE_WORDS.get(kind, kind).capitalize(), f"{_wrong(measure)} of {measure['n']}"))
    return tuple(rows)


def _first_word(name: str) -> str:
    return re.split(r"[^\w]", name, maxsplit=1)[0]


def _rank(name: str) -> int:
    first = _first_word(name)
    return ORDER.index(first) if first in ORDER else len(ORDER)


def _shares(decisions: Mapping[str, Any]) -> Iterator[Share]:
    knife, other, held = (decisions.get(key) or {} for key in ("knife_not_clear", "other_not_clear", "other_hold"))
    if _known(knife):
        missed = _wrong(knife)
        yield Share(
            f"Of {knife['n']:,} pictures with a knife, it called {missed or 'none'} “Clear”.",
            _likely(1 - knife["value"], 1 - knife["high"], 1 - knife["low"]),
            *_dots(1 - knife["value"], 1 - knife["low"]),
        )
    if _known(other):
        stopped, hard = other["positives"], held.get("positives") if _known(held) else None
        among = "" if hard is None else f", {hard or 'none'} of them with “Hold”"
        yield Share(
            f"Of {other['n']:,} pictures without a knife, it stopped {stopped or 'none'}{among if stopped else ''}.",
            _likely(other["value"], other["low"], other["high"]),
            *_dots(other["value"], other["high"]),
        )


def _known(measure: Mapping[str, Any]) -> bool:
    """A share with all its parts, of at least one picture."""
    keys = ("value", "low", "high", "n", "positives")
    return all(isinstance(measure.get(key), (int, float)) for key in keys) and measure["n"] > 0


def _wrong(measure: Mapping[str, Any]) -> int:
    return int(measure["n"] - measure["positives"])


def _likely(share: float, low: float, high: float) -> str:
    least, most = _hundredths(low), _hundredths(high)
    between = f"fewer than {most}" if least == "0" else f"between {least} and {most}"
    return (
        f"That is {_hundredths(share)} in 100. So few pictures leave room: the true number is likely {between} in 100 "
        "(95 % interval)."
    )


def _hundredths(share: float) -> str:
    return f"{max(0.0, share) * 100:.1f}".removesuffix(".0")


def _dots(share: float, high: float) -> tuple[tuple[Dot, ...], str]:
    """A hundred dots: the counted ones first, then those that the interval adds; and what they show in words."""
    counted = round(share * 100)
    possible = max(0, min(100, math.ceil(round(high * 100, 6))) - counted)
    kinds = ["counted"] * counted + ["possible"] * possible + ["right"] * (100 - counted - possible)
    dots = tuple(Dot(number % COLUMNS, number // COLUMNS, kind) for number, kind in enumerate(kinds))
    return (
        dots,
        f"100 dots: {counted} filled, as counted; {possible} ringed, as many more as there may be; the rest small.",
    )
