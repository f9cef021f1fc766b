"""A bundle that is not exactly what this version knows is refused, naming key and value."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, numpy_helper

from altered import Change, alter, replace_file
from bladecheck.core import bundle as bundles
from bladecheck.core.classifier import Classifier
from bladecheck.errors import BundleError
from tiny import SIZE, graph


def looks(**changed: Any) -> dict[str, Any]:
    """Further looks of a manifest, with some of their keys changed."""
    return {"crops": [[0, 0, 0.6, 0.6]], "combine": "max", "again_from": 0.1, "again_to": 0.8} | changed


CHANGES: dict[str, tuple[Change, str]] = {
    "unknown key": (lambda m: m.update(surprise=1), "surprise"),
    "unknown key below": (lambda m: m["gates"].update(surprise=1), "gates.surprise"),
    "missing key": (lambda m: m.pop("thresholds"), "thresholds"),
    "other schema": (lambda m: m.update(schema="bladecheck-bundle/3"), "schema.*bladecheck-bundle/3"),
    "other input": (lambda m: m.update(input="float NCHW"), "input.*float NCHW"),
    "bad name": (lambda m: m.update(name="../base"), r"name.*\.\./base"),
    "bad version": (lambda m: m.update(version="1.0"), "version.*1.0"),
    "unknown label": (lambda m: m["outputs"]["labels"].append("axe"), "axe"),
    "unknown blade": (lambda m: m["outputs"]["blades"].append("axe"), "axe"),
    "unknown feature": (lambda m: m["outputs"]["features"].append("rusty"), "rusty"),
    "label twice": (lambda m: m["outputs"]["labels"].append("gun"), "outputs.labels names something twice"),
    "no knife": (lambda m: m["outputs"].update(labels=["gun"]), "outputs.labels lacks 'knife'"),
    "size as text": (lambda m: m["preprocess"].update(size="32"), "preprocess.size.*'32'"),
    "size out of range": (lambda m: m["preprocess"].update(size=5000), "preprocess.size is 5000"),
    "unknown fit": (lambda m: m["preprocess"].update(fit="stretch"), "preprocess.fit is 'stretch'"),
    "unknown filter": (lambda m: m["preprocess"].update(filter="box"), "preprocess.filter is 'box'"),
    "unknown preprocessing": (lambda m: m["preprocess"].update(mean=0.5), "preprocess.mean"),
    "falling calibration": (lambda m: m["calibration"]["labels"]["knife"].update(scale=-1.0), "knife.scale.*-1.0"),
    "flat calibration": (lambda m: m["calibration"]["features"]["holes"].update(scale=0.0), "holes.scale.*0.0"),
    "infinite calibration": (lambda m: m["calibration"]["labels"]["gun"].update(shift=float("inf")), "gun.shift"),
    "no temperature": (lambda m: m["calibration"].update(blade_temperature=0), "blade_temperature"),
    "label uncalibrated": (lambda m: m["calibration"]["labels"].pop("gun"), "calibration.labels covers"),
    "feature uncalibrated": (lambda m: m["calibration"]["features"].pop("holes"), "calibration.features"),
    "thresholds crossed": (
        lambda m: m["thresholds"]["labels"]["knife"].update(check=0.8),
        "thresholds.labels.knife.*check 0.8 lies above hold 0.7",
    ),
    "threshold no probability": (lambda m: m["thresholds"]["labels"]["gun"].update(hold=1.5), "gun.hold.*1.5"),
    "threshold not a number": (lambda m: m["thresholds"].update(blade_sure=float("nan")), "blade_sure"),
    "label without threshold": (lambda m: m["thresholds"]["labels"].pop("gun"), "thresholds.labels covers"),
    "threshold of no feature": (lambda m: m["thresholds"]["feature_seen"].update(rusty=0.5), "rusty"),
    "gate below one": (lambda m: m["gates"].update(min_side=0), "gates.min_side.*0"),
    "model unlisted": (lambda m: m["files"].pop("model.onnx"), "files lists no model.onnx"),
    "golden unlisted": (lambda m: m["files"].pop("golden.json"), "files lists no golden.json"),
    "file missing": (lambda m: m["files"].update({"labels.txt": "0" * 64}), "labels.txt can't be read"),
    "wrong hash": (lambda m: m["files"].update({"model.onnx": "0" * 64}), "model.onnx has sha256"),
    "path upwards": (lambda m: m["files"].update({"../tiny/bundle.json": "0" * 64}), r"\.\./tiny.*plain file name"),
    "absolute path": (lambda m: m["files"].update({"/etc/hostname": "0" * 64}), "/etc/hostname.*plain file name"),
    "looks uncalibrated": (lambda m: m["preprocess"].update(looks=looks()), "looks needs calibration.first_look"),
    "empty crop": (lambda m: m["preprocess"].update(looks=looks(crops=[[0.5, 0, 0.5, 1]])), "the crop .* is empty"),
    "no crops": (lambda m: m["preprocess"].update(looks=looks(crops=[])), "preprocess.looks.crops"),
    "crop outside": (lambda m: m["preprocess"].update(looks=looks(crops=[[0, 0, 1.5, 1]])), "looks.crops"),
    "looks crossed": (lambda m: m["preprocess"].update(looks=looks(again_from=0.9)), "again_from 0.9 lies above"),
    "unknown combination": (lambda m: m["preprocess"].update(looks=looks(combine="mean")), "looks.combine"),
    "unknown weapon": (lambda m: m["outputs"].update(weapons=["spoon"]), "spoon"),
    "one plane of occupancy": (lambda m: m["outputs"].update(occupancy=[1, 4, 4]), "outputs.occupancy"),
    "embedding without heads": (lambda m: m["outputs"].update(embedding=3), "outputs.embedding needs heads.npz"),
    "range of no embedding": (
        lambda m: m.update(embedding_range={"limit": 1.0, "share": 0.99}),
        "embedding_range needs outputs.embedding",
    ),
    "parent no hash": (lambda m: m.update(parent="base"), "parent.*base"),
    "parent folder": (lambda m: m["files"].update({"..": "0" * 64}), r"\.\. can't be read"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_refused_by_name(name: str, folder: Path) -> None:
    change, named = CHANGES[name]
    alter(folder, change)
    with pytest.raises(BundleError, match=named):
        bundles.load(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"bundle"', "[" * 100_000, "\ud800"])
def test_a_manifest_that_is_no_json_object_is_refused(text: str, folder: Path) -> None:
    (folder / bundles.MANIFEST).write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(BundleError, match=r"bundle\.json"):
        bundles.load(folder)


def test_one_changed_byte_in_any_file_is_noticed(folder: Path) -> None:
    for name in (bundles.MODEL, bundles.GOLDEN):
        path = folder / name
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(BundleError, match=f"{name} has sha256"):
            bundles.load(folder)
        path.write_bytes(whole)
    assert bundles.load(folder).manifest.name == "tiny"


def test_the_identity_changes_with_any_part(folder: Path, tiny: bundles.Bundle) -> None:
    assert bundles.load(folder).identity == tiny.identity
    alter(folder, lambda m: m["thresholds"]["labels"]["knife"].update(hold=0.71))
    assert bundles.load(folder).sha256 != tiny.sha256


def test_bundles_are_found_by_folder_and_missing_ones_named(folder: Path, tmp_path: Path) -> None:
    assert bundles.find(folder).manifest.name == "tiny"
    assert bundles.find(str(folder)).manifest.name == "tiny"
    with pytest.raises(BundleError, match="No bundle 'nothing-here'"):
        bundles.find("nothing-here")
    with pytest.raises(BundleError, match="No bundle"):
        bundles.find(tmp_path)


def test_a_folder_called_base_does_not_stand_in_for_the_default(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.rename(tmp_path / "base")
    monkeypatch.chdir(tmp_path)
    if "base" in bundles.available():
        assert bundles.find().manifest.name == "base"
    else:
        with pytest.raises(BundleError, match="No bundle 'base'"):
            bundles.find()
    assert bundles.find("./base").manifest.name == "tiny"


def model_of(change: Callable[[onnx.ModelProto], object]) -> bytes:
    model = graph()
    change(model)
    return model.SerializeToString()


def rename_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = "scores"
    next(node for node in model.graph.node if "logits" in node.output).output[0] = "scores"


def take_floats(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT


def take_other_size(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = SIZE * 2


def drop_a_label(model: onnx.ModelProto) -> None:
    for initializer in model.graph.initializer:
        if initializer.name in ("weight", "bias"):
            values = numpy_helper.to_array(initializer)[..., :-1]
            initializer.CopyFrom(numpy_helper.from_array(values.copy(), initializer.name))
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value -= 1


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (rename_output, "logits"),
        (take_floats, r"tensor\(float\)"),
        (take_other_size, "'pixels' has the shape"),
        (drop_a_label, r"'logits' has the shape \[19\]"),
    ],
)
def test_a_graph_that_does_not_fit_the_manifest_is_refused(
    change: Callable[[onnx.ModelProto], object], named: str, folder: Path
) -> None:
    replace_file(folder, bundles.MODEL, model_of(change))
    with pytest.raises(BundleError, match=named):
        Classifier.open(folder)


def test_a_file_that_is_no_graph_is_refused(folder: Path) -> None:
    replace_file(folder, bundles.MODEL, b"not a model")
    with pytest.raises(BundleError, match=r"model\.onnx can't be loaded"):
        Classifier.open(folder)


def test_schema_1_still_loads(folder: Path) -> None:
    alter(folder, lambda m: m.update(schema="bladecheck-bundle/1"))
    assert bundles.load(folder).manifest.outputs.occupancy is None


def test_looks_are_read_and_are_no_part_of_the_first_look(folder: Path) -> None:
    alter(folder, lambda m: m["preprocess"].update(looks=looks()))
    alter(folder, lambda m: m["calibration"].update(first_look={"scale": 2.0, "shift": 0.5}))
    found = bundles.load(folder)
    assert found.manifest.preprocess.looks is not None
    assert found.manifest.preprocess.looks.crops == ((0, 0, 0.6, 0.6),)
    assert found.spec.size == SIZE
