"""Which pictures are like the measured ones: a distance of embeddings, as `bundle.EmbeddingRange` words it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

DIRECTIONS, SHARE, FOLDS = 16, 0.99, 5
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Range:
    """Mean [D], basis [K, D] and spread [K + 1] of embeddings; see `distance`."""

    mean: Floats
    basis: Floats
    spread: Floats


def fit(embeddings: Floats) -> Range:
    """The main directions of embeddings [N, D], and how far they spread along them and beside them."""
    mean = embeddings.mean(0)
    centred = embeddings - mean
    _, singular, directions = np.linalg.svd(centred, full_matrices=False)
    count = min(DIRECTIONS, len(directions))
    basis = directions[:count]
    left = centred - (centred @ basis.T) @ basis
    beside = np.sqrt((left**2).sum(1).mean())
    spread = np.append(singular[:count] / np.sqrt(len(embeddings)), beside)
    return Range(*(part.astype(np.float32) for part in (mean, basis, np.maximum(spread, 1e-6))))


def distance(known: Range, embeddings: Floats) -> Floats:
    """How far embeddings [N, D] lie from the measured ones, [N]; about 1 for those."""
    centred = embeddings - known.mean
    along = centred @ known.basis.T
    beside = np.linalg.norm(centred - along @ known.basis, axis=1, keepdims=True)
    found: Floats = np.sqrt((np.hstack([along, beside]) / known.spread).__pow__(2).mean(1))
    return found


def limit(embeddings: Floats) -> float:
    """The distance within which SHARE of pictures lie that had no part in fitting, from folds of [N, D]."""
    fold = np.random.default_rng(0).permutation(len(embeddings)) % FOLDS
    found = [distance(fit(embeddings[fold != part]), embeddings[fold == part]) for part in range(FOLDS)]
    return round(float(np.quantile(np.concatenate(found), SHARE)), 4)
