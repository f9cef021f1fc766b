"""A Frictionless data package in the manner of Camtrap DP: media.csv, observations.csv and datapackage.json.

What is borrowed is the idea that every observation says who classified it, human or machine, when and how surely, so
that a person's label becomes a new line and overwrites nothing. There are no deployments: these are posts.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bladecheck import __version__
from bladecheck.runs.columns import Column, Row
from bladecheck.runs.exports import Export
from bladecheck.runs.exports.cells import guarded

MEDIA = (
    Column("mediaID", "text", "row_id of the run."),
    Column("deploymentID", "text", "The account that posted it."),
    Column("timestamp", "time", "When it was posted, UTC."),
    Column("filePath", "text", "Where it lies, or its address."),
    Column("filePublic", "boolean", "Never claimed."),
    Column("fileName", "text", "Its name."),
    Column("fileMediatype", "text", "Its type by its bytes."),
    Column("mediaComments", "text", "Why it was not judged, if so."),
)
OBSERVATIONS = (
    Column("observationID", "text", "Identity of the observation."),
    Column("mediaID", "text", "The picture."),
    Column("eventID", "text", "The post."),
    Column("eventStart", "time", "When it was posted, UTC."),
    Column("observationLevel", "text", "Always media."),
    Column("observationType", "text", "The decision: hold, check, clear or cannot_judge."),
    Column("observationTags", "text", "Codes of the grounds."),
    Column("classificationMethod", "text", "machine; a person's label is a new line with human."),
    Column("classifiedBy", "text", "Model and version."),
    Column("classificationTimestamp", "time", "When this run's last session ended, UTC."),
    Column("classificationProbability", "number", "Calibrated probability of a knife."),
)
KINDS = {"picture": "image", "video": "video"}
TYPES = {"text": "string", "time": "datetime", "boolean": "boolean", "number": "number"}


def write(export: Export, path: Path) -> None:
    """A folder with the package; cells are guarded like the CSV's."""
    path.mkdir()
    _table(path / "media.csv", MEDIA, (_media(row) for row in export.rows()))
    ended = export.manifest["sessions"][-1]["finished"] if export.manifest["sessions"] else None
    found = (_observation(row, ended) for row in export.rows() if row["decision"])
    _table(path / "observations.csv", OBSERVATIONS, found)
    about = json.dumps(_package(export, ended), indent=1, ensure_ascii=False)
    (path / "datapackage.json").write_text(about + "\n", encoding="utf-8")


def _media(row: Row) -> dict[str, Any]:
    where = f"{row['source']}/{row['member']}" if row["member"] else row["media_url"]
    return {
        "mediaID": row["row_id"],
        "deploymentID": row["account"],
        "timestamp": row["posted_at"],
        "filePath": where,
        "filePublic": False,
        "fileName": (where or "").rsplit("/", 1)[-1],
        "fileMediatype": f"{KINDS[row['media_kind']]}/{row['format'].lower()}" if row["format"] else None,
        "mediaComments": None if row["status"] == "ok" else f"{row['status']}: {row['error_detail'] or ''}".strip(": "),
    }


def _observation(row: Row, ended: str | None) -> dict[str, Any]:
    return {
        "observationID": f"{row['row_id']}-{row['model_sha256'][:8]}",
        "mediaID": row["row_id"],
        "eventID": row["post_id"],
        "eventStart": row["posted_at"],
        "observationLevel": "media",
        "observationType": row["decision"],
        "observationTags": "|".join(row["reasons"]),
        "classificationMethod": "machine",
        "classifiedBy": f"{row['model_name']} {row['model_version']}",
        "classificationTimestamp": ended,
        "classificationProbability": row["score_knife"],
    }


def _table(path: Path, columns: tuple[Column, ...], rows: Iterator[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", errors="replace", newline="") as stream:
        out = csv.writer(stream)
        out.writerow([column.name for column in columns])
        out.writerows([guarded(column, row[column.name]) for column in columns] for row in rows)


def _package(export: Export, ended: str | None) -> dict[str, Any]:
    resources = [("media", MEDIA, "mediaID"), ("observations", OBSERVATIONS, "observationID")]
    return {
        "profile": "tabular-data-package",
        "name": f"bladecheck-run-{export.manifest['run_id'][:12]}",
        "title": "Pictures of an archive of posts, classified by machine",
        "description": "Raw answers of one model, not corrected for its errors. Modelled on Camtrap DP.",
        "created": ended,
        "contributors": [{"title": f"bladecheck {__version__}", "role": "wrangler"}],
        "bladecheck": export.labels,
        "resources": [
            {
                "name": name,
                "path": f"{name}.csv",
                "profile": "tabular-data-resource",
                "format": "csv",
                "mediatype": "text/csv",
                "encoding": "utf-8",
                "schema": {"fields": [_field(column) for column in columns], "primaryKey": key},
            }
            for name, columns, key in resources
        ],
    }


def _field(column: Column) -> dict[str, str]:
    return {"name": column.name, "type": TYPES[column.kind], "description": column.about}
