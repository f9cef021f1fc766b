"""The copy is looked at again: a blade that a stronger one outshone is blurred, too."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageDraw

import tiny
from bladecheck.core import bundle, weights
from bladecheck.core.classifier import Classifier
from bladecheck.core.images import PictureLimits
from bladecheck.core.redact import redact
from bladecheck.core.verdict import Policy

STRONG, WEAK, GROUND = (245, 10, 10), (150, 40, 40), (40, 20, 20)
SECOND = np.s_[120:200, 260:300]
"""Rows and columns of the weaker blade; both blades lie on whole cells of the map, which are 20 x 20 pixels."""


def shy_graph() -> onnx.ModelProto:
    """`tiny.looking_graph`, whose map shows only cells within 3 % of its highest: the strongest blade alone."""
    model = tiny.looking_graph()
    model.graph.node[-1].output[0] = "warm"
    model.graph.initializer.append(numpy_helper.from_array(np.float32(0.97), "share"))
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 2, 3], np.int64), "whole"))
    model.graph.node.extend(
        [
            helper.make_node("ReduceMax", ["warm", "whole"], ["highest"], keepdims=1),
            helper.make_node("Mul", ["highest", "share"], ["least"]),
            helper.make_node("GreaterOrEqual", ["warm", "least"], ["strong"]),
            helper.make_node("Cast", ["strong"], ["kept"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["warm", "kept"], ["occupancy"]),
        ]
    )
    return model


def shy_manifest(files: dict[str, str]) -> dict[str, Any]:
    """Of a model that looks at the whole picture only."""
    made = tiny.looking_manifest(files)
    del made["preprocess"]["looks"], made["calibration"]["first_look"]
    return made


@pytest.fixture(scope="module")
def shy(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    folder = tmp_path_factory.mktemp("bundles") / "shy"
    folder.mkdir()
    (folder / bundle.MODEL).write_bytes(shy_graph().SerializeToString())
    np.savez(folder / weights.HEADS, **tiny.looking_heads())
    tiny._write(folder, {"cases": []}, shy_manifest)
    return Classifier(bundle.load(Path(folder)))


def test_a_blade_that_shows_only_in_the_copy_is_blurred_too(shy: Classifier) -> None:
    picture = Image.new("RGB", (320, 320), GROUND)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((20, 20, 179, 299), STRONG)
    pen.rectangle((260, 120, 299, 199), WEAK)
    before = shy.classify_one(shy.load(tiny.encode(picture)))
    assert before.looks == 1
    assert before.evidence is not None
    columns = before.evidence.shape[1]
    assert before.evidence[:, columns * 3 // 4 :].max() < 0.5 < before.evidence.max(), "the first blade outshines it"
    copy = redact(tiny.encode(picture), shy, Policy(), PictureLimits())
    with Image.open(io.BytesIO(copy.data)) as image:
        after = np.asarray(image.convert("RGB")).astype(int)
    assert np.ptp(after[SECOND], axis=2).max() <= 1, "grey: no colour of the second blade is left"
    assert copy.blade_left == ()
