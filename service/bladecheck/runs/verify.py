"""What a hostile reader checks: the draw, the labels and the totals from the files, and some pictures scored again."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bladecheck.core.classifier import Classifier
from bladecheck.core.result import classify_bytes
from bladecheck.core.verdict import Policy
from bladecheck.errors import BladecheckError, RunError
from bladecheck.runs.columns import Row
from bladecheck.runs.counts import draw
from bladecheck.runs.counts.estimate import Options, estimate
from bladecheck.runs.counts.opened import ESTIMATE, Opened
from bladecheck.runs.counts.sample import FRAME, LABELS
from bladecheck.runs.folder import RunFolder
from bladecheck.runs.pictures import Pictures

CLOSE = 1e-4
"""Scores may differ by this between processors; a decision may not."""


@dataclass(slots=True)
class Checked:
    """What was looked at, and what differs."""

    said: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def check(self, right: bool, what: str, otherwise: str) -> None:
        (self.said if right else self.wrong).append(what if right else otherwise)


def draw_and_labels(opened: Opened) -> Checked:
    """Seed, frame, strata, allocation and labels, all recomputed from the files of the sample."""
    sample, plan, found = opened.sample, opened.sample.plan, Checked()
    same, name = sample.frame_sha256 == plan["frame_sha256"], sample.frame_name
    found.check(same, f"{name} has the hash {sample.frame_sha256} that plan.json names.",
                f"{name} has the hash {sample.frame_sha256}, plan.json names {plan['frame_sha256']}.")  # fmt: skip
    if times := len(plan.get("redrawn", ())):
        found.said.append(f"Redrawn {times} times since the archive changed; the seed stayed that of the first frame.")
    if plan["seed_from"] == "chosen":
        found.said.append(f"The seed {plan['seed']!r} was chosen by hand, not taken from the frame.")
    else:
        found.check(plan["seed"] == sample.first_frame_sha256, "The seed is the hash of the frame: nobody chose it.",
                    f"The seed is {plan['seed']}, not the hash of the frame {FRAME}.")  # fmt: skip
    sizes: dict[str, int] = {}
    for stratum in sample.frame.values():
        sizes[stratum] = sizes.get(stratum, 0) + 1
    listed = {one.name: one.size for one in sample.strata}
    found.check(sizes == listed, f"All {len(sizes)} strata have the sizes that plan.json names.",
                "Sizes of strata differ between frame and plan.json.")  # fmt: skip
    for number, batch in enumerate(plan["batches"], 1):
        given = draw.allocate(sample.strata, batch["labels"])
        found.check(given == batch["strata"], f"Batch {number}: {batch['labels']:,} labels, allocated as by the rule.",
                    f"Batch {number} is not allocated as by the rule.")  # fmt: skip
    _frame(opened, found)
    _labels(opened, found)
    return found


def _frame(opened: Opened, found: Checked) -> None:
    now, then = opened.frame.units, opened.sample.frame
    gone, new = sum(name not in now for name in then), sum(name not in then for name in now)
    found.check(
        not gone, "Everything that was drawn from is still in the run.", f"{gone:,} of the frame have left the run."
    )
    if new:
        found.said.append(f"{new:,} came into the run after the draw and are not covered.")
    moved = sum(not then[name].endswith(draw.band(unit.score)) for name, unit in now.items() if name in then)
    if moved:
        found.said.append(f"{moved:,} would lie in another band by today's scores: they count where they were drawn.")


def _labels(opened: Opened, found: Checked) -> None:
    drawn, labels = dict(opened.drawn_rows()), opened.labels
    units, names = opened.frame.units, set[str]()
    try:
        names = opened.sample.drawn_before()
    except RunError as error:
        found.wrong.append(error.detail)
    before = names | {row for name in names if name in units for row, _ in units[name].rows}
    for role, given in labels.by_row.items():
        foreign = [row for row in given if row not in drawn and row not in before]
        if unused := sum(row not in drawn for row in given) - len(foreign):
            found.said.append(
                f"{unused:,} {role} labels are of pictures that only an earlier draw had: they don't count."
            )
        other = [row for row, one in given.items() if row in drawn and drawn[row] != one.sha256]
        for row in foreign[:20]:
            found.wrong.append(f"A {role} label is of row {row}, which was not drawn.")
        for row in other[:20]:
            found.wrong.append(f"A {role} label of row {row} was given for other bytes than the run has.")
        found.check(not foreign and not other, f"All {len(given):,} {role} labels are of drawn rows and their bytes.",
                    f"{len(foreign) + len(other):,} {role} labels do not fit.")  # fmt: skip
    if labels.damaged:
        found.wrong.append(f"{labels.damaged} lines of {LABELS} are damaged.")


def totals(opened: Opened) -> Checked:
    """The numbers of estimate.json, recomputed from frame and labels."""
    found, path = Checked(), opened.folder.path / ESTIMATE
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        options = Options(tuple(written["options"]["by"]), tuple(written["options"]["compare"]),
                          written["confidence"], written["count"])  # fmt: skip
        anew = estimate(opened.sample, opened.frame, opened.labels, options)
    except RunError as error:
        found.wrong.append(f"The totals can't be recomputed: {error.detail}")
        return found
    except FileNotFoundError:
        found.said.append("There is no estimate.json yet.")
        return found
    except (ValueError, LookupError, TypeError) as error:
        raise RunError(
            f"{path} can't be read: {error}. bladecheck estimate {opened.folder.path} writes it anew."
        ) from error
    for name in ("total", "strata", "domains", "comparisons", "labels"):
        differing = list(_differing(written[name], json.loads(json.dumps(anew[name])), name))
        found.check(
            not differing, f"{name}: as recomputed.", f"{name}: not as recomputed ({'; '.join(differing[:3])})."
        )
    return found


def _differing(one: Any, other: Any, path: str) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for key in one:
            yield from _differing(one[key], other[key], f"{path}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, pair in enumerate(zip(one, other, strict=True)):
            yield from _differing(*pair, f"{path}[{place}]")
    elif isinstance(one, float) and isinstance(other, int | float):
        if not math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9):
            yield f"{path} {one} against {other}"
    elif one != other:
        yield f"{path} {one!r} against {other!r}"


def scores(
    folder: RunFolder, rows: list[Row], count: int, classifier: Classifier, policy: Policy, archive: Path | None = None
) -> Checked:
    """Score pictures again, drawn by the hash of their row_id, and compare score and decision.

    Args:
        rows: published rows of the run.
        count: how many.
        classifier: with the run's very model.
    """
    found = Checked()
    firsts = {row["sha256"]: row for row in rows if row["status"] == "ok"}
    chosen = sorted(firsts.values(), key=lambda row: hashlib.sha256(f"verify:{row['row_id']}".encode()).digest())[
        :count
    ]
    far = 0.0
    with Pictures(folder, [row["row_id"] for row in chosen], archive) as pictures:
        for row in chosen:
            try:
                result = classify_bytes(pictures.open(row["row_id"], row["sha256"]), classifier, policy)
            except (BladecheckError, OSError) as error:
                found.wrong.append(f"{row['row_id']}: {error}")
                continue
            far = max(far, _compare(row, result, found))
    found.said.append(f"{len(chosen):,} pictures scored again; the largest difference of a score is {far:.6f}.")
    return found


def _compare(row: Row, result: Mapping[str, Any], found: Checked) -> float:
    knife = result.get("scores", {}).get("knife", math.nan)
    apart = abs(knife - row["score_knife"])
    if not apart <= CLOSE or result["decision"] != row["decision"]:
        before, after = f"{row['decision']} {row['score_knife']:.6f}", f"{result['decision']} {knife:.6f}"
        found.wrong.append(f"{row['row_id']}: {before} in the run, {after} now.")
    return 0.0 if math.isnan(apart) else float(apart)
