"""A research object crate (RO-Crate 1.1): the rows, run.json, and metadata that says what made them from what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bladecheck import __version__
from bladecheck.runs.columns import SCHEMA, json_schema
from bladecheck.runs.exports import Export, csv, jsonl

ROWS, TABLE, RUN, DESCRIPTION = "predictions.jsonl", "predictions.csv", "run.json", "predictions.schema.json"
Entity = dict[str, Any]


def write(export: Export, path: Path) -> None:
    """A folder, ready to be zipped and deposited; the pictures themselves are not in it."""
    path.mkdir()
    jsonl.write(export, path / ROWS)
    csv.write(export, path / TABLE)
    (path / RUN).write_text(json.dumps(export.manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (path / DESCRIPTION).write_text(json.dumps(json_schema(), indent=1) + "\n", encoding="utf-8")
    about = json.dumps({"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": _graph(export)}, indent=1)
    (path / "ro-crate-metadata.json").write_text(about + "\n", encoding="utf-8")


def _graph(export: Export) -> list[Entity]:
    manifest = export.manifest
    model, sessions = manifest["model"], manifest["sessions"] or [{}]
    inputs = [
        {"@id": f"#input-{place}", "@type": "Dataset", "name": entry["name"], "identifier": f"sha256:{entry['sha256']}",
         "description": f"{entry['files']} files, {entry['bytes']} bytes; not part of this crate."}
        for place, entry in enumerate(manifest["inputs"])
    ]  # fmt: skip
    ended = next((one["finished"] for one in reversed(sessions) if one.get("finished")), sessions[0].get("started"))
    action = {
        "@id": f"#run-{manifest['run_id']}",
        "@type": "CreateAction",
        "name": "Scoring every picture of an archive",
        "startTime": sessions[0].get("started"),
        "endTime": ended,
        "instrument": [{"@id": "#bladecheck"}, {"@id": "#model"}],
        "object": [{"@id": entry["@id"]} for entry in inputs],
        "result": [{"@id": ROWS}, {"@id": TABLE}],
    }
    return [
        {"@id": "ro-crate-metadata.json", "@type": "CreativeWork", "about": {"@id": "./"},
         "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"}},
        {"@id": "./", "@type": "Dataset", "name": "Bladecheck predictions", "datePublished": ended,
         "description": "One row per picture of an archive of posts. Raw answers, not corrected for errors.",
         "license": "To be chosen by whoever publishes this crate.",
         "hasPart": [{"@id": name} for name in (ROWS, TABLE, RUN, DESCRIPTION)], "mentions": {"@id": action["@id"]}},
        _file(ROWS, "application/x-ndjson", f"One row per picture, {SCHEMA}"),
        _file(TABLE, "text/csv", "The same rows for spreadsheets"),
        _file(RUN, "application/json", "Provenance of the run"),
        _file(DESCRIPTION, "application/schema+json", "Meaning of every column"),
        {"@id": "#bladecheck", "@type": "SoftwareApplication", "name": "bladecheck", "softwareVersion": __version__},
        {"@id": "#model", "@type": "SoftwareApplication", "name": model["name"], "softwareVersion": model["version"],
         "identifier": f"sha256:{model['sha256']}"},
        action,
        *inputs,
    ]  # fmt: skip


def _file(name: str, kind: str, about: str) -> Entity:
    return {"@id": name, "@type": "File", "name": about, "encodingFormat": kind}
