"""A sample together with the run as it is now: what every command on samples starts from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bladecheck.errors import RunError
from bladecheck.runs import journal
from bladecheck.runs.counts import alike, sentences
from bladecheck.runs.counts.estimate import Counted, Options, estimate
from bladecheck.runs.counts.frame import Count, Frame, gather
from bladecheck.runs.counts.labels import Labels, Role, queue, read
from bladecheck.runs.counts.sample import LABELS, LOOKS, Sample, create, place
from bladecheck.runs.folder import RunFolder, now, replace
from bladecheck.runs.table import Ledger

ESTIMATE, TABLE, STRATA = "estimate.json", "estimate.csv", "strata.csv"


@dataclass(frozen=True, slots=True)
class Opened:
    """A sample and the units of its run."""

    folder: RunFolder
    sample: Sample
    frame: Frame

    @property
    def labels(self) -> Labels:
        return read(self.sample.path / LABELS)

    @property
    def came(self) -> int:
        """How many units came into the run after the draw."""
        return sum(name not in self.sample.frame for name in self.frame.units)

    def queue(self, role: Role, labels: Labels) -> list[tuple[str, str]]:
        """What this role looks at, in order: row_id and sha256."""
        return queue(self.frame.units, self.sample.drawn(), self.sample.frame, labels, role)

    def drawn_rows(self) -> list[tuple[str, str]]:
        """Every row of every drawn unit."""
        return [row for name in self.sample.drawn() if name in self.frame.units for row in self.frame.units[name].rows]


def open_sample(run: Path, count: Count = "pictures") -> Opened:
    """The sample of a run.

    Raises:
        RunError: no run, or no sample in it.
    """
    folder = RunFolder(run)
    folder.header()
    sample = Sample(place(run, count))
    with Ledger(folder) as ledger:
        frame = gather(ledger.rows(), sample.plan["timezone"], sample.count, sample.plan["reposts"])
    return Opened(folder, sample, frame)


def draw_sample(
    run: Path, labels: int, count: Count = "pictures", by: Sequence[str] = (), seed: str | None = None,
    reposts: bool = False, looks: int = 1,
) -> Opened:  # fmt: skip
    """Draw a sample and write it down, once.

    Raises:
        RunError: no run, one is drawn already, or it is not finished.
    """
    folder = RunFolder(run)
    timezone = folder.manifest().get("timezone", "UTC")
    with Ledger(folder) as ledger:
        if ledger.unfinished:
            raise RunError(
                f"{ledger.unfinished} rows of {run} wait for their picture to be scored: finish the run before drawing."
            )
        frame = gather(ledger.rows(), timezone, count, reposts)
        sample = create(
            folder, frame, ledger.head, labels, count=count, by=by, seed=seed, timezone=timezone, reposts=reposts,
            looks=looks,
        )  # fmt: skip
    return Opened(folder, sample, frame)


def look(opened: Opened, options: Options, assume_alike: bool = False) -> dict[str, Any]:
    """An estimate, with its sentences; the look is logged, and files are written into the run.

    Args:
        assume_alike: write the ranges of `alike`, too; otherwise older ones are taken away, since they would be of
            other labels.

    Raises:
        RunError: see `estimate`; or a file can't be written.
    """
    found = estimate(opened.sample, opened.frame, opened.labels, options)
    total, log = found["total"], opened.sample.path / LOOKS
    with journal.Journal(log) as looks:
        looks.append([{"at": now(), "labels": found["labels"]["counted"], "confidence": options.confidence,
                       "count": options.count, "by": list(options.by), "compare": list(options.compare),
                       "estimate": total["estimate"], "low": total["low"], "high": total["high"]}])  # fmt: skip
    found["looks"] = [record for record in journal.read(log) if record]
    found["sentences"] = sentences.sentences(found)
    for name, text in (
        (ESTIMATE, json.dumps(found, indent=1, ensure_ascii=False) + "\n"),
        (TABLE, sentences.estimate_csv(found)),
        (STRATA, sentences.strata_csv(found)),
    ):
        replace(opened.folder.path / name, text.encode("utf-8", "replace"))
    if assume_alike:
        counted = Counted(opened.sample, opened.frame, opened.labels, options.count)
        ranges = alike.ranges(counted, options.by, options.confidence)
        replace(opened.folder.path / alike.FILE, alike.written(ranges).encode("utf-8", "replace"))
    else:
        (opened.folder.path / alike.FILE).unlink(missing_ok=True)
    return found
