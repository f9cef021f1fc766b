"""What `--compare` names: years, months, stretches of months, or accounts; stretches must be of equal length."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from bladecheck.errors import RunError
from bladecheck.runs.counts.frame import Unit

MONTH = r"\d{4}-(?:0[1-9]|1[0-2])"


@dataclass(frozen=True, slots=True)
class Window:
    """One side of a comparison.

    Attributes:
        name: as given.
        months: the months in it, in order; empty for an account.
    """

    name: str
    months: tuple[str, ...]

    def holds(self, unit: Unit) -> bool:
        return unit.month in self.months if self.months else unit.account == self.name


def parse(text: str, accounts: Iterable[str]) -> list[Window]:
    """The sides of a comparison, from "2023,2024", "2023-01..2023-06,2024-01..2024-06" or "one,other" (accounts).

    Raises:
        RunError: fewer than two, an unknown name, different lengths, or stretches that overlap.
    """
    known = set(accounts)
    found = [_window(name.strip(), known) for name in text.split(",") if name.strip()]
    if len(found) < 2:
        raise RunError(f"--compare takes two or more, such as 2023,2024; {text!r} names {len(found)}.")
    for before, after in pairwise(found):
        if len(before.months) != len(after.months):
            raise RunError(
                f"{before.name} and {after.name} can't be compared: {_length(before)} against {_length(after)}. Name "
                "stretches of equal length, such as 2023-01..2023-06,2024-01..2024-06."
            )
        if before.name == after.name or set(before.months) & set(after.months):
            raise RunError(f"{before.name} and {after.name} overlap: compare different pictures.")
    return found


def _window(name: str, accounts: set[str]) -> Window:
    if re.fullmatch(r"\d{4}", name) and name not in accounts:
        return Window(name, tuple(f"{name}-{number:02d}" for number in range(1, 13)))
    if re.fullmatch(MONTH, name):
        return Window(name, (name,))
    if match := re.fullmatch(rf"({MONTH})\.\.({MONTH})", name):
        months = _between(match[1], match[2])
        if not months:
            raise RunError(f"{name} ends before it begins.")
        return Window(name, months)
    if name in accounts:
        return Window(name, ())
    raise RunError(
        f"--compare: {name!r} is no year (2023), month (2023-05), stretch (2023-01..2023-06) or account of this run."
    )


def _between(first: str, last: str) -> tuple[str, ...]:
    def number(month: str) -> int:
        return int(month[:4]) * 12 + int(month[5:]) - 1

    return tuple(f"{place // 12:04d}-{place % 12 + 1:02d}" for place in range(number(first), number(last) + 1))


def _length(window: Window) -> str:
    count = len(window.months)
    return f"{count} month{'' if count == 1 else 's'}" if count else "an account"


def gap(window: Window, units: Iterable[Unit]) -> str | None:
    """A warning where the archive has no picture in some of a window's months; None otherwise."""
    seen = {unit.month for unit in units}
    empty = [month for month in window.months if month not in seen]
    if not empty:
        return None
    return (
        f"{window.name}: no picture in {len(empty)} of its {len(window.months)} months ({', '.join(empty[:3])}"
        f"{' ...' if len(empty) > 3 else ''}). If the archive does not reach there, compare shorter stretches."
    )
