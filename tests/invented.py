"""Runs whose scores are invented: a journal as `score` writes it, without a picture or a model."""

from __future__ import annotations

import csv
import hashlib
import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bladecheck.archives.item import Item
from bladecheck.runs import rows
from bladecheck.runs.folder import RunFolder
from bladecheck.runs.journal import FORMAT, Journal
from bladecheck.runs.run import CARD

MODEL = {"name": "tiny", "version": "1.0.0", "sha256": "0" * 64}
POLICY = {"name": "default", "sha256": "1" * 64}


@dataclass(frozen=True, slots=True)
class Invented:
    """One picture: its score, and whether a knife is on it, which only the labeller knows."""

    name: str
    score: float
    knife: bool
    account: str = "anytown"
    date: datetime | None = datetime(2024, 5, 1, 12, tzinfo=UTC)
    post: str | None = None
    bytes_of: str | None = None
    decision: str | None = None
    status: str = "ok"
    is_repost: bool = False
    width: int = 640
    frames: int = 1
    features: dict[str, float] | None = None


def archive(count: int, share: float, seed: int = 1) -> list[Invented]:
    """Pictures of two accounts over two years, of which about `share` show a knife, with scores that mostly know."""
    dice = random.Random(seed)
    found = []
    for number in range(count):
        knife = dice.random() < share
        score = dice.betavariate(6, 1.2) if knife else dice.betavariate(0.35, 9)
        date = datetime(2023 + number % 2, 1 + dice.randrange(12), 1 + dice.randrange(28), 12, tzinfo=UTC)
        found.append(Invented(f"p{number:06d}.jpg", score, knife, ("anytown", "otherton")[dice.randrange(2)], date))
    return found


def result(one: Invented) -> dict[str, Any]:
    decision = one.decision or ("hold" if one.score >= 0.5 else "check" if one.score >= 0.2 else "clear")
    reason = {"hold": "knife", "check": "knife_unsure", "clear": "no_knife", "cannot_judge": "blank"}[decision]
    return {
        "status": "ok",
        "decision": decision,
        "reasons": [{"code": reason, "text": "."}],
        "scores": {"knife": one.score, "gun": 0.01},
        "kind": None,
        "blade": {},
        "features": one.features or {},
        "raw": {},
        "image": {"sha256": digest(one), "format": "JPEG", "width": one.width, "height": 480, "frames": one.frames,
                  "has_gps": False, "has_place_name": False},
    }  # fmt: skip


def digest(one: Invented) -> str:
    return hashlib.sha256((one.bytes_of or one.name).encode()).hexdigest()


def run(path: Path, pictures: Iterable[Invented], **manifest: Any) -> dict[str, Invented]:
    """Write a run; gives row_id to picture."""
    path.mkdir(parents=True, exist_ok=True)
    folder, found = RunFolder(path), {}
    with Journal(folder.journal) as journal:
        journal.append([rows.header("f" * 32, MODEL, POLICY, FORMAT)])
        for one in pictures:
            item = Item("pictures", "/nowhere/archive", member=one.name, platform="x", account=one.account,
                        post_id=one.post, posted_at=one.date, posted_at_source="field",
                        is_repost=one.is_repost)  # fmt: skip
            identity = rows.row_id("archive", item, 0)
            row = rows.row_record(identity, "archive", item) | {"status": "present", "sha256": digest(one)}
            batch = [rows.picture_record(digest(one), result(one), 1000, None, "2024-05-02T00:00:00Z"), row]
            if one.status != "ok":
                batch = [row | {"status": one.status, "code": "broken", "detail": "Broken."}]
                batch[0].pop("sha256")
            journal.append(batch)
            found[identity] = one
    session = {"started": "2024-05-02T00:00:00Z", "finished": "2024-05-02T00:00:01Z", "ended": "complete",
               "bladecheck": "0"}  # fmt: skip
    source = {"name": "archive", "path": "/nowhere/archive", "kind": "folder", "files": 1, "bytes": 1, "sha256": "0",
              "sha256_of": "names and sizes"}  # fmt: skip
    known = {"format": "bladecheck-run/1", "run_id": "f" * 32, "sessions": [session], "timezone": "UTC"}
    folder.save({**known, "model_card": dict.fromkeys(CARD), "inputs": [source], **manifest})
    return found


def answer(sample: Path, truth: dict[str, Invented], target: Path) -> Path:
    """Fill in an exported sample from the truth."""
    with sample.open() as stream:
        drawn = [line["row_id"] for line in csv.DictReader(stream)]
    with target.open("w", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(("row_id", "label"))
        out.writerows((row, "yes" if truth[row].knife else "no") for row in drawn)
    return target
