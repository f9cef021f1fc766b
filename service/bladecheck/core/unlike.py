"""Which pictures are unlike those that a bundle was measured on, by where their embeddings lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from bladecheck.core.bundle import Bundle
from bladecheck.core.weights import HEADS

Floats = npt.NDArray[np.float32]


class MeasuredRange:
    """The range of the measured embeddings; `bundle.EmbeddingRange` says how the distance is defined.

    Args:
        folder: of a bundle whose heads.npz holds mean and basis.
        limit: the distance within which nearly all measured pictures lie.
    """

    def __init__(self, folder: Path, limit: float) -> None:
        with np.load(folder / HEADS, allow_pickle=False) as heads:
            self._mean, self._basis = heads["mean"], heads["basis"]
        self._limit = limit

    @classmethod
    def of(cls, bundle: Bundle) -> MeasuredRange | None:
        """That of a bundle, or None if it states none, or one that does not tell."""
        stated = bundle.manifest.embedding_range
        return cls(bundle.home, stated.limit) if stated and stated.measure == "beside" else None

    def distance(self, embedding: Floats) -> float:
        """How far away an embedding [D] lies, in units of the limit: above 1 it is unlike what was measured."""
        away = embedding - self._mean
        left = away - (self._basis @ away) @ self._basis
        return float(np.linalg.norm(left) / max(float(np.linalg.norm(away)), 1e-9)) / self._limit
