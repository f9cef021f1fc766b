"""The model at work: the only module that imports onnxruntime.

Pictures go through the graph one at a time. Batches gain nothing on a CPU, and a graph with dynamic quantisation would
let one picture change another's score; so one is a batch of one, and a batch is many of them.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

# The official onnxruntime sends usage data to its maker and writes an identifier into the user's cache folder, unless
# told otherwise before its first import; police pictures are no place for it.
os.environ["ORT_DISABLE_TELEMETRY"] = os.environ["ORT_TELEMETRY_DISABLED"] = "1"
import onnxruntime
from PIL import Image

from bladecheck.core import areas, images, looks, seams, weights
from bladecheck.core.bundle import Bundle, Platt, find
from bladecheck.core.images import Picture, PictureLimits
from bladecheck.core.looks import WHOLE, Box
from bladecheck.core.preprocess import Pixels, contrast, prepare, prepare_part
from bladecheck.core.taxonomy import RANK
from bladecheck.core.unlike import MeasuredRange
from bladecheck.core.verdict import KNIFE_CODES, Evidence, Policy, Scores, Seen, Verdict, decide
from bladecheck.core.videos import reading as videos
from bladecheck.errors import BundleError, NoScore
from bladecheck.file_formats import HEAD_BYTES, video_kind

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Output:
    """The graph's answer for one look at a picture, or that of all looks together.

    Attributes:
        logits: float32 [L], ordered as `Outputs.names`.
        evidence: where the knife is, [rows, columns] in 0..1, or None; of an occupancy map the plane of blades.
        occupancy: [2, rows, columns] in 0..1, or None.
        embedding: float32 [D], what the last linear layer reads, or None; of several looks, that of the whole picture.
        looks: how many there were.
    """

    logits: Logits
    evidence: Evidence | None
    occupancy: Evidence | None = None
    embedding: Logits | None = None
    looks: int = 1


def open_session(model: Path, stored: Collection[str], threads: int = 1) -> onnxruntime.InferenceSession:
    """A session on a graph, with the tensors of those `stored` files beside it that hold any; on `threads` cores."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if tensors := weights.initializers(model.parent, stored):
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in tensors.values()]
        options.add_external_initializers(list(tensors), values)
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
            self._session = open_session(bundle.model_path, bundle.stored, threads)
        except Exception as error:  # onnxruntime raises several unrelated types
            raise BundleError(f"{bundle.model_path} can't be loaded: {str(error)[:300]}") from error
        self._wanted = _check_graph(self._session, bundle)
        self._range = MeasuredRange.of(bundle)
        self._knife = bundle.manifest.outputs.labels.index("knife")
        self._first = Classifier(bundle.first, threads) if bundle.first else None

    @classmethod
    def open(cls, name_or_path: str | Path | None = None, threads: int = 1) -> Classifier:
        """Load a bundle by name or folder (None: the default) and make it ready."""
        return cls(find(name_or_path), threads)

    @property
    def facts(self) -> dict[str, str]:
        """The graph's own metadata: name, version, author, licence, description, as far as it has them."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    def load(self, data: bytes, limits: PictureLimits | None = None) -> Picture:
        """Decode bytes at the scale that this model needs; see `images.load` and `videos.load` for errors."""
        read = videos.load if video_kind(data[:HEAD_BYTES]) else images.load
        return read(data, limits, at_least=self.bundle.spec.at_least)

    def run(self, pixels: Pixels) -> Output:
        """One prepared picture, uint8 [H, W, 3], through the graph.

        Raises:
            NoScore: if a logit is not a finite number, which every comparison would take for a low score.
        """
        answer = self._session.run(self._wanted, {"pixels": pixels[np.newaxis]})
        found: dict[str, Any] = {name: value[0] for name, value in zip(self._wanted, answer, strict=True)}
        if not np.isfinite(found["logits"]).all():
            raise NoScore(f"The model {self.bundle.manifest.name} gave no finite score for this picture.")
        occupancy = found.get("occupancy")
        evidence = found.get("evidence") if occupancy is None else occupancy[0]
        return Output(found["logits"], evidence, occupancy, found.get("embedding"))

    def look(self, frame: Image.Image, pixels: Pixels | None = None) -> Output:
        """All looks at one RGB frame, combined: at the whole, then at what the bundle's `Looks` and seams call for.

        Args:
            pixels: the frame as `prepare` makes it, if that is at hand.

        Raises:
            NoScore: see `run`.
        """
        pixels = prepare(frame, self.bundle.spec) if pixels is None else pixels
        if settled := self._settled(pixels):
            return settled
        first = self.run(pixels)
        crops, parts = self.further_looks(frame, float(first.logits[self._knife]))
        boxes = [*crops, *parts]
        answers = [first, *(self.run(prepare_part(frame, self.bundle.spec, box)) for box in boxes)]
        return self.combine(answers, [WHOLE, *boxes], len(parts))

    def _settled(self, pixels: Pixels) -> Output | None:
        """What a cascade's first model says of a whole picture, if it is sure that there is nothing; else None.

        Its logits are turned into ones that this bundle's calibration takes for the same probabilities. There is no
        embedding, which would be in another space, and nothing on the map.
        """
        asked = self.bundle.manifest.first
        if self._first is None or asked is None:
            return None
        logits = self._first.run(pixels).logits
        scores = self._first.scores(logits)
        if any(scores.labels[name] >= low for name, low in asked.below.items()):
            return None
        theirs, ours = self._first.bundle.manifest, self.bundle.manifest
        raw = dict(zip(theirs.outputs.names, logits.tolist(), strict=True))
        for name, platt in {**ours.calibration.labels, **ours.calibration.features}.items():
            given = (theirs.calibration.labels | theirs.calibration.features)[name]
            raw[name] = (given.scale * raw[name] + given.shift - platt.shift) / platt.scale
        for names, kept, used in (
            (ours.outputs.blades, theirs.calibration.blade_temperature, ours.calibration.blade_temperature),
            (ours.outputs.weapons, theirs.calibration.weapon_temperature, ours.calibration.weapon_temperature),
        ):
            raw |= {name: raw[name] / kept * used for name in names}
        found = np.array([raw[name] for name in ours.outputs.names], np.float32)
        nothing = np.zeros((2, looks.MAP_SIDE, looks.MAP_SIDE), np.float32) if ours.outputs.occupancy else None
        return Output(found, None if nothing is None else nothing[0], nothing)

    def further_looks(self, frame: Image.Image, first_logit: float) -> tuple[list[Box], list[Box]]:
        """Parts of a frame to look at after the first look gave this knife logit.

        The bundle's crops, if that was unsure; each picture of a collage, unless it was surely a knife, since a small
        one among many is easily overlooked.
        """
        manifest = self.bundle.manifest
        spec, platt = manifest.preprocess.looks, manifest.calibration.first_look
        if spec is None or platt is None:
            return [], []
        score = calibrated(first_logit, platt)
        if score >= spec.again_to:
            return [], []
        return list(spec.crops if score >= spec.again_from else ()), seams.parts(frame)

    def combine(self, answers: Sequence[Output], boxes: Sequence[Box], parts: int) -> Output:
        """The answers of looks at these boxes of one picture, the whole first, as one; the last `parts` are pictures
        of a collage."""
        manifest, first = self.bundle.manifest, answers[0]
        logits = first.logits
        if len(answers) > 1 and manifest.preprocess.looks:
            every = np.stack([answer.logits for answer in answers])
            logits = looks.combined(every, manifest.outputs, manifest.preprocess.looks, parts)
        occupancy, evidence = _together(answers, boxes)
        return Output(logits, evidence, occupancy, first.embedding, len(answers))

    def scores(self, logits: Logits) -> Scores:
        """Calibrate logits [L], ordered as the manifest's outputs."""
        outputs, calibration = self.bundle.manifest.outputs, self.bundle.manifest.calibration
        values = [float(value) for value in logits]
        raw = dict(zip(outputs.names, values, strict=True))
        return Scores(
            labels={name: calibrated(raw[name], calibration.labels[name]) for name in outputs.labels},
            blade=_softmax({name: raw[name] / calibration.blade_temperature for name in outputs.blades}),
            features={name: calibrated(raw[name], calibration.features[name]) for name in outputs.features},
            weapon=_softmax({name: raw[name] / calibration.weapon_temperature for name in outputs.weapons}),
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
        verdicts, taken = [], 0
        for index, (frame, pixels) in enumerate(zip(picture.frames, prepared, strict=True)):
            output = self.look(frame, pixels)
            taken += output.looks
            verdict = decide(self.scores(output.logits), seen, manifest.thresholds, manifest.gates, policy)
            verdicts.append(replace(verdict, evidence=output.evidence, frame=index, embedding=output.embedding))
        worst = max(verdicts, key=lambda verdict: (RANK[verdict.decision], verdict.scores.labels["knife"]))
        return replace(self._placed(worst), looks=taken)

    def _placed(self, verdict: Verdict) -> Verdict:
        """The verdict with where the blade is, how much of the picture it takes, and how unlike the measured ones."""
        unlike = None
        if self._range is not None and verdict.embedding is not None:
            unlike = self._range.distance(verdict.embedding)
        evidence, knife = verdict.evidence, any(one.code in KNIFE_CODES for one in verdict.reasons)
        if evidence is None or not knife or not self.bundle.manifest.outputs.occupancy:
            return replace(verdict, unlike=unlike)
        cut = areas.cut(evidence, self.bundle.manifest)
        covered = float((evidence >= cut).mean())
        return replace(verdict, unlike=unlike, peak=areas.peak(evidence, cut), covered=covered)


def _together(answers: Sequence[Output], boxes: Sequence[Box]) -> tuple[Evidence | None, Evidence | None]:
    """The merged occupancy map, and the map of where the knife is; a single look's coarse map stays as it is."""
    first = answers[0]
    if first.occupancy is not None:
        planes = [np.stack([a.occupancy[plane] for a in answers if a.occupancy is not None]) for plane in (0, 1)]
        occupancy = np.stack([looks.merged(list(maps), boxes) for maps in planes])
        return occupancy, occupancy[0]
    if first.evidence is None or len(answers) == 1:
        return None, first.evidence
    return None, looks.merged([answer.evidence for answer in answers if answer.evidence is not None], boxes)


def _check_graph(session: onnxruntime.InferenceSession, bundle: Bundle) -> list[str]:
    """Compare the graph's names and fixed sizes with the manifest; return the outputs to ask for."""
    side, expected = bundle.spec.size, bundle.manifest.outputs
    wanted: dict[str, tuple[int, ...]] = {"logits": (expected.width,)}
    if expected.evidence:
        wanted["evidence"] = expected.evidence
    if expected.occupancy:
        wanted["occupancy"] = expected.occupancy
    if expected.embedding:
        wanted["embedding"] = (expected.embedding,)
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
