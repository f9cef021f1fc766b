"""The published row, its schema file and its documentation agree."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import jsonschema
import pytest

from bladecheck.archives.item import Item
from bladecheck.runs.columns import TOLD, json_schema, markdown
from score_helpers import Score, exported

ROOT = Path(__file__).parents[2]


def test_schema_file_is_up_to_date() -> None:
    assert json.loads((ROOT / "docs/predictions.schema.json").read_text()) == json_schema(), (
        "write it again: python docs/rows.py"
    )


def test_docs_explain_every_column() -> None:
    assert markdown() in (ROOT / "docs/outputs.md").read_text(), "write it again: python docs/rows.py"


def test_rows_follow_the_schema(score: Score, pictures: Path, tmp_path: Path) -> None:
    score(pictures, tmp_path / "run")
    validator = jsonschema.Draft202012Validator(json_schema())
    rows = exported(tmp_path / "run")
    assert len(rows) == 30
    for row in rows:
        validator.validate(row)


@pytest.mark.parametrize("change", [{"decision": "knife"}, {"post_id": 12}, {"stray": 1}, {"row_id": None}])
def test_schema_refuses_other_rows(score: Score, pictures: Path, tmp_path: Path, change: dict[str, object]) -> None:
    score(pictures, tmp_path / "run")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**exported(tmp_path / "run")[0], **change}, json_schema())


def test_what_an_archive_tells_is_published_under_the_same_name() -> None:
    """A field that is added to an item, and to no row, would be lost without a word."""
    inner = {
        "opener",
        "identity",
        "occurrence",
        "also",
        "same_as",
        "called",
        "loose",
    }  # how a row is made, not what is told
    renamed = {"source_path": "source", "also": "also_in"}
    apart = {"status", "detail", "extra"}  # columns of their own place, which scoring may change
    names = {field.name for field in fields(Item)}
    assert {renamed.get(name, name) for name in names - inner - apart} | {"also_in"} == {one.name for one in TOLD}
