"""A real bundle in a few kilobytes: redness is "knife", blueness "gun", so that tests can draw what they expect."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageDraw

from bladecheck.core import bundle, taxonomy, weights
from bladecheck.core.classifier import Classifier

SIZE, GRID = 32, 4
LABELS, BLADES, FEATURES, WEAPONS = taxonomy.LABELS, taxonomy.BLADES, taxonomy.FEATURES, taxonomy.WEAPONS
CROPS = [[0.0, 0.0, 0.6, 0.6], [0.4, 0.0, 1.0, 0.6], [0.0, 0.4, 0.6, 1.0], [0.4, 0.4, 1.0, 1.0]]
OCCUPIED = 16
RED, BLUE, GREEN, PURPLE = (230, 20, 20), (20, 20, 230), (20, 200, 20), (150, 20, 150)


def draw(colour: tuple[int, int, int], size: tuple[int, int] = (61, 47), shape: str = "ellipse") -> Image.Image:
    """A picture of one colour with a mark, odd-sized so that swapped axes show; never blank."""
    image = Image.new("RGB", size, colour)
    pen = ImageDraw.Draw(image)
    box = (size[0] * 0.1, size[1] * 0.1, size[0] * 0.3, size[1] * 0.4)
    (pen.ellipse if shape == "ellipse" else pen.rectangle)(box, fill=tuple(255 - c for c in colour))
    return image


def encode(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def graph() -> onnx.ModelProto:
    """pixels uint8 [N, H, W, 3] -> logits [N, 20], evidence [N, 4, 4] in 0..1."""
    width = len(LABELS) + len(BLADES) + len(FEATURES)
    weight = np.zeros((3, width), np.float32)
    bias = np.zeros(width, np.float32)
    weight[:, 0], bias[0] = (16, -8, -8), -4  # knife: red against the other two
    weight[:, 1], bias[1] = (-8, -8, 16), -4  # gun: blue
    bias[2] = -6  # other weapons: never
    weight[0, len(LABELS) + BLADES.index("zombie")] = 6
    weight[1, len(LABELS) + BLADES.index("kitchen")] = 6
    bias[len(LABELS) + len(BLADES) :] = -6
    initializers = [
        numpy_helper.from_array(weight, "weight"),
        numpy_helper.from_array(bias, "bias"),
        numpy_helper.from_array(np.float32(1 / 255), "scale"),
        numpy_helper.from_array(np.array([1, 2], np.int64), "axes"),
        numpy_helper.from_array(np.array([[[[16]], [[-8]], [[-8]]]], np.float32).reshape(1, 3, 1, 1), "kernel"),
    ]
    nodes = [
        helper.make_node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "scale"], ["unit"]),
        helper.make_node("ReduceMean", ["unit", "axes"], ["mean"], keepdims=0),
        helper.make_node("Gemm", ["mean", "weight", "bias"], ["logits"]),
        helper.make_node("Transpose", ["unit"], ["nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["nchw"], ["cells"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Conv", ["cells", "kernel"], ["heat"]),
        helper.make_node("Sigmoid", ["heat"], ["warm"]),
        helper.make_node("Squeeze", ["warm", "one"], ["evidence"]),
    ]
    initializers.append(numpy_helper.from_array(np.array([1], np.int64), "one"))
    made = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", SIZE, SIZE, 3])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", width]),
            helper.make_tensor_value_info("evidence", TensorProto.FLOAT, ["n", GRID, GRID]),
        ],
        initializers,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return model


def manifest(files: dict[str, str]) -> dict[str, Any]:
    platt = {"scale": 1.0, "shift": 0.0}
    band = {"check": 0.3, "hold": 0.7}
    return {
        "schema": bundle.SCHEMA,
        "name": "tiny",
        "version": "1.0.0",
        "summary": "Redness is knife, blueness is gun: for tests only.",
        "input": "uint8 NHWC RGB",
        "preprocess": {"size": SIZE, "fit": "squash", "filter": "bicubic", "headroom": 2},
        "outputs": {"labels": LABELS, "blades": BLADES, "features": FEATURES, "evidence": [GRID, GRID]},
        "calibration": {
            "labels": dict.fromkeys(LABELS, platt),
            "features": dict.fromkeys(FEATURES, platt),
            "blade_temperature": 1.0,
        },
        "thresholds": {
            "labels": dict.fromkeys(LABELS, band),
            "blade_sure": 0.5,
            "feature_seen": dict.fromkeys(FEATURES, 0.5),
            "chosen_for": "tests",
        },
        "gates": {"min_side": 16, "min_contrast": 4},
        "files": files,
        "data": {},
        "training": {},
        "metrics": {},
        "limits": ["Only for tests."],
    }


def write_bundle(folder: Path) -> Path:
    """Write a complete bundle with golden cases into `folder` and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(graph(), folder / bundle.MODEL)
    _write(folder, {"cases": []})
    classifier = Classifier(bundle.load(folder))
    cases = [
        golden_case(classifier, *case) for case in (("red", draw(RED)), ("blue", draw(BLUE)), ("green", draw(GREEN)))
    ]
    _write(folder, {"cases": cases})
    return folder


def looking_graph() -> onnx.ModelProto:
    """pixels -> logits [N, 29] = embedding [N, 3] @ head.weight + head.bias, occupancy [N, 2, 16, 16] in 0..1.

    The embedding is the mean of each channel; a cell holds blade where it is red, handle where it is blue.
    """
    width = len(LABELS + BLADES + FEATURES + WEAPONS)
    kernel = np.array([[16, -8, -8], [-8, -8, 16]], np.float32).reshape(2, 3, 1, 1)
    initializers = [
        numpy_helper.from_array(np.float32(1 / 255), "scale"),
        numpy_helper.from_array(np.array([1, 2], np.int64), "axes"),
        numpy_helper.from_array(kernel, "kernel"),
        numpy_helper.from_array(np.full(2, -4, np.float32), "cold"),
    ]
    for name, shape in (("head.weight", (3, width)), ("head.bias", (width,))):
        tensor = onnx.TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape)
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=weights.HEADS)
        initializers.append(tensor)
    side = SIZE // OCCUPIED
    nodes = [
        helper.make_node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "scale"], ["unit"]),
        helper.make_node("ReduceMean", ["unit", "axes"], ["embedding"], keepdims=0),
        helper.make_node("MatMul", ["embedding", "head.weight"], ["product"]),
        helper.make_node("Add", ["product", "head.bias"], ["logits"]),
        helper.make_node("Transpose", ["unit"], ["nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["nchw"], ["cells"], kernel_shape=[side, side], strides=[side, side]),
        helper.make_node("Conv", ["cells", "kernel", "cold"], ["heat"]),
        helper.make_node("Sigmoid", ["heat"], ["occupancy"]),
    ]
    outputs = {"logits": [width], "occupancy": [2, OCCUPIED, OCCUPIED], "embedding": [3]}
    made = helper.make_graph(
        nodes,
        "looking",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape]) for name, shape in outputs.items()],
        initializers,
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def looking_heads() -> dict[str, Any]:
    """heads.npz: red is knife, blue gun, green another weapon (an axe); the measured range (red and green differ)."""
    names = LABELS + BLADES + FEATURES + WEAPONS
    weight, bias = np.zeros((3, len(names)), np.float32), np.full(len(names), -6, np.float32)
    for column, name in enumerate(LABELS):
        weight[:, column] = -8
        weight[{"knife": 0, "gun": 2, "other_weapon": 1}[name], column] = 16
        bias[column] = -4
    weight[0, names.index("zombie")], weight[1, names.index("axe")] = 12, 12
    mean, basis = np.full(3, 0.5, np.float32), np.eye(3, dtype=np.float32)[:2]
    return {"weight": weight, "bias": bias, "mean": mean, "basis": basis}


def looking_manifest(files: dict[str, str]) -> dict[str, Any]:
    """The tiny manifest of a model that looks again, knows other weapons and says what it read."""
    made = manifest(files)
    made["name"] = "looking"
    made["outputs"] = {
        "labels": LABELS,
        "blades": BLADES,
        "features": FEATURES,
        "weapons": WEAPONS,
        "occupancy": [2, OCCUPIED, OCCUPIED],
        "embedding": 3,
    }
    made["preprocess"]["looks"] = {"crops": CROPS, "again_from": 0.01, "again_to": 0.98}
    made["calibration"]["first_look"] = {"scale": 1.0, "shift": 0.0}
    made["embedding_range"] = {"limit": 0.9, "share": 0.99, "measure": "beside"}
    return made


def write_looking(folder: Path) -> Path:
    """Write a complete bundle that looks again into `folder` and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / bundle.MODEL).write_bytes(looking_graph().SerializeToString())
    np.savez(folder / weights.HEADS, **looking_heads())
    _write(folder, {"cases": []}, looking_manifest)
    classifier = Classifier(bundle.load(folder))
    corner = Image.new("RGB", (60, 60), (60, 60, 60))
    corner.paste(RED, (30, 30, 60, 60))
    pictures = {"red": draw(RED), "blue": draw(BLUE), "corner": corner}
    _write(folder, {"cases": [golden_case(classifier, name, one) for name, one in pictures.items()]}, looking_manifest)
    return folder


def write_cascade(folder: Path) -> Path:
    """Write a bundle that looks again, a quick one, and a cascade of both, side by side; return the cascade's folder.

    The quick one is the same network under another calibration, half as sure of everything.
    """
    lender, quick, made = (folder / name for name in ("looking", "quick", "cascade"))
    write_looking(lender)
    write_looking(quick)
    half = {"scale": 0.5, "shift": 0.25}
    changed = json.loads((quick / bundle.MANIFEST).read_text()) | {"name": "quick"}
    changed["calibration"] |= {"labels": dict.fromkeys(LABELS, half), "features": dict.fromkeys(FEATURES, half),
                               "blade_temperature": 2.0}  # fmt: skip
    (quick / bundle.MANIFEST).write_text(json.dumps(changed))
    named = {path.name: {"name": path.name, "sha256": bundle.load(path).sha256} for path in (lender, quick)}

    def cascade(files: dict[str, str]) -> dict[str, Any]:
        first = named["quick"] | {"below": dict.fromkeys(LABELS, 0.2)}
        return looking_manifest(files) | {"name": "cascade", "first": first, "lender": named["looking"]}

    made.mkdir()
    _write(made, {"cases": []}, cascade)
    classifier = Classifier(bundle.load(made))
    pictures = {"red": draw(RED), "grey": Image.new("RGB", (60, 60), (60, 60, 60))}
    _write(made, {"cases": [golden_case(classifier, name, one) for name, one in pictures.items()]}, cascade)
    return made


def golden_case(classifier: Classifier, name: str, image: Image.Image) -> dict[str, Any]:
    """What the model says of a picture now, as golden.json keeps it."""
    data = encode(image)
    picture = classifier.load(data)
    scores = classifier.classify_one(picture).scores
    pixels = np.asarray(picture.frames[0].resize((SIZE, SIZE), Image.Resampling.BICUBIC))
    return {
        "name": name,
        "data": base64.b64encode(data).decode(),
        "pixels_sha256": hashlib.sha256(pixels.tobytes()).hexdigest(),
        "scores": {**scores.labels, **scores.blade, **scores.features, **scores.weapon},
    }


def _write(folder: Path, golden: dict[str, Any], made: Callable[[dict[str, str]], dict[str, Any]] = manifest) -> None:
    (folder / bundle.GOLDEN).write_text(json.dumps(golden))
    names = [name for name in (bundle.MODEL, bundle.GOLDEN, weights.HEADS) if (folder / name).exists()]
    files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / bundle.MANIFEST).write_text(json.dumps(made(files)))
