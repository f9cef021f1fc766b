"""Networks: a trunk that gives one summary vector and a grid of patch vectors, and the heads on top of both."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from bladecheck.core.taxonomy import BLADES, FEATURES, LABELS

WIDTH = len(LABELS) + len(BLADES) + len(FEATURES)
KNIFE = LABELS.index("knife")
TOP_SHARE = 0.04


def top_count(patches: int) -> int:
    """How many of the highest patch logits the knife score averages."""
    return max(1, round(TOP_SHARE * patches))


@dataclass(frozen=True)
class Answer:
    """logits float [B, WIDTH] in the order labels, blades, features; patches float [B, P], knife logit per patch."""

    logits: torch.Tensor
    patches: torch.Tensor


class Heads(nn.Module):
    """From a summary [B, 1, D] and patch vectors [B, P, D] to the answer.

    Every score reads the summary and an attention pool over patches; the knife score also gets the mean of the
    highest patch logits (multiple-instance learning: Ilse et al. 2018, arXiv 1802.04712), so that the evidence map is
    part of the answer rather than an afterthought.
    """

    def __init__(self, width: int, queries: int = 4, dropout: float = 0.2) -> None:
        super().__init__()
        self.query = nn.Linear(width, queries)
        self.patch = nn.Linear(width, 1)
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(2 * width, WIDTH)
        self.share = nn.Parameter(torch.tensor(0.5))
        for layer in (self.patch, self.out):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)

    def forward(self, summary: torch.Tensor, patches: torch.Tensor) -> Answer:
        """summary float [B, 1, D], patches float [B, P, D]."""
        weights = self.query(patches).softmax(1)  # [B, P, Q]
        pooled = (weights.transpose(1, 2) @ patches).mean(1)
        logits = self.out(self.drop(torch.cat([summary[:, 0], pooled], 1)))
        scores = self.patch(patches).squeeze(2)
        best = scores.topk(top_count(int(scores.shape[1])), 1).values.mean(1)
        extra = torch.zeros_like(logits)
        extra[:, KNIFE] = self.share * best
        return Answer(logits + extra, scores)


class TransformerTop(nn.Module):
    """The trained last blocks of a timm vision transformer, fed with the tokens of its frozen first ones."""

    def __init__(self, backbone: nn.Module, frozen_blocks: int) -> None:
        super().__init__()
        self.blocks: nn.ModuleList = backbone.blocks[frozen_blocks:]  # type: ignore[index, assignment]
        self.norm: nn.Module = backbone.norm  # type: ignore[assignment]
        self.heads = Heads(backbone.num_features)  # type: ignore[arg-type]

    def forward(self, tokens: torch.Tensor, keep: torch.Tensor | None = None) -> Answer:
        """tokens float [B, 1 + P, D]; `keep` int64 [B, K] picks the patches to work on (all if None)."""
        if keep is not None:
            index = torch.cat([torch.zeros_like(keep[:, :1]), keep + 1], 1)
            tokens = tokens.gather(1, index[:, :, None].expand(-1, -1, tokens.shape[2]))
        tokens = self.tuned(tokens)
        answer: Answer = self.heads(tokens[:, :1], tokens[:, 1:])
        return answer

    def tuned(self, tokens: torch.Tensor) -> torch.Tensor:
        """The tokens that the heads read, float [B, 1 + P, D]."""
        for block in self.blocks:
            tokens = block(tokens)
        normed: torch.Tensor = self.norm(tokens)
        return normed


class HeadsOnly(nn.Module):
    """Heads alone, fed with what a trunk gave: for adapting to few pictures without bending the trunk to them."""

    def __init__(self, heads: Heads) -> None:
        super().__init__()
        self.heads = heads

    def forward(self, tokens: torch.Tensor) -> Answer:
        """tokens float [B, 1 + P, D]."""
        answer: Answer = self.heads(tokens[:, :1], tokens[:, 1:])
        return answer


class ConvNet(nn.Module):
    """A convolutional timm backbone fed with uint8 pixels; patches are the cells of its last feature map."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, backbone: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.backbone = backbone
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1) * 255)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1) * 255)
        self.heads = Heads(backbone.num_features)  # type: ignore[arg-type]

    def forward(self, pixels: torch.Tensor) -> Answer:
        """pixels uint8 [B, H, W, 3]."""
        cells = self._cells(pixels)
        answer: Answer = self.heads(cells.mean(1, keepdim=True), cells)
        return answer

    def tuned(self, pixels: torch.Tensor) -> torch.Tensor:
        """What the heads read, the mean of all cells first, float [B, 1 + P, D]."""
        cells = self._cells(pixels)
        return torch.cat([cells.mean(1, keepdim=True), cells], 1)

    def _cells(self, pixels: torch.Tensor) -> torch.Tensor:
        x = (pixels.permute(0, 3, 1, 2).float() - self.mean) / self.std
        grid: torch.Tensor = self.backbone.forward_features(x)  # type: ignore[operator]
        return grid.flatten(2).transpose(1, 2)
