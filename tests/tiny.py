"""A real bundle in a few kilobytes: redness is "knife", blueness "gun", so that tests can draw what they expect."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageDraw

from bladecheck.core import bundle, taxonomy
from bladecheck.core.classifier import Classifier

SIZE, GRID = 32, 4
LABELS, BLADES, FEATURES = taxonomy.LABELS, taxonomy.BLADES, taxonomy.FEATURES
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
    cases = []
    for name, colour in (("red", RED), ("blue", BLUE), ("green", GREEN)):
        data = encode(draw(colour))
        picture = classifier.load(data)
        scores = classifier.classify_one(picture).scores
        pixels = np.asarray(picture.frames[0].resize((SIZE, SIZE), Image.Resampling.BICUBIC))
        cases.append(
            {
                "name": name,
                "data": base64.b64encode(data).decode(),
                "pixels_sha256": hashlib.sha256(pixels.tobytes()).hexdigest(),
                "scores": {**scores.labels, **scores.blade, **scores.features},
            }
        )
    _write(folder, {"cases": cases})
    return folder


def _write(folder: Path, golden: dict[str, Any]) -> None:
    (folder / bundle.GOLDEN).write_text(json.dumps(golden))
    files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (bundle.MODEL, bundle.GOLDEN)}
    (folder / bundle.MANIFEST).write_text(json.dumps(manifest(files)))
