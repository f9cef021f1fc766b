"""The model at work: the only module that imports onnxruntime.

Pictures go through the graph one at a time. Batches gain nothing on a CPU, and a graph with dynamic quantisation would
let one picture change another's score; so one is a batch of one, and a batch is many of them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

# The official onnxruntime sends usage data to its maker and writes an identifier into the user's cache folder, unless
# told otherwise before its first import; police pictures are no place for it.
os.environ["ORT_DISABLE_TELEMETRY"] = os.environ["ORT_TELEMETRY_DISABLED"] = "1"
import onnxruntime

from bladecheck.core import images, weights
from bladecheck.core.bundle import Bundle, Platt, find
from bladecheck.core.images import Picture, PictureLimits
from bladecheck.core.preprocess import Pixels, contrast, prepare
from bladecheck.core.taxonomy import RANK
from bladecheck.core.verdict import Evidence, Policy, Scores, Seen, Verdict, decide
from bladecheck.errors import BundleError, NoScore

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Output:
    """The graph's answer for one picture: logits [L], and the evidence map [rows, columns] in 0..1 or None."""

    logits: Logits
    evidence: Evidence | None


def open_session(model: Path, compact: bool, threads: int = 1) -> onnxruntime.InferenceSession:
    """A session on a graph, with the weights of the weights.npz beside it if it is `compact`; on `threads` cores."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if compact:
        unpacked = weights.unpack(model.parent / weights.FILE)
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in unpacked.values()]
        options.add_external_initializers(list(unpacked), values)
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


class Classifier:
    """A loaded bundle. Safe to call from many threads at once; each call uses `threads` cores (1 suits a server).

    Args:
        bundle: from `bladecheck.core.bundle.find` or `load`.
        threads: cores that one inference may use.

    Raises:
        BundleError: if the graph can't be loaded or its outputs don't fit the manifest.
    """

    def __init__(self, bundle: Bundle, threads: int = 1) -> None:
        self.bundle = bundle
        try:
            self._session = open_session(bundle.model_path, weights.FILE in bundle.manifest.files, threads)
        except Exception as error:  # onnxruntime raises several unrelated types
            raise BundleError(f"{bundle.model_path} can't be loaded: {str(error)[:300]}") from error
        self._wanted = _check_graph(self._session, bundle)

    @classmethod
    def open(cls, name_or_path: str | Path | None = None, threads: int = 1) -> Classifier:
        """Load a bundle by name or folder (None: the default) and make it ready."""
        return cls(find(name_or_path), threads)

    def load(self, data: bytes, limits: PictureLimits | None = None) -> Picture:
        """Decode bytes at the scale that this model needs; see `images.load` for the errors."""
        return images.load(data, limits, at_least=self.bundle.spec.at_least)

    def run(self, pixels: Pixels) -> Output:
        """One prepared picture, uint8 [H, W, 3], through the graph.

        Raises:
            NoScore: if a logit is not a finite number, which every comparison would take for a low score.
        """
        answer: list[Any] = self._session.run(self._wanted, {"pixels": pixels[np.newaxis]})
        if not np.isfinite(answer[0]).all():
            raise NoScore(f"The model {self.bundle.manifest.name} gave no finite score for this picture.")
        return Output(answer[0][0], answer[1][0] if len(answer) > 1 else None)

    def scores(self, logits: Logits) -> Scores:
        """Calibrate logits [L], ordered as the manifest's outputs."""
        outputs, calibration = self.bundle.manifest.outputs, self.bundle.manifest.calibration
        names = outputs.labels + outputs.blades + outputs.features
        values = [float(value) for value in logits]
        raw = dict(zip(names, values, strict=True))
        return Scores(
            labels={name: calibrated(raw[name], calibration.labels[name]) for name in outputs.labels},
            blade=_softmax({name: raw[name] / calibration.blade_temperature for name in outputs.blades}),
            features={name: calibrated(raw[name], calibration.features[name]) for name in outputs.features},
            raw=raw,
        )

    def classify(self, pictures: Sequence[Picture], policy: Policy | None = None) -> list[Verdict]:
        """One verdict per picture, in order. An animation is as bad as its worst sampled frame."""
        return [self.classify_one(picture, policy) for picture in pictures]

    def classify_one(self, picture: Picture, policy: Policy | None = None) -> Verdict:
        """The verdict on one picture: the most restrictive of its frames', the higher knife score where they tie."""
        manifest = self.bundle.manifest
        prepared = [prepare(frame, self.bundle.spec) for frame in picture.frames]
        seen = Seen(picture.width, picture.height, max(contrast(pixels) for pixels in prepared), picture.damaged)
        verdicts = []
        for index, pixels in enumerate(prepared):
            output = self.run(pixels)
            verdict = decide(self.scores(output.logits), seen, manifest.thresholds, manifest.gates, policy)
            verdicts.append(replace(verdict, evidence=output.evidence, frame=index))
        return max(verdicts, key=lambda verdict: (RANK[verdict.decision], verdict.scores.labels["knife"]))


def _check_graph(session: onnxruntime.InferenceSession, bundle: Bundle) -> list[str]:
    """Compare the graph's names and fixed sizes with the manifest; return the outputs to ask for."""
    side, expected = bundle.spec.size, bundle.manifest.outputs
    wanted: dict[str, tuple[int, ...]] = {"logits": (expected.width,)}
    if expected.evidence:
        wanted["evidence"] = expected.evidence
    inputs = {item.name: item for item in session.get_inputs()}
    outputs = {item.name: item for item in session.get_outputs()}
    if set(inputs) != {"pixels"} or not set(wanted) <= set(outputs):
        raise BundleError(
            f"{bundle.model_path} has inputs {sorted(inputs)} and outputs {sorted(outputs)}; "
            f"the bundle needs input 'pixels' and outputs {sorted(wanted)}."
        )
    if inputs["pixels"].type != "tensor(uint8)":
        raise BundleError(f"{bundle.model_path}: input 'pixels' is {inputs['pixels'].type}, not tensor(uint8).")
    for name, item, shape in [("pixels", inputs["pixels"], (side, side, 3))] + [
        (name, outputs[name], shape) for name, shape in wanted.items()
    ]:
        given = item.shape[1:]
        fits = len(given) == len(shape) and all(a == b for a, b in zip(given, shape, strict=True) if isinstance(a, int))
        if not fits:
            raise BundleError(f"{bundle.model_path}: {name!r} has the shape {given} a picture, not {list(shape)}.")
    return list(wanted)


def calibrated(logit: float, platt: Platt) -> float:
    """Platt scaling (Platt 1999): probability from a logit."""
    return float(1.0 / (1.0 + np.exp(-np.clip(platt.scale * logit + platt.shift, -60.0, 60.0))))


def _softmax(logits: dict[str, float]) -> dict[str, float]:
    if not logits:
        return {}
    values = np.array(list(logits.values()))
    weights = np.exp(values - values.max())
    return dict(zip(logits, (weights / weights.sum()).tolist(), strict=True))
