"""`bladecheck record labels`: what officers said of wrong answers becomes labels for `adapt`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bladecheck.core import record
from bladecheck.core.learning import corrections, labels
from bladecheck.web.pages.wording import CORRECTIONS

Quick = Callable[..., tuple[int, str]]


def labelled(quick: Quick, records: list[Path], posted: Path, out: Path) -> tuple[int, str]:
    return quick("record", "labels", *map(str, records), "--pictures", str(posted), "-o", str(out))


def made(path: Path, *said: tuple[bytes, str]) -> Path:
    """A record of pictures, each with the code of its correction or nothing."""
    pictures = [
        {
            "name": f"{data.decode()}.jpg",
            "result": {"image": {"sha256": hashlib.sha256(data).hexdigest()}},
            "correction": {"code": code, "text": CORRECTIONS[code]} if code else None,
        }
        for data, code in said
    ]
    path.write_text(json.dumps(record.finished({"schema": record.SCHEMA, "pictures": pictures}, None)))
    return path


@pytest.fixture
def posted(tmp_path: Path) -> Path:
    folder = tmp_path / "posted"
    (folder / "may").mkdir(parents=True)
    for name, data in (("may/1.jpg", b"missed"), ("2.jpg", b"drawn"), ("3.jpg", b"right")):
        (folder / name).write_bytes(data)
    return folder


def test_every_correction_says_knife_or_other() -> None:
    assert set(corrections.KNIFE) == set(CORRECTIONS)


def test_corrected_pictures_become_labels_that_adapt_reads(quick: Quick, posted: Path, tmp_path: Path) -> None:
    first = made(tmp_path / "a.json", (b"missed", "knife"), (b"right", ""))
    second = made(tmp_path / "b.json", (b"drawn", "drawn"), (b"gone", "no_knife"))
    out = tmp_path / "labels.csv"
    code, said = labelled(quick, [first, second], posted, out)
    assert (code, "2 labelled" in said, "gone.jpg" in said) == (2, True, True)
    assert {(one.name, one.knife) for one in labels.read(out)} == {("posted/may/1.jpg", 1), ("posted/2.jpg", 0)}
    code, said = labelled(quick, [first], posted, out)
    assert "File exists" in said
    assert code not in (0, 2)


def test_altered_and_contradicting_records_are_refused(quick: Quick, posted: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.csv"
    first, second = made(tmp_path / "a.json", (b"missed", "knife")), made(tmp_path / "b.json", (b"missed", "no_knife"))
    assert "the opposite" in labelled(quick, [first, second], posted, out)[1]
    first.write_text(first.read_text().replace('"knife"', '"no_knife"'))
    assert "was altered" in labelled(quick, [first], posted, out)[1]
    assert not out.exists()
