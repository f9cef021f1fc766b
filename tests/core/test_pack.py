"""What a reviewer asks for: each part says what the bundle says, in the form that others' tools read."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import warnings
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from altered import alter
from bladecheck.core import bundle as bundles
from bladecheck.core.bundle import Bundle
from bladecheck.core.pack import signing
from bladecheck.core.pack.atrs import FORCE, record
from bladecheck.core.pack.bom import bom
from bladecheck.core.pack.croissant import describe
from bladecheck.errors import LabelsError, PackError, SignatureMismatch

AT = datetime(2026, 1, 2, tzinfo=UTC)
MEASURE = {"value": 0.9, "low": 0.8, "high": 0.95, "n": 70, "positives": 63}
DATA = {
    "licences": "Most sources state no licence.",
    "for_lawyers": ["Nobody has cleared rights."],
    "by_split": {"dev": {"knife": 3, "no knife": 4}},
    "by_source": {"someone/pictures": {"knife": 3, "no knife": 4}},
}


@pytest.fixture
def measured(looking_path: Path, tmp_path: Path) -> Bundle:
    """A bundle with measures, sources and a parent."""
    folder = Path(shutil.copytree(looking_path, tmp_path / "measured"))
    alter(folder, lambda manifest: manifest.update(data=DATA, parent="a" * 64, metrics={
        "dev": {"knife_auc": MEASURE, "decisions": {"knife_hold": MEASURE}, "none": {**MEASURE, "value": None}},
        "dev, by the first look alone": {"knife_auc": MEASURE},
    }))  # fmt: skip
    return bundles.load(folder)


def test_the_bill_of_materials_is_valid_and_says_what_the_bundle_says(measured: Bundle) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    found = bom(measured, {"licence": "Apache-2.0", "author": "Somebody"}, AT)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(found)) is None
    assert found == bom(measured, {"licence": "Apache-2.0", "author": "Somebody"}, AT)
    model = found["metadata"]["component"]
    assert model["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    assert model["authors"] == [{"name": "Somebody"}]
    hashes = {part["name"]: part["hashes"][0]["content"] for part in model["components"]}
    assert hashes == {**measured.manifest.files, "bundle.json": measured.sha256}
    assert model["pedigree"]["ancestors"][0]["hashes"][0]["content"] == "a" * 64
    card = model["modelCard"]
    assert card["considerations"]["technicalLimitations"] == list(measured.manifest.limits)
    assert {"name": "Most sources state no licence."} in card["considerations"]["ethicalConsiderations"]
    assert {"name": "Nobody has cleared rights."} in card["considerations"]["ethicalConsiderations"]
    (source,) = card["modelParameters"]["datasets"]
    assert (source["name"], source["description"]) == ("someone/pictures", "3 knife, 4 no knife; not distributed")
    measures = [(one["type"], one["value"], one["slice"]) for one in card["quantitativeAnalysis"]["performanceMetrics"]]
    assert measures[:2] == [("knife_auc", "0.9", "dev (n 70)"), ("knife_hold", "0.9", "dev / decisions (n 70)")]
    assert len(measures) == 3
    assert {part["name"] for part in found["components"]} == {"numpy", "onnxruntime", "pillow"}


def test_an_adapted_bundle_names_its_labels_and_its_parents_sources(measured: Bundle) -> None:
    adapted = {"labels": {"pictures": 120, "knives": 40}, "parent": DATA}
    alter(measured.path, lambda manifest: manifest.update(data=adapted))
    found = bundles.load(measured.path)
    card = bom(found, {}, AT)["metadata"]["component"]["modelCard"]
    assert [one["name"] for one in card["modelParameters"]["datasets"]] == ["the user's own labels", "someone/pictures"]
    assert {"name": "Most sources state no licence."} in card["considerations"]["ethicalConsiderations"]
    assert "- the user's own labels: 120 pictures, 40 knives" in record(found)
    assert "Most sources state no licence." in record(found)


def test_the_transparency_record_has_every_field_and_marks_every_blank(measured: Bundle) -> None:
    text = record(measured)
    numbers = [line.split()[1] for line in text.splitlines() if line.startswith("### ")]
    assert len(numbers) == len(set(numbers)) == 51
    for part in (measured.sha256, "knife auc: 0.9 (0.8 to 0.95, n 70)", "knife hold: 0.9", "Nobody has cleared rights.",
                 "- dev: 3 knife, 4 no knife", *measured.manifest.limits):  # fmt: skip
        assert part in text
    assert "by the first look alone" not in text
    for field in ("Senior responsible owner", "Contact email", "Impact assessments", "Human review"):
        assert f"**[{FORCE}: " in text.split(f" {field}\n", 1)[1].split("\n### ", 1)[0]


LABELS = "id,split,knife,licence\n0a,dev,1,none stated\n0b,train,0,\n"


def test_the_description_of_labels_is_read_by_croissants_own_library(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(LABELS)
    found = describe(
        tmp_path / "labels.csv", "labels", "Labels of photographs.", "CC-BY-4.0", published=date(2026, 1, 2)
    )
    fields = {one["name"]: one["dataType"] for one in found["recordSet"][0]["field"]}
    assert fields == {"id": "sc:Text", "split": "sc:Text", "knife": "sc:Integer", "licence": "sc:Text"}
    (tmp_path / "croissant.json").write_text(json.dumps(found))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reader = pytest.importorskip("mlcroissant")
        logging.getLogger("absl").setLevel(logging.ERROR)
        dataset = reader.Dataset(str(tmp_path / "croissant.json"))
        rows: list[dict[str, Any]] = list(dataset.records("pictures"))
    assert [(row["pictures/id"], row["pictures/knife"]) for row in rows] == [(b"0a", 1), (b"0b", 0)]
    assert not dataset.metadata.ctx.issues.errors


@pytest.mark.parametrize(
    ("text", "named"),
    [("", "first line must name the columns"), ("a,a\n", "each once"), ("a,b\n1\n", "row 2 has 1 cells")],
)
def test_labels_that_are_no_table_are_not_described(text: str, named: str, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(LabelsError, match=named):
        describe(tmp_path / "labels.csv", "labels", "Labels.")
    with pytest.raises(LabelsError, match="can't be read"):
        describe(tmp_path / "none.csv", "labels", "Labels.")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two pairs of keys, made as the documents say."""
    folder = tmp_path_factory.mktemp("keys")
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make keys")
    for name in ("ours", "theirs"):
        private, public = folder / f"{name}.pem", folder / f"{name}.pub"
        make = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(private)]
        subprocess.run(make, check=True, capture_output=True)
        subprocess.run(["openssl", "ec", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
    return {path.name: path for path in folder.iterdir()}


def test_a_signature_holds_for_these_files_and_this_key_only(
    looking_path: Path, keys: dict[str, Path], tmp_path: Path
) -> None:
    bundle = bundles.load(Path(shutil.copytree(looking_path, tmp_path / "mine")))
    signature = tmp_path / "mine.sig"
    signing.sign(bundle, keys["ours.pem"], signature)
    signing.verify(bundle, signature, keys["ours.pub"])
    with pytest.raises(SignatureMismatch, match=r"not what .*mine\.sig signs"):
        signing.verify(bundle, signature, keys["theirs.pub"])
    (bundle.path / "README.md").write_text("another card")
    with pytest.raises(SignatureMismatch, match=r"README\.md"):
        signing.verify(bundle, signature, keys["ours.pub"])
    (bundle.path / "README.md").unlink()
    signing.verify(bundle, signature, keys["ours.pub"])
    alter(bundle.path, lambda manifest: manifest.update(summary="Another."))
    with pytest.raises(SignatureMismatch, match=r"bundle\.json"):
        signing.verify(bundle, signature, keys["ours.pub"])


def test_what_cannot_be_signed_is_refused_in_a_sentence(
    looking_path: Path, keys: dict[str, Path], tmp_path: Path
) -> None:
    bundle = bundles.load(looking_path)
    for key, target, named in (
        (tmp_path / "none.pem", tmp_path / "a.sig", "is no file. A key: openssl"),
        (keys["ours.pub"], tmp_path / "a.sig", "must be an elliptic-curve private key"),
        (keys["ours.pem"], looking_path / "a.sig", "inside the folder that is signed"),
    ):
        with pytest.raises(PackError, match=named):
            signing.sign(bundle, key, target)
        assert not target.exists()
    with pytest.raises(PackError, match="is no file"):
        signing.verify(bundle, tmp_path / "a.sig", keys["ours.pub"])
