"""How several looks at a picture become one answer; the service's rule, on arrays of held-out pictures."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bladecheck_training.calibrate import Platt
from bladecheck_training.net import KNIFE, LABEL

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Rule:
    """When to look again, and what then counts; as in the bundle's `Looks`."""

    again_from: float = 0.0
    again_to: float = 1.0
    kinds: str = "best"
    combine: str = "max"
    first: Platt = field(default_factory=Platt)

    def again(self, logits: Floats) -> npt.NDArray[np.bool_]:
        """Which pictures are looked at again, bool [N]; `logits` [N, J, WIDTH] of the whole and of its parts."""
        score = self.first(logits[:, 0, KNIFE])
        found: npt.NDArray[np.bool_] = (score >= self.again_from) & (score < self.again_to)
        return found if logits.shape[1] > 1 else np.zeros(len(logits), bool)

    def combined(self, logits: Floats) -> Floats:
        """One answer a picture, [N, WIDTH], from those of all its looks [N, J, WIDTH]."""
        every = combine(logits, self.kinds, self.combine)
        return np.where(self.again(logits)[:, None], every, logits[:, 0])


def combine(logits: Floats, kinds: str, labels: str = "max") -> Floats:
    """All looks together, [N, WIDTH] from [N, J, WIDTH]: labels as `labels` says, kinds and features by look."""
    knife = logits[:, :, KNIFE]
    if kinds == "best":
        found = np.take_along_axis(logits, knife.argmax(1)[:, None, None], 1)[:, 0].copy()
    else:
        share = 1 / (1 + np.exp(-np.clip(knife, -30, 30))) + 1e-6
        found = (logits * (share / share.sum(1, keepdims=True))[:, :, None]).sum(1).astype(np.float32)
    found[:, LABEL] = logits[:, :, LABEL].max(1)
    if labels == "first_and_max":
        found[:, KNIFE] = (knife[:, 0] + knife.max(1)) / 2
    return found
