"""A cascade: a quick model settles what it is sure to be harmless, and the rest is judged as its lender judges it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bladecheck.core import bundle
from bladecheck.core.classifier import Classifier
from bladecheck.core.golden import replay
from bladecheck.core.learning.seen import require_embedding
from bladecheck.core.preprocess import prepare
from bladecheck.errors import BundleError, LabelsError
from tiny import BLUE, GREEN, RED, draw, encode, write_cascade

GREY = Image.new("RGB", (60, 60), (60, 60, 60))
GREY.paste((90, 90, 90), (10, 10, 30, 30))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cascade(tmp_path_factory.mktemp("bundles"))


@pytest.fixture(scope="module")
def cascade(folder: Path) -> Classifier:
    return Classifier.open(folder)


@pytest.fixture(scope="module")
def quick(folder: Path) -> Classifier:
    return Classifier.open(folder.with_name("quick"))


@pytest.fixture(scope="module")
def lender(folder: Path) -> Classifier:
    return Classifier.open(folder.with_name("looking"))


def test_what_the_first_model_is_sure_of_is_settled_with_its_own_probabilities(
    cascade: Classifier, quick: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(_pixels: object) -> None:
        raise AssertionError("the lender was asked")

    monkeypatch.setattr(cascade, "run", never)
    verdict = cascade.classify_one(cascade.load(encode(GREY)))
    theirs = quick.scores(quick.run(prepare(GREY, quick.bundle.spec)).logits)
    assert verdict.decision == "clear"
    assert verdict.looks == 1
    assert verdict.unlike is None
    assert verdict.evidence is not None
    assert verdict.evidence.max() == 0
    for kind in ("labels", "blade", "features", "weapon"):
        assert getattr(verdict.scores, kind) == pytest.approx(getattr(theirs, kind), abs=1e-6), kind


@pytest.mark.parametrize("colour", [RED, BLUE, GREEN])
def test_what_it_is_not_sure_of_is_the_lenders(
    cascade: Classifier, lender: Classifier, colour: tuple[int, int, int]
) -> None:
    data = encode(draw(colour))
    ours, theirs = (one.classify_one(one.load(data)) for one in (cascade, lender))
    assert ours.decision == theirs.decision != "clear"
    assert ours.scores == theirs.scores
    assert ours.looks == theirs.looks
    np.testing.assert_array_equal(ours.evidence, theirs.evidence)  # type: ignore[arg-type]
    np.testing.assert_array_equal(ours.embedding, theirs.embedding)  # type: ignore[arg-type]


def test_its_golden_pictures_are_replayed(cascade: Classifier) -> None:
    assert replay(cascade).cases == 2


def test_a_cascade_is_not_adapted(cascade: Classifier) -> None:
    with pytest.raises(LabelsError, match="adapt looking"):
        require_embedding(cascade)


def _first(**changed: Any) -> Callable[[dict[str, Any]], None]:
    return lambda manifest: manifest["first"].update(changed)


def _set(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda manifest: manifest.update({key: value})


@pytest.mark.parametrize(("change", "said"), [
    (_first(sha256="0" * 64), "works with the bundle quick, sha256 000000000000.*is 1.0.0"),
    (_first(name="elsewhere"), "there is no elsewhere beside it"),
    (_first(below={"knife": 0.1}), "first.below covers"),
    (_first(below={"knife": 0.1, "gun": 0.1, "other_weapon": 0.4}), "what is settled must be clear"),
    (_set("first", None), "go together"),
    (lambda manifest: manifest["preprocess"].update(fit="pad"), "prepares pictures as"),
    (lambda manifest: manifest["files"].update({"model.onnx": "0" * 64}), "not files of its own"),
    (lambda manifest: manifest["outputs"].update(embedding=7), "outputs differ from those of looking"),
])  # fmt: skip
def test_a_cascade_that_does_not_fit_is_refused(
    folder: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    made = shutil.copytree(folder.parent, tmp_path / "bundles") / "cascade"
    manifest = json.loads((made / bundle.MANIFEST).read_text())
    change(manifest)
    (made / bundle.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=said):
        bundle.load(made)


def test_a_cascade_of_cascades_is_refused(folder: Path, tmp_path: Path) -> None:
    every = shutil.copytree(folder.parent, tmp_path / "bundles")
    manifest = json.loads((every / "cascade" / bundle.MANIFEST).read_text())
    manifest["lender"] = {"name": "cascade", "sha256": bundle.load(every / "cascade").sha256}
    outer = shutil.copytree(every / "cascade", every / "outer")
    (outer / bundle.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="is a cascade itself"):
        bundle.load(outer)


def test_a_first_model_that_knows_less_is_refused(folder: Path, tmp_path: Path) -> None:
    every = shutil.copytree(folder.parent, tmp_path / "bundles")
    quick, made = every / "quick", every / "cascade"
    manifest = json.loads((quick / bundle.MANIFEST).read_text())
    manifest["outputs"]["weapons"] = []
    (quick / bundle.MANIFEST).write_text(json.dumps(manifest))
    changed = json.loads((made / bundle.MANIFEST).read_text())
    changed["first"]["sha256"] = bundle.load(quick).sha256
    (made / bundle.MANIFEST).write_text(json.dumps(changed))
    with pytest.raises(BundleError, match="quick says nothing of axe"):
        bundle.load(made)
