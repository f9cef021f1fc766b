"""What the model reads of each labelled picture, kept on disk so that it is read once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bladecheck.core import seams
from bladecheck.core.bundle import Looks
from bladecheck.core.classifier import Classifier
from bladecheck.core.learning.labels import Labelled
from bladecheck.core.learning.measures import sigmoid
from bladecheck.core.preprocess import prepare, prepare_part
from bladecheck.errors import BladecheckError, LabelsError

Floats = npt.NDArray[np.float64]
FIRST, CROP, PART = 0, 1, 2
ALIKE = 0.97
"""Pictures whose embeddings have at least this cosine, after the mean is taken off, are taken for one group."""


@dataclass(frozen=True, slots=True)
class Reading:
    """All looks at one picture, whether the classifier would take them or not.

    Attributes:
        embedding: float32 [J, D].
        kind: int8 [J]: FIRST (a whole frame), then of the same frame CROP (of the bundle's) and PART (of a collage).
    """

    embedding: npt.NDArray[np.float32]
    kind: npt.NDArray[np.int8]


class Store:
    """Readings by sha256 of the picture in a folder of one bundle; written as a whole, so none is ever half there."""

    def __init__(self, folder: Path, classifier: Classifier) -> None:
        self._folder, self._classifier = folder / classifier.bundle.sha256[:16], classifier
        self._folder.mkdir(parents=True, exist_ok=True)

    def read(self, data: bytes) -> Reading:
        """What the model reads of a picture.

        Raises:
            PictureError: if it can't be read.
        """
        path = self._folder / f"{hashlib.sha256(data).hexdigest()}.npz"
        if path.exists():
            with np.load(path, allow_pickle=False) as kept:
                return Reading(kept["embedding"], kept["kind"])
        found = reading(data, self._classifier)
        scratch = path.with_suffix(f".{os.getpid()}.part")
        with scratch.open("wb") as stream:
            np.savez(stream, embedding=found.embedding, kind=found.kind)
        scratch.replace(path)
        return found


def reading(data: bytes, classifier: Classifier) -> Reading:
    """All looks at a picture.

    Raises:
        PictureError: if it can't be read.
    """
    spec, crops = classifier.bundle.spec, classifier.bundle.manifest.preprocess.looks
    rows, kinds = [], []
    for frame in classifier.load(data).frames:
        boxes = [(CROP, box) for box in (crops.crops if crops else ())]
        boxes += [(PART, box) for box in (seams.parts(frame) if crops else ())]
        for kind, pixels in ((FIRST, prepare(frame, spec)), *((k, prepare_part(frame, spec, b)) for k, b in boxes)):
            embedding = classifier.run(pixels).embedding
            assert embedding is not None
            rows.append(embedding)
            kinds.append(kind)
    return Reading(np.stack(rows).astype(np.float32), np.array(kinds, np.int8))


def read_all(
    labelled: Iterable[Labelled], store: Store, unreadable: list[tuple[Labelled, str]]
) -> Iterator[tuple[Labelled, Reading]]:
    """Each labelled picture that can be read, with its reading; the others go to `unreadable` with the reason."""
    for one in labelled:
        try:
            yield one, store.read(one.read())
        except BladecheckError as error:
            unreadable.append((one, error.detail))
        except OSError as error:
            unreadable.append((one, str(error.strerror)))


class Looked:
    """The looks of many pictures as one table, and what any head says of each picture by the classifier's own rule.

    Args:
        readings: of the pictures, in order.
        looks: the bundle's rule; None: the first look alone counts.
        first_look: Platt scale and shift of the first look's knife logit.
    """

    def __init__(
        self, readings: Sequence[Reading], looks: Looks | None, first_look: tuple[float, float] = (1.0, 0.0)
    ) -> None:
        self.x = np.concatenate([one.embedding for one in readings]).astype(np.float64)
        self._kind = np.concatenate([one.kind for one in readings])
        self.picture = np.repeat(np.arange(len(readings)), [len(one.kind) for one in readings])
        first = self._kind == FIRST
        self._first = np.flatnonzero(first)[np.cumsum(first) - 1]
        self._looks, self._first_look = looks, first_look
        self.count = len(readings)

    def choose(self, weight: Floats, bias: float) -> tuple[Floats, Floats]:
        """What decides of each picture under this head, [N, D], and its logit [N].

        An embedding, or the mean of two, where the bundle's looks combine so: the logit is linear in it.
        """
        logits: Floats = self.x @ weight + bias
        usable = self._kind == FIRST
        if self._looks:
            scale, shift = self._first_look
            score = sigmoid(scale * logits[self._first] + shift)
            unsure = score < self._looks.again_to
            usable |= (self._kind == CROP) & unsure & (score >= self._looks.again_from)
            usable |= (self._kind == PART) & unsure
        # Of each look the other half of what decides with it: itself, or the whole that its crop is averaged with.
        half = np.arange(len(logits))
        if self._looks and self._looks.combine == "first_and_max":
            # The highest of the means of the whole and each crop is the mean of the whole and the highest crop.
            half = np.where(self._kind == CROP, self._first, half)
            logits = (logits + logits[half]) / 2
        effective = np.where(usable, logits, -np.inf)
        order = np.lexsort((effective, self.picture))
        last = np.flatnonzero(np.append(np.diff(self.picture[order]) > 0, True))
        chosen = order[last]
        return (self.x[chosen] + self.x[half[chosen]]) / 2, logits[chosen]

    @property
    def whole(self) -> Floats:
        """The embedding of each picture's first whole frame, [N, D]."""
        found: Floats = self.x[np.unique(self.picture, return_index=True)[1]]
        return found


def groups(labelled: Sequence[Labelled], whole: Floats) -> list[str]:
    """The group of each picture: as its file says; of those without one, look-alikes are put together."""
    names = [f"g:{one.group}" if one.group else f"p:{index}" for index, one in enumerate(labelled)]
    centred = whole - whole.mean(0)
    centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9)
    parent = list(range(len(labelled)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    first: dict[str, int] = {}
    for index, name in enumerate(names):
        parent[root(index)] = root(first.setdefault(name, index))
    free = np.flatnonzero([one.group is None for one in labelled])
    for place, index in enumerate(free.tolist()):
        for other in free[np.flatnonzero(centred[free[:place]] @ centred[index] >= ALIKE)]:
            parent[root(index)] = root(int(other))
    return [names[root(index)] for index in range(len(labelled))]


def require_embedding(classifier: Classifier) -> None:
    """Refuse a bundle that can't be adapted.

    Raises:
        LabelsError: with what to use instead.
    """
    manifest = classifier.bundle.manifest
    if lender := manifest.lender:
        raise LabelsError(
            f"The bundle {manifest.name} is a cascade, whose heads are those of {lender.name}: adapt {lender.name}."
        )
    if not manifest.outputs.embedding:
        raise LabelsError(
            f"The bundle {manifest.name} {manifest.version} gives no embedding, so it can't be adapted; "
            "take one of schema bladecheck-bundle/2, such as a newer base."
        )
