"""The model at work: the only module that imports onnxruntime.

Pictures go through the graph one at a time. Batches gain nothing on a CPU, and a graph with dynamic quantisation would
let one picture change another's score; so one is a batch of one, and a batch is many of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from bladecheck import images
from bladecheck.bundle import Bundle, Platt, find
from bladecheck.errors import BundleError
from bladecheck.images import Limits, Picture
from bladecheck.preprocess import Pixels, contrast, prepare
from bladecheck.verdict import Evidence, Policy, Scores, Seen, Verdict, decide

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Output:
    """The graph's answer for one picture: logits [L], and the evidence map [rows, columns] in 0..1 or None."""

    logits: Logits
    evidence: Evidence | None


class Classifier:
    """A loaded bundle. Safe to call from many threads at once; each call uses `threads` cores (1 suits a server).

    Args:
        bundle: from `bladecheck.bundle.find` or `load`.
        threads: cores that one inference may use.

    Raises:
        BundleError: if the graph can't be loaded or its outputs don't fit the manifest.
    """

    def __init__(self, bundle: Bundle, threads: int = 1) -> None:
        self.bundle = bundle
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(bundle.model_path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime raises several unrelated types
            raise BundleError(f"{bundle.model_path} can't be loaded: {str(error)[:300]}") from error
        names = [output.name for output in self._session.get_outputs()]
        wanted = ["logits"] + (["evidence"] if bundle.manifest.outputs.evidence else [])
        if [i.name for i in self._session.get_inputs()] != ["pixels"] or not set(wanted) <= set(names):
            raise BundleError(f"{bundle.model_path} has outputs {names}; the bundle needs input 'pixels' and {wanted}.")
        self._wanted = wanted
        self._knife = bundle.manifest.outputs.labels.index("knife")

    @classmethod
    def open(cls, name_or_path: str | Path | None = None, threads: int = 1) -> Classifier:
        """Load a bundle by name or folder (None: the default) and make it ready."""
        return cls(find(name_or_path), threads)

    def load(self, data: bytes, limits: Limits | None = None) -> Picture:
        """Decode bytes at the scale that this model needs; see `images.load` for the errors."""
        return images.load(data, limits, at_least=self.bundle.spec.at_least)

    def run(self, pixels: Pixels) -> Output:
        """One prepared picture, uint8 [H, W, 3], through the graph."""
        answer: list[Any] = self._session.run(self._wanted, {"pixels": pixels[np.newaxis]})
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
        return [self.judge(picture, policy) for picture in pictures]

    def judge(self, picture: Picture, policy: Policy | None = None) -> Verdict:
        """The verdict on one picture."""
        manifest = self.bundle.manifest
        prepared = [prepare(frame, self.bundle.spec) for frame in picture.frames]
        outputs = [self.run(pixels) for pixels in prepared]
        worst = max(range(len(outputs)), key=lambda index: float(outputs[index].logits[self._knife]))
        seen = Seen(picture.width, picture.height, max(contrast(pixels) for pixels in prepared))
        verdict = decide(self.scores(outputs[worst].logits), seen, manifest.thresholds, manifest.gates, policy)
        return Verdict(verdict.decision, verdict.reasons, verdict.scores, verdict.kind, outputs[worst].evidence)


def calibrated(logit: float, platt: Platt) -> float:
    """Platt scaling (Platt 1999): probability from a logit."""
    return float(1.0 / (1.0 + np.exp(-np.clip(platt.scale * logit + platt.shift, -60.0, 60.0))))


def _softmax(logits: dict[str, float]) -> dict[str, float]:
    if not logits:
        return {}
    values = np.array(list(logits.values()))
    weights = np.exp(values - values.max())
    return dict(zip(logits, (weights / weights.sum()).tolist(), strict=True))
