"""Names of inputs: stable, without the folders above, the same on another day and in another order."""

from __future__ import annotations

from pathlib import Path

import pytest

from bladecheck.errors import RunError
from bladecheck.runs.provenance import Inputs


def folders(tmp_path: Path) -> tuple[Path, Path]:
    one, two = tmp_path / "a" / "archive", tmp_path / "b" / "archive"
    for place, text in ((one, "1"), (two, "22")):
        (place / "deep").mkdir(parents=True)
        (place / "deep" / "part.zip").write_text(text)
    return one, two


def test_namesakes_are_told_apart(tmp_path: Path) -> None:
    inputs = Inputs(folders(tmp_path))
    assert [entry["name"] for entry in inputs.describe()] == ["archive", "b/archive"]
    assert inputs.label(str(tmp_path / "b" / "archive" / "deep" / "part.zip")) == "b/archive/deep/part.zip"


def test_names_hold_in_another_order(tmp_path: Path) -> None:
    one, two = folders(tmp_path)
    known = Inputs([one, two]).describe()
    again = Inputs([two, one], known)
    assert {entry["path"]: entry["name"] for entry in again.describe()} == {e["path"]: e["name"] for e in known}
    assert again.changed(again.describe()) == []


def test_the_same_input_twice_is_one(tmp_path: Path) -> None:
    one, _ = folders(tmp_path)
    assert len(Inputs([one, one / "deep" / ".."]).describe()) == 1


def test_change_is_seen_and_a_file_is_hashed_by_content(tmp_path: Path) -> None:
    path = tmp_path / "archive.zip"
    path.write_bytes(b"abc")
    known = Inputs([path]).describe()
    assert known[0]["sha256"] == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    path.write_bytes(b"abcd")
    later = Inputs([path], known)
    assert later.changed(later.describe()) == ["archive.zip"]


def test_what_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="can't be read"):
        Inputs([tmp_path / "none"]).describe()
