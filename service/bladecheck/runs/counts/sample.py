"""A sample on disk: RUN/review with the plan, the frame it was drawn from, the code book and the labels.

plan.json    seed, strata, batches, model, policy, hashes; a batch is added by --more, nothing else ever changes but by
             --redraw, which keeps the plan before it as plan-1.json, plan-2.json and so on
frame.csv    row_id and stratum of everything that could be drawn; its sha256 is the default seed. After --redraw the
             frame that plan.json names is frame-2.csv and so on
codebook.md  what counts as a knife
labels.jsonl every answer, appended and synced to disk one by one; an undo is a further line
looks.jsonl  every estimate that was made: when, from how many labels, how wide
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bladecheck import __version__
from bladecheck.errors import RunError
from bladecheck.runs import journal
from bladecheck.runs.counts import draw
from bladecheck.runs.counts.draw import Stratum
from bladecheck.runs.counts.frame import Count, Frame, parsed, strata, stratify, written
from bladecheck.runs.folder import RunFolder, now, replace

SCHEMA = "bladecheck-sample/1"
PLAN, FRAME, CODEBOOK, LABELS, LOOKS = "plan.json", "frame.csv", "codebook.md", "labels.jsonl", "looks.jsonl"
CODEBOOK_TEXT = """# What counts as a knife

Yes: a real knife or blade can be made out by a person at this size.
No: anything else. Decide here, before labelling, what drawings, toys, tools, scissors and kitchen scenes are.
Can't tell: a person can't say at this size. Counts as no in the headline, and is shown as a second figure.
"""
FOLDERS: dict[Count, str] = {"pictures": "review", "distinct": "review-distinct", "posts": "review-posts"}
Plan = dict[str, Any]


class Sample:
    """A drawn sample.

    Attributes:
        path: its folder inside the run.
        plan: plan.json.
        frame: unit to stratum, as drawn from.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.plan: Plan = json.loads((path / PLAN).read_text(encoding="utf-8"))
            data = (path / self.frame_name).read_bytes()
        except FileNotFoundError as error:
            raise RunError(
                f"No sample has been drawn in {path.parent}: bladecheck review {path.parent} --labels 1000"
                + (f" --count {_count_of(path)}" if _count_of(path) != "pictures" else "")
                + "."
            ) from error
        except (OSError, ValueError, AttributeError) as error:
            raise RunError(f"{path} can't be read: {error}.") from error
        if not isinstance(self.plan, dict) or self.plan.get("schema") != SCHEMA:
            raise RunError(f"{path / PLAN} is no {SCHEMA} file; it was written by another version.")
        self.frame_sha256 = hashlib.sha256(data).hexdigest()
        self.frame = parsed(data)

    @property
    def count(self) -> Count:
        found: Count = self.plan["count"]
        return found

    @property
    def frame_name(self) -> str:
        """The file of the frame that was drawn from last."""
        return str(self.plan.get("frame", FRAME))

    @property
    def first_frame_sha256(self) -> str:
        """Of the frame that was drawn from first, which gave the seed."""
        try:
            return hashlib.sha256((self.path / FRAME).read_bytes()).hexdigest()
        except OSError:
            return ""

    @property
    def strata(self) -> list[Stratum]:
        return [Stratum(one["name"], one["size"], one["score"]) for one in self.plan["strata"]]

    @property
    def drawn_counts(self) -> dict[str, int]:
        """Labels asked for, by stratum."""
        counts: dict[str, int] = self.plan["batches"][-1]["strata"]
        return counts

    @property
    def codebook_sha256(self) -> str:
        """Of the code book as it lies there now."""
        try:
            return hashlib.sha256((self.path / CODEBOOK).read_bytes()).hexdigest()
        except OSError:
            return ""

    def ranked(self) -> dict[str, list[str]]:
        """Units by stratum in the order in which they are drawn."""
        return draw.ranked(self.plan["seed"], self.frame)

    def drawn(self) -> list[str]:
        """The drawn units, in the order in which they are shown."""
        return draw.shown(self.ranked(), [batch["strata"] for batch in self.plan["batches"]])

    def drawn_before(self) -> set[str]:
        """Units that were drawn from a frame before the last one and are not drawn now: their answers wait unused.

        Raises:
            RunError: a plan or frame of then can't be read.
        """
        found: set[str] = set()
        for one in self.plan.get("redrawn", ()):
            try:
                plan = json.loads((self.path / one["plan"]).read_text(encoding="utf-8"))
                order = draw.ranked(plan["seed"], parsed((self.path / one["frame"]).read_bytes()))
                found |= {name for part, count in plan["batches"][-1]["strata"].items() for name in order[part][:count]}
            except (OSError, ValueError, LookupError, TypeError) as error:
                raise RunError(f"The sample of before in {self.path} can't be read: {error!r}.") from error
        return found - set(self.drawn())

    def more(self, labels: int) -> None:
        """Draw further units; those drawn before stay.

        Raises:
            RunError: nothing is left to draw.
        """
        before = sum(self.drawn_counts.values())
        if before >= len(self.frame):
            raise RunError(f"All {before:,} of the frame are drawn already: there is nothing more to label.")
        self.plan["batches"].append(_batch(draw.allocate(self.strata, before + labels)))
        _save(self.path, self.plan)

    def redraw(self, frame: Frame, labels: int) -> None:
        """Draw from the run as it is now, after the archive has grown (or lost pictures).

        The seed stays, and with it every rank: answers given before count again, and only what has come in between is
        to be labelled. Pictures drawn from before stay in their stratum, whatever their score is now.

        Args:
            frame: everything that can be drawn now.
            labels: how many in all, those that are labelled already among them.

        Raises:
            RunError: nothing has changed, too few labels, or a folder that can't be written.
        """
        new = {name: unit for name, unit in frame.units.items() if name not in self.frame}
        gone = sum(name not in frame.units for name in self.frame)
        if not new and not gone:
            raise RunError(
                f"Nothing came into the run, or left it, since {self.path} was drawn: take --more for labels."
            )
        of = {name: stratum for name, stratum in self.frame.items() if name in frame.units}
        of |= stratify(Frame(new), self.plan["by"]) if new else {}
        parts, data = strata(frame, of), written(of)
        batch = _batch(draw.allocate(parts, labels))
        number = 1 + len(self.plan.get("redrawn", ()))
        before = {"plan": f"plan-{number}.json", "frame": self.frame_name, "frame_sha256": self.frame_sha256,
                  "came": len(new), "left": gone}  # fmt: skip
        replace(self.path / f"plan-{number}.json", (self.path / PLAN).read_bytes())
        name = f"frame-{number + 1}.csv"
        replace(self.path / name, data)
        _save(self.path, {
            **self.plan, "frame": name, "frame_units": len(of), "frame_sha256": draw.seed_of(data),
            "strata": [{"name": one.name, "size": one.size, "score": one.score} for one in parts],
            "batches": [batch], "redrawn": [*self.plan.get("redrawn", ()), before],
        })  # fmt: skip
        now_drawn = Sample(self.path)
        self.plan, self.frame, self.frame_sha256 = now_drawn.plan, now_drawn.frame, now_drawn.frame_sha256

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other labellers' programs out of this sample.

        Raises:
            RunError: another program is writing labels.
        """
        with RunFolder(self.path).locked():
            yield


def place(run: Path, count: Count = "pictures") -> Path:
    """Where a run's sample of this unit lies."""
    return run / FOLDERS[count]


def create(
    folder: RunFolder, frame: Frame, head: Mapping[str, Any], labels: int, *, count: Count = "pictures",
    by: Sequence[str] = (), seed: str | None = None, timezone: str = "UTC", reposts: bool = False, looks: int = 1,
) -> Sample:  # fmt: skip
    """Draw a sample and write it down.

    Args:
        folder: of the run.
        frame: everything that can be drawn.
        head: the journal's header, for model and policy.
        labels: how many.
        by: planned domains.
        seed: None takes the hash of the frame.
        looks: how many times at most the estimate may be looked at before a verdict.

    Raises:
        RunError: too few labels, nothing to draw from, or a folder that can't be written.
    """
    of = stratify(frame, by)
    parts, data = strata(frame, of), written(of)
    plan: Plan = {
        "schema": SCHEMA,
        "run_id": head["run_id"],
        "model": head["model"],
        "policy": head["policy"],
        "count": count,
        "reposts": reposts,
        "by": list(by),
        "timezone": timezone,
        "bands": [{"name": name, "from": start} for name, start in draw.BANDS],
        "frame_units": len(of),
        "frame_sha256": draw.seed_of(data),
        "seed": seed or draw.seed_of(data),
        "seed_from": "chosen" if seed else "sha256 of frame.csv",
        "looks": looks,
        "strata": [{"name": one.name, "size": one.size, "score": one.score} for one in parts],
        "batches": [_batch(draw.allocate(parts, labels))],
        "codebook_sha256": hashlib.sha256(CODEBOOK_TEXT.encode()).hexdigest(),
        "bladecheck": __version__,
    }
    path = place(folder.path, count)
    try:
        path.mkdir(exist_ok=True)
        if not (path / CODEBOOK).exists():
            (path / CODEBOOK).write_text(CODEBOOK_TEXT, encoding="utf-8")
    except OSError as error:
        raise journal.failure(path, error) from error
    replace(path / FRAME, data)
    _save(path, plan)
    return Sample(path)


def _batch(given: Mapping[str, int]) -> dict[str, Any]:
    return {"at": now(), "labels": sum(given.values()), "strata": dict(given)}


def _save(path: Path, plan: Plan) -> None:
    replace(path / PLAN, (json.dumps(plan, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "replace"))


def _count_of(path: Path) -> str:
    return next((count for count, name in FOLDERS.items() if name == path.name), "pictures")
