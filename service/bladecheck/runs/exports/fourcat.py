"""4CAT's "Upload annotations": a CSV whose first column has item ids and whose other columns become annotations.

One line a post, since 4CAT's items are posts: the most restrictive decision over its pictures, and their highest score.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from bladecheck.runs.columns import Row
from bladecheck.runs.exports import Export

RANKS = ("cannot_judge", "clear", "check", "hold")
# 4CAT takes at most 20, and refuses names that a dataset has already.
FIELDS = ("bladecheck_decision", "bladecheck_knife_score", "bladecheck_pictures", "bladecheck_model")


@dataclass(slots=True)
class _Post:
    rank: int = -1
    score: float | None = None
    pictures: int = 0


def write(export: Export, path: Path) -> None:
    """UTF-8 without a mark, commas between, as 4CAT reads it; rows without a post id or a decision are left out."""
    posts: dict[str, _Post] = {}
    model = ""
    for row in export.rows():
        if row["decision"] in RANKS and row["status"] == "ok":
            model = f"{row['model_name']} {row['model_version']}"
            for item in _items(row):
                _add(posts.setdefault(item, _Post()), row)
    with path.open("w", encoding="utf-8", newline="") as stream:
        lines = csv.writer(stream)
        lines.writerow(("id", *FIELDS))
        for item, post in sorted(posts.items()):
            score = "" if post.score is None else f"{post.score:.4f}"
            lines.writerow((item, RANKS[post.rank], score, post.pictures, model))


def _items(row: Row) -> list[str]:
    """The posts that a row's picture is on: 4CAT downloads a picture of several posts once."""
    others = row["extra"].get("post_ids")
    found = [str(one) for one in others] if isinstance(others, list) else []
    return found or ([row["post_id"]] if row["post_id"] else [])


def _add(post: _Post, row: Row) -> None:
    post.pictures += 1
    post.rank = max(post.rank, RANKS.index(row["decision"]))
    if (score := row["score_knife"]) is not None:
        post.score = max(score, post.score or 0.0)
