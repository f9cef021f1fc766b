"""`bladecheck model` and `bladecheck doctor`."""

from __future__ import annotations

import importlib.metadata
import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from altered import alter, replace_file
from bladecheck.cli import model
from bladecheck.cli.doctor import PURPOSES, _extra
from bladecheck.cli.extras import extra_with, extras
from bladecheck.core import bundle as bundles
from bladecheck.errors import PackError


def test_show_says_what_the_model_is_and_cannot_do(run: Any, tiny_path: Path) -> None:
    text = run("model", "show", tiny_path).stdout.decode()
    for part in ("tiny 1.0.0", "Redness is knife", "knife: hold from 0.700, check from 0.300", "Only for tests."):
        assert part in text
    whole = run("model", "show", tiny_path, "--json")
    assert json.loads(whole.stdout)["schema"] == bundles.SCHEMA


def test_verify_replays_and_says_so(run: Any, tiny_path: Path) -> None:
    done = run("model", "verify", tiny_path)
    assert done.returncode == 0
    assert b"3 golden pictures agree" in done.stdout


def test_verify_fails_with_3_on_any_difference(run: Any, folder: Path) -> None:
    golden = json.loads((folder / bundles.GOLDEN).read_text())
    golden["cases"][0]["scores"]["knife"] = 0.5
    replace_file(folder, bundles.GOLDEN, json.dumps(golden).encode())
    done = run("model", "verify", folder)
    assert (done.returncode, done.stdout) == (3, b"")
    assert b"'red': knife is 0.9996, recorded 0.5000; " in done.stderr
    assert b"[golden_mismatch]" in done.stderr
    alter(folder, lambda manifest: manifest.update(surprise=1))
    for command in ("verify", "show"):
        done = run("model", command, folder)
        assert done.returncode == 3
        assert b"surprise" in done.stderr


def test_a_reviewers_papers_are_written_where_they_are_wanted(
    tiny_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model.atrs(str(tiny_path), None)
    assert capsys.readouterr().out.startswith("# Algorithmic transparency record: Bladecheck with model tiny 1.0.0")
    model.bom(str(tiny_path), tmp_path / "tiny.cdx.json")
    assert json.loads((tmp_path / "tiny.cdx.json").read_text())["metadata"]["component"]["name"] == "tiny"
    (tmp_path / "labels.csv").write_text("path,label\na.jpg,knife\n")
    model.croissant(tmp_path / "labels.csv", tmp_path / "croissant.json", "mine", None)
    found = json.loads((tmp_path / "croissant.json").read_text())
    assert (found["name"], found["license"]) == ("mine", "Not stated.")
    with pytest.raises(PackError, match="--key FILE is missing"):
        model.sign(str(tiny_path))
    with pytest.raises(typer.BadParameter, match="go together"):
        model.verify(str(tiny_path), tmp_path / "tiny.sig")


def test_doctor_looks_at_every_optional_part() -> None:
    """From the package's own metadata, so that a part that is added later is looked at too."""
    metadata = importlib.metadata.metadata("bladecheck")
    assert set(extras()) == set(metadata.get_all("Provides-Extra") or ()) - {"dev"}
    assert {"serve", "archive", "estimate", "dedupe", "heic", "train"} <= set(extras())
    assert set(PURPOSES) == set(extras()), "say what each is for"
    for extra, libraries in extras().items():
        listed = [line for line in metadata.get_all("Requires-Dist") or () if re.search(rf"extra == .{extra}.", line)]
        assert len(libraries) == len(listed)
    assert extra_with("stamina.instrumentation") == "archive"
    assert extra_with("pi_heif") == "heic"
    assert extra_with("nothing_of_ours") is None


@pytest.mark.parametrize(
    ("libraries", "said"),
    [
        (["pillow", "numpy"], "ok       some: pillow, numpy"),
        (["pillow", "no-such-thing"], "partly   some without no-such-thing; if you need it: "),
        (["no-such-thing"], "absent   some; if you need it: pip install 'bladecheck[some]'"),
    ],
)
def test_doctor_says_what_brings_a_part(libraries: list[str], said: str) -> None:
    assert _extra("some", libraries).startswith(said)


def test_doctor_names_what_is_there_and_what_is_not(run: Any) -> None:
    done = run("doctor")
    text = done.stdout.decode()
    assert "onnxruntime" in text
    assert "webp decoder" in text
    assert "fastapi" in text
    if bundles.available():
        assert done.returncode == 0
        assert "golden pictures agree" in text
    else:
        assert done.returncode == 3
        assert "no bundle was found" in text
