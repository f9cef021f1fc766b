"""The loss: one term per kind of label, each over the views where that label is known."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from bladecheck.core.taxonomy import BLADES
from bladecheck_training.compose import BLADE as IN_BLADE
from bladecheck_training.compose import EITHER, REST
from bladecheck_training.compose import UNKNOWN as IN_UNKNOWN
from bladecheck_training.net import BLADE, FEATURE, KNIFE, LABEL, WEAPON, Answer, top_count
from bladecheck_training.truth import Truth

COVER = 3.0
"""A cell counts as fully occupied when a third of it is: what is to be covered should be covered whole."""
EMPTY = 0.05
"""Below this answer of the parent an unlabelled view holds no knife anywhere."""


@dataclass(frozen=True)
class Targets:
    """What is known of each view: float32 [M, ...] with NaN for "not known", int64 [M] with -1; weights [M].

    Attributes:
        asked: whether `teacher` stands in for labels.
        teacher: the parent's logits in the order of this network's columns, NaN where it has none; [M, WIDTH].
    """

    labels: torch.Tensor
    features: torch.Tensor
    blade: torch.Tensor
    weapon: torch.Tensor
    weight: torch.Tensor
    asked: torch.Tensor
    teacher: torch.Tensor
    blade_weight: torch.Tensor
    feature_weight: torch.Tensor

    def take(self, index: torch.Tensor) -> Targets:
        """The targets of some views."""
        each = ("labels", "features", "blade", "weapon", "weight", "asked", "teacher")
        return dataclasses.replace(self, **{name: getattr(self, name)[index] for name in each})


def targets(truths: Sequence[Truth], weights: np.ndarray, training: np.ndarray, teacher: torch.Tensor) -> Targets:
    """Encode what is known.

    Args:
        weights: further factors, [M].
        training: whether a view may set the weights of rare kinds and features: held-out pictures don't, bool [M].
        teacher: float [M, WIDTH].
    """
    labels = torch.tensor([truth.labels for truth in truths])
    features = torch.tensor([truth.features for truth in truths])
    blade, weapon = (torch.tensor([getattr(truth, key) for truth in truths]) for key in ("blade", "weapon"))
    weight = torch.tensor([truth.weight for truth in truths]) * torch.from_numpy(weights).float()
    allowed = torch.from_numpy(training)
    counts = np.array([max(1, int((blade[allowed] == index).sum())) for index in range(len(BLADES))])
    blade_weight = torch.tensor((counts.mean() / counts) ** 0.5, dtype=torch.float32)
    positives = (features[allowed] == 1).sum(0).clamp(min=1)
    feature_weight = ((features[allowed] == 0).sum(0) / positives).clamp(1, 30).sqrt()
    asked = torch.tensor([truth.asked for truth in truths])
    return Targets(labels, features, blade, weapon, weight, asked, teacher, blade_weight, feature_weight)


def loss(
    answer: Answer, target: Targets, cells: torch.Tensor, keep: torch.Tensor | None = None, side: int = 0
) -> dict[str, torch.Tensor]:
    """Terms of the loss, already weighted.

    Args:
        cells: float [B, 4, S, S], shares of each cell (see `compose.cells`).
        keep: int64 [B, K], which patches of a grid of `side` rows and columns are answered for; None: all.
    """
    wanted = torch.where(target.asked[:, None], target.teacher[:, LABEL].sigmoid(), target.labels)
    knife = wanted[:, KNIFE]
    terms: dict[str, torch.Tensor] = {}
    if answer.logits is not None:
        terms |= scores(answer.logits, wanted, target)
    if answer.occupancy is not None:
        terms["occupancy"] = _occupancy(answer.occupancy, knife, cells, target.asked)
    if answer.patches is not None:
        share = _shares(cells, answer.patches.shape[1], keep, side)
        terms["patches"] = 0.5 * _patches(answer.patches, knife, share, target.weight)
    return terms


def scores(logits: torch.Tensor, wanted: torch.Tensor, target: Targets) -> dict[str, torch.Tensor]:
    """Terms of labels, kinds and features; `wanted` float [B, labels] in 0..1 or NaN, in place of target.labels."""
    terms = {"labels": _binary(logits[:, LABEL], wanted, target.weight)}
    blade = functional.cross_entropy(
        logits[:, BLADE], target.blade.clamp(min=0), target.blade_weight, reduction="none", label_smoothing=0.1
    )
    terms["blade"] = 0.3 * _mean(blade * target.weight, target.blade >= 0)
    weapon = functional.cross_entropy(
        logits[:, WEAPON], target.weapon.clamp(min=0), reduction="none", label_smoothing=0.05
    )
    terms["weapon"] = 0.2 * _mean(weapon * target.weight, target.weapon >= 0)
    terms["features"] = 0.2 * _binary(logits[:, FEATURE], target.features, target.weight, target.feature_weight)
    return terms


def _binary(
    logits: torch.Tensor, wanted: torch.Tensor, weight: torch.Tensor, positive: torch.Tensor | None = None
) -> torch.Tensor:
    known = ~wanted.isnan()
    each = functional.binary_cross_entropy_with_logits(
        logits, wanted.nan_to_num(0.0), pos_weight=positive, reduction="none"
    )
    return _mean(each * weight[:, None], known)


def distillation(answer: Answer, teacher: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """How far the labels' and features' probabilities, and the kinds' distribution, are from a teacher's [B, WIDTH]."""
    logits = answer.logits
    assert logits is not None
    labels = _binary(logits[:, LABEL], teacher[:, LABEL].sigmoid(), weight)
    features = _binary(logits[:, FEATURE], teacher[:, FEATURE].sigmoid(), weight)
    kinds = functional.cross_entropy(logits[:, BLADE], teacher[:, BLADE].softmax(1), reduction="none")
    knife = teacher[:, KNIFE].sigmoid()
    return labels + 0.3 * features + 0.3 * (kinds * knife * weight).mean()


def _occupancy(logits: torch.Tensor, knife: torch.Tensor, cells: torch.Tensor, asked: torch.Tensor) -> torch.Tensor:
    """Blade and rest of the knife, each where it is known; where only their union is, the union."""
    cells = functional.adaptive_avg_pool2d(cells, (logits.shape[2], logits.shape[3]))
    blade, rest, either, unknown = ((COVER * cells[:, index - 1]).clamp(max=1.0)
                                    for index in (IN_BLADE, REST, EITHER, IN_UNKNOWN))  # fmt: skip
    empty = (asked & (knife < EMPTY)) | (knife == 0)
    known = ((unknown == 0) | empty[:, None, None]) & ~(asked & (knife >= EMPTY))[:, None, None]
    apart = known & (either == 0)
    each = [functional.binary_cross_entropy_with_logits(logits[:, plane], share, reduction="none")
            for plane, share in ((0, blade), (1, rest))]  # fmt: skip
    single = _mean(each[0] + 0.5 * each[1], apart)
    # log of the chance that a cell is free of both is the sum of two log-sigmoids
    free = functional.logsigmoid(-logits[:, 0]) + functional.logsigmoid(-logits[:, 1])
    taken = torch.log(-torch.expm1(free.clamp(max=-1e-6)))
    union = -(either * taken + (1 - either) * free)
    return 2.0 * (single + _mean(union, known & (either > 0)))


def _shares(cells: torch.Tensor, patches: int, keep: torch.Tensor | None, side: int) -> torch.Tensor:
    """How much of each patch may be a knife, float [B, P]."""
    share = functional.adaptive_avg_pool2d(cells, side if keep is not None else math.isqrt(patches)).sum(1).flatten(1)
    return share if keep is None else share.gather(1, keep)


def _patches(scores: torch.Tensor, knife: torch.Tensor, share: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """No knife where there is none; somewhere among the patches of a knife picture that may show it there is one."""
    maybe = (share > 0.05) & (knife > 0.5)[:, None]
    maybe |= ((knife > 0.5) & ~maybe.any(1))[:, None]
    outside = functional.softplus(scores).masked_fill(maybe, 0).sum(1) / (~maybe).sum(1).clamp(min=1)
    inside = scores.masked_fill(~maybe, -20.0)
    top = inside.topk(top_count(scores.shape[1]), 1).values
    among = torch.arange(top.shape[1], device=top.device) < maybe.sum(1, keepdim=True)  # a small knife has few patches
    best = (top * among).sum(1) / among.sum(1).clamp(min=1)
    found = functional.softplus(-best) * (knife > 0.5) * maybe.any(1)
    return _mean((outside + found) * weight, ~knife.isnan())


def _mean(values: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    return torch.where(known, values, 0.0).sum() / known.sum().clamp(min=1)
