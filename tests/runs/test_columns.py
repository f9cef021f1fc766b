"""The published row, its schema file and its documentation agree."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from bladecheck.runs.columns import json_schema, markdown
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
