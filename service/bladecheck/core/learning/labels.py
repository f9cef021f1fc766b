"""A user's own labels: of a CSV file of path and label, with or without groups, or from wherever else they come."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bladecheck.errors import LabelsError

PATHS, LABELS, GROUPS = ("path", "file", "image", "filename"), ("label", "knife"), ("group",)
KNIFE = frozenset(("knife", "1", "yes", "true", "y", "hold"))
OTHER = frozenset(("other", "0", "no", "false", "n", "none", "clear", "no knife", "no_knife"))


@dataclass(frozen=True, slots=True)
class Labelled:
    """One labelled picture.

    Attributes:
        path: of the picture; relative ones start at the CSV's folder.
        name: as it stands in the CSV, or whatever a person knows it by.
        knife: 1 or 0.
        group: pictures of one group are never on both sides of a cross-validation; None if the file says nothing.
        weight: how many pictures it stands for, where some were likelier to be drawn than others.
        opener: reads its bytes, where they are no file of their own.
    """

    path: Path
    name: str
    knife: int
    group: str | None
    weight: float = 1.0
    opener: Callable[[], bytes] | None = None

    def read(self) -> bytes:
        """Its bytes.

        Raises:
            OSError, BladecheckError: they can't be had.
        """
        return self.opener() if self.opener else self.path.read_bytes()


def read(source: Path) -> list[Labelled]:
    """The labelled pictures of a CSV file; rows without a label are passed over.

    Raises:
        LabelsError: naming the line and what is wrong with it, and what to write instead.
    """
    lines = csv.DictReader(io.StringIO(_text(source)), dialect=_dialect(source))
    columns = {(name or "").strip().lower(): name for name in lines.fieldnames or []}
    path, label = _column(columns, PATHS, source), _column(columns, LABELS, source)
    group = next((columns[name] for name in GROUPS if name in columns), None)
    found: dict[Path, Labelled] = {}
    for line in lines:
        name, said = (line[path] or "").strip(), (line[label] or "").strip().lower()
        if not name or not said:
            continue
        knife = _knife(said, source, lines.line_num)
        one = Labelled(source.parent / name, name, knife, ((line[group] or "").strip() or None) if group else None)
        known = found.setdefault(one.path, one)
        if known.knife != knife:
            raise LabelsError(
                f"{source}, line {lines.line_num}: {name} is labelled knife and other; keep one of the two."
            )
    _refuse_missing(list(found.values()), source)
    return list(found.values())


def counts(labelled: list[Labelled]) -> tuple[int, int]:
    """How many show a knife, and how many do not."""
    found = Counter(one.knife for one in labelled)
    return found[1], found[0]


def need(labelled: list[Labelled], least: int, source: Path) -> None:
    """Refuse labels that are too few.

    Raises:
        LabelsError: with how many there are of each.
    """
    knives, others = counts(labelled)
    if min(knives, others) < least:
        raise LabelsError(
            f"{source} labels {knives} pictures knife and {others} other; at least {least} of each are needed here."
        )


def _text(source: Path) -> str:
    try:
        return source.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise LabelsError(f"{source} can't be read ({error.strerror}). Give a CSV file of path,label.") from error
    except UnicodeDecodeError as error:
        raise LabelsError(f"{source} is not UTF-8 text: save it as CSV UTF-8.") from error


def _dialect(source: Path) -> type[csv.Dialect]:
    """Commas, semicolons or tabs, whichever the first line holds most of."""
    first = _text(source).partition("\n")[0]
    best = max(",;\t", key=first.count)

    class Found(csv.excel):
        delimiter = best

    return Found


def _column(columns: dict[str, str], wanted: tuple[str, ...], source: Path) -> str:
    for name in wanted:
        if name in columns:
            return columns[name]
    known = ", ".join(columns) or "nothing"
    raise LabelsError(f"{source} has no column {wanted[0]!r}; its first line names {known}. It must name path,label.")


def _knife(said: str, source: Path, line: int) -> int:
    if said in KNIFE:
        return 1
    if said in OTHER:
        return 0
    raise LabelsError(f"{source}, line {line}: the label {said[:40]!r} is not known; write knife or other (or 1 or 0).")


def _refuse_missing(labelled: list[Labelled], source: Path) -> None:
    if not labelled:
        raise LabelsError(f"{source} labels no picture: each line needs a path and knife or other.")
    missing = [one for one in labelled if not one.path.is_file()]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise LabelsError(f"{source} names {missing[0].path}, which does not exist{more}. Paths start at its folder.")
