"""Which pictures are like the measured ones: a distance of embeddings, as `bundle.EmbeddingRange` words it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

DIRECTIONS, SHARE, FOLDS = 32, 0.99, 5
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Range:
    """Mean [D] of embeddings, and the directions [K, D] along which they differ most."""

    mean: Floats
    basis: Floats


def fit(embeddings: Floats) -> Range:
    """The main directions of embeddings [N, D]; at most N / 4 and D / 2, or nothing is left to explain."""
    mean = embeddings.mean(0)
    _, _, directions = np.linalg.svd(embeddings - mean, full_matrices=False)
    count = max(1, min(DIRECTIONS, len(embeddings) // 4, len(directions) // 2))
    return Range(mean.astype(np.float32), directions[:count].astype(np.float32))


def distance(known: Range, embeddings: Floats) -> Floats:
    """The share of how far embeddings [N, D] lie from the mean that the directions leave unexplained, [N], 0 to 1."""
    centred = embeddings - known.mean
    left = centred - (centred @ known.basis.T) @ known.basis
    found: Floats = np.linalg.norm(left, axis=1) / np.maximum(np.linalg.norm(centred, axis=1), 1e-9)
    return found


def limit(embeddings: Floats) -> float:
    """The distance within which SHARE of pictures lie that had no part in fitting, from folds of [N, D]."""
    fold = np.random.default_rng(0).permutation(len(embeddings)) % FOLDS
    found = [distance(fit(embeddings[fold != part]), embeddings[fold == part]) for part in range(FOLDS)]
    return round(float(np.quantile(np.concatenate(found), SHARE)), 4)
