"""For Label Studio: tasks.json to import, with the model's answers as pre-annotations, and the labelling setup."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

from bladecheck.runs.columns import Row
from bladecheck.runs.exports import Export

CHOICES = {"hold": "knife", "check": "cannot_tell", "clear": "not_knife", "cannot_judge": "cannot_tell"}
CONFIG = """<View>
  <Image name="image" value="$image"/>
  <Text name="post" value="$post_url"/>
  <Choices name="choice" toName="image" choice="single" showInLine="true">
    <Choice value="knife"/>
    <Choice value="not_knife"/>
    <Choice value="cannot_tell"/>
  </Choices>
</View>
"""


def write(export: Export, path: Path) -> None:
    """One task per distinct file that was scored, so that nobody labels the same bytes twice."""
    path.mkdir()
    (path / "config.xml").write_text(CONFIG, encoding="utf-8")
    with (path / "tasks.json").open("w", encoding="utf-8", errors="replace") as stream:
        separator = "[\n"
        for row in export.rows():
            if row["status"] == "ok" and row["duplicate_of"] is None:
                stream.write(separator + json.dumps(_task(row), ensure_ascii=False))
                separator = ",\n"
        stream.write("[]\n" if separator == "[\n" else "\n]\n")


def _task(row: Row) -> dict[str, object]:
    data = {name: row[name] for name in ("row_id", "sha256", "account", "post_id", "post_url", "posted_at")}
    answer = {
        "id": row["row_id"][:10],
        "type": "choices",
        "from_name": "choice",
        "to_name": "image",
        "value": {"choices": [CHOICES[row["decision"]]]},
    }
    prediction = {
        "model_version": f"{row['model_name']}@{row['model_version']}",
        "score": row["score_knife"],
        "result": [answer],
    }
    return {"data": {"image": _where(row), **data}, "predictions": [prediction]}


def _where(row: Row) -> str:
    """Label Studio's local-files address where there is a file, else the picture's own."""
    if row["member"]:
        return "/data/local-files/?d=" + quote(f"{row['source']}/{row['member']}")
    return row["media_url"] or ""
