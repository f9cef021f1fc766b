"""The user's own labels for `evaluate` and `adapt`: a CSV file, or a run that was labelled with `bladecheck review`."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bladecheck.core.learning import labels
from bladecheck.core.learning.labels import Labelled
from bladecheck.errors import LabelsError

if TYPE_CHECKING:
    from bladecheck.runs.counts.opened import Opened
    from bladecheck.runs.pictures import Pictures

Source = Annotated[
    Path,
    typer.Argument(metavar="LABELS", help="CSV of path,label (knife or other, or 1 or 0), or a run that was reviewed."),
]


@dataclass(frozen=True, slots=True)
class Own:
    """Labelled pictures, the sha256 of what they were read from, and what a reader of the figures should know."""

    labelled: list[Labelled]
    sha256: str
    notes: tuple[str, ...] = ()


@contextmanager
def own(source: Path, archive: Path | None = None) -> Iterator[Own]:
    """The labels of a CSV file or of a reviewed run; within the block their pictures can be read.

    Args:
        source: the file, or the run's folder.
        archive: folder with the run's archive, if it has moved since.

    Raises:
        LabelsError, RunError: in a sentence, with what to do.
    """
    if not source.is_dir():
        yield Own(labels.read(source), hashlib.sha256(source.read_bytes()).hexdigest())
        return
    with _reviewed(source, archive) as found:
        yield found


@contextmanager
def _reviewed(run: Path, archive: Path | None) -> Iterator[Own]:
    from bladecheck.runs.counts.sample import LABELS
    from bladecheck.runs.pictures import Pictures

    opened, passed_over = _sample(run)
    answered = _answered(opened)
    file = opened.sample.path / LABELS
    notes = [f"Labels of the sample in {opened.sample.path}."]
    notes += [f"The sample in {other} is left out." for other in passed_over]
    if unsure := sum(one.unsure for one in answered.values()):
        notes.append(f'{unsure} pictures that were answered "can\'t tell" are left out.')
    wanted = {sha256: one for sha256, one in answered.items() if not one.unsure}
    with Pictures(opened.folder, [one.row for one in wanted.values()], archive) as pictures:
        found = [_labelled(sha256, one, pictures) for sha256, one in wanted.items()]
        yield Own(found, hashlib.sha256(file.read_bytes()).hexdigest(), tuple(notes))


def _labelled(sha256: str, one: _Answered, pictures: Pictures) -> Labelled:
    name = str(pictures.files.get(one.row, f"row {one.row}"))
    opener = partial(pictures.open, one.row, sha256)
    return Labelled(Path(name), name, int(one.knife), one.group, one.weight, opener)


def _sample(run: Path) -> tuple[Opened, list[Path]]:
    """The run's sample that is labelled most, and those beside it that have labels, too."""
    from bladecheck.runs.counts.frame import COUNTS
    from bladecheck.runs.counts.opened import open_sample
    from bladecheck.runs.counts.sample import PLAN, place

    drawn = [open_sample(run, count) for count in COUNTS if (place(run, count) / PLAN).exists()]
    if not drawn:
        raise LabelsError(f"{run} is a folder without labels. Give a CSV file of path,label, or label this run's "
                          f"pictures first: bladecheck review {run} --labels 300")  # fmt: skip
    by_labels = sorted(drawn, key=lambda one: -len(one.labels.by_row["first"]))
    return by_labels[0], [one.sample.path for one in by_labels[1:] if one.labels.by_row["first"]]


@dataclass(slots=True)
class _Answered:
    row: str
    knife: bool
    unsure: bool
    group: str | None
    weight: float


def _answered(opened: Opened) -> dict[str, _Answered]:
    """The labelled pictures by the sha256 of their bytes, each with how many of the run it stands for.

    Of each stratum those count that `estimate` counts, so that what is measured here is what was drawn at random.
    """
    from bladecheck.runs.counts.estimate import Counted

    sample, given = opened.sample, opened.labels
    counted = Counted(sample, opened.frame, given, sample.count)
    sizes = Counter(sample.frame.values())
    answers = Counter(sample.frame[name] for name in counted.answers)
    found: dict[str, _Answered] = {}
    for name in counted.answers:
        unit, stratum = opened.frame.units[name], sample.frame[name]
        group = name if len(unit.rows) > 1 else None
        for row, sha256 in unit.rows:
            answer, weight = given.answer(row, sha256), sizes[stratum] / answers[stratum]
            if answer is None:  # one picture of a post decided; the others were not looked at
                continue
            if sha256 in found:
                found[sha256].weight += weight
            else:
                found[sha256] = _Answered(row, answer == "yes", answer == "unsure", group, weight)
    return found
