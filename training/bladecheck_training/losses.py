"""The loss: one term per kind of label, each over the pictures where that label is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from bladecheck.core.taxonomy import BLADES, FEATURES, LABELS
from bladecheck_training.manifest import Row
from bladecheck_training.net import KNIFE, Answer, top_count
from bladecheck_training.views import MAYBE

UNKNOWN = -1


@dataclass(frozen=True)
class Targets:
    """What is known of each row; -1 is "not known". Arrays [R, labels], [R], [R, features], int64; weights [R]."""

    labels: torch.Tensor
    blade: torch.Tensor
    features: torch.Tensor
    weight: torch.Tensor
    blade_weight: torch.Tensor
    feature_weight: torch.Tensor

    def take(self, index: torch.Tensor) -> Targets:
        """The targets of some rows."""
        return Targets(self.labels[index], self.blade[index], self.features[index], self.weight[index],
                       self.blade_weight, self.feature_weight)  # fmt: skip


def targets(rows: Sequence[Row], police_weight: float, easy: Sequence[str]) -> Targets:
    """Encode rows. Police pictures count `police_weight` times, easy negatives a third; rare blades count more."""

    def code(value: int | None) -> int:
        return UNKNOWN if value is None else value

    labels = torch.tensor([[code(row.labels.get(name)) for name in LABELS] for row in rows])
    training = torch.tensor([row.split == "train" for row in rows])  # held-out pictures don't set class weights
    blade = torch.tensor([BLADES.index(row.blade) if row.blade else UNKNOWN for row in rows])
    features = torch.tensor([[code(row.features.get(name)) for name in FEATURES] for row in rows])
    weight = torch.tensor([
        police_weight if row.split == "police" else 0.33 if row.source in easy and not row.knife else 1.0
        for row in rows
    ])  # fmt: skip
    counts = np.array([max(1, int((blade[training] == index).sum())) for index in range(len(BLADES))])
    blade_weight = torch.tensor((counts.mean() / counts) ** 0.5, dtype=torch.float32)
    positives = (features[training] == 1).sum(0).clamp(min=1)
    feature_weight = ((features[training] == 0).sum(0) / positives).clamp(1, 30).sqrt()
    return Targets(labels, blade, features, weight, blade_weight, feature_weight)


def loss(answer: Answer, target: Targets, patches: torch.Tensor) -> dict[str, torch.Tensor]:
    """Terms of the loss, already weighted; `patches` uint8 [B, P] as made by `views.render`."""
    logits, cut = answer.logits, len(LABELS) + len(BLADES)
    terms = {}
    known = target.labels >= 0
    each = functional.binary_cross_entropy_with_logits(
        logits[:, : len(LABELS)], target.labels.clamp(min=0).float(), reduction="none"
    )
    terms["labels"] = _mean(each * target.weight[:, None], known)
    blade = functional.cross_entropy(
        logits[:, len(LABELS) : cut], target.blade.clamp(min=0), target.blade_weight, reduction="none",
        label_smoothing=0.05,
    )  # fmt: skip
    terms["blade"] = 0.3 * _mean(blade * target.weight, target.blade >= 0)
    each = functional.binary_cross_entropy_with_logits(
        logits[:, cut:], target.features.clamp(min=0).float(), pos_weight=target.feature_weight, reduction="none"
    )
    terms["features"] = 0.2 * _mean(each * target.weight[:, None], target.features >= 0)
    terms["patches"] = 0.5 * _patch_loss(answer.patches, target.labels[:, KNIFE], patches, target.weight)
    return terms


def distillation(answer: Answer, teacher: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """How far the labels' and features' probabilities, and the blade distribution, are from a teacher's [B, WIDTH]."""
    cut = len(LABELS) + len(BLADES)
    binary = torch.cat([torch.arange(len(LABELS)), torch.arange(cut, teacher.shape[1])])
    each = functional.binary_cross_entropy_with_logits(
        answer.logits[:, binary], teacher[:, binary].sigmoid(), reduction="none"
    )
    scale = torch.ones(len(binary))
    scale[: len(LABELS)] = 4.0
    kinds = functional.cross_entropy(
        answer.logits[:, len(LABELS) : cut], teacher[:, len(LABELS) : cut].softmax(1), reduction="none"
    )
    knife = teacher[:, KNIFE].sigmoid()
    return ((each * scale).mean(1) * weight).mean() + 0.3 * (kinds * knife * weight).mean()


def _patch_loss(scores: torch.Tensor, knife: torch.Tensor, patches: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """No knife where there is none; somewhere among the "maybe" patches of a knife picture there is one."""
    maybe = patches == MAYBE
    outside = functional.softplus(scores).masked_fill(maybe, 0).sum(1) / (~maybe).sum(1).clamp(min=1)
    inside = scores.masked_fill(~maybe, -20.0)
    top = inside.topk(top_count(scores.shape[1]), 1).values
    among = torch.arange(top.shape[1], device=top.device) < maybe.sum(1, keepdim=True)  # a small knife has few patches
    best = (top * among).sum(1) / among.sum(1).clamp(min=1)
    found = functional.softplus(-best) * (knife == 1) * maybe.any(1)
    return _mean((outside + found) * weight, knife >= 0)


def _mean(values: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    return (values * known).sum() / known.sum().clamp(min=1)
