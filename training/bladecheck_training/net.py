"""Networks: a trunk that gives one summary vector and a grid of patch vectors, and the heads on top of both."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from bladecheck.core.taxonomy import BLADES, FEATURES, LABELS, WEAPONS

KNIFE = LABELS.index("knife")
LABEL = slice(0, len(LABELS))
BLADE = slice(LABEL.stop, LABEL.stop + len(BLADES))
FEATURE = slice(BLADE.stop, BLADE.stop + len(FEATURES))
WEAPON = slice(FEATURE.stop, FEATURE.stop + len(WEAPONS))
WIDTH = WEAPON.stop
NAMES = (*LABELS, *BLADES, *FEATURES, *WEAPONS)
"""Columns of the logits, in the order of the bundle's outputs."""
TOP_SHARE = 0.04
FINER = 2
"""The occupancy map has so many rows and columns per patch."""


def top_count(patches: int) -> int:
    """How many of the highest patch logits the last column of the embedding averages."""
    return max(1, round(TOP_SHARE * patches))


@dataclass(frozen=True)
class Answer:
    """What the heads, or some of them, say.

    Attributes:
        logits: float [B, WIDTH].
        patches: float [B, P], knife logit per patch.
        occupancy: float [B, 2, R, C], logits of blade and of the rest of the knife; none while patches are dropped.
        embedding: float [B, E]; logits = embedding @ weight + bias.
    """

    logits: torch.Tensor | None = None
    patches: torch.Tensor | None = None
    occupancy: torch.Tensor | None = None
    embedding: torch.Tensor | None = None


class Heads(nn.Module):
    """From a summary [B, 1, D] and patch vectors [B, P, D] to the answer.

    The embedding is the summary, an attention pool over patches, and the mean of the highest patch logits
    (multiple-instance learning: Ilse et al. 2018, arXiv 1802.04712); every score is linear in it. The occupancy map
    reads each patch vector, and one from the middle of the trunk, which still knows where things are.

    Args:
        width: D.
        middle: length of the vectors from the middle, or 0.
    """

    def __init__(self, width: int, middle: int = 0, queries: int = 4, dropout: float = 0.2, hidden: int = 192) -> None:
        super().__init__()
        self.query = nn.Linear(width, queries)
        self.patch = nn.Linear(width, 1)
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(2 * width + 1, WIDTH)
        self.norm = nn.LayerNorm(width + middle, elementwise_affine=False)
        self.first = nn.Linear(width + middle, hidden)
        self.second = nn.Linear(hidden, 2 * FINER * FINER)
        for layer in (self.patch, self.out):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
        nn.init.constant_(self.second.bias, -3.0)  # most of most pictures holds no knife
        with torch.no_grad():
            self.out.weight[:, -1] = 0.0
            self.out.weight[KNIFE, -1] = 0.5

    @property
    def embedding(self) -> int:
        """Length of the embedding."""
        return self.out.in_features

    def forward(
        self, summary: torch.Tensor, patches: torch.Tensor, middle: torch.Tensor | None = None, whole: bool = True
    ) -> Answer:
        """summary float [B, 1, D], patches float [B, P, D], middle float [B, P, M] or None; `whole`: with a map."""
        weights = self.query(patches).softmax(1)  # [B, P, Q]
        pooled = (weights.transpose(1, 2) @ patches).mean(1)
        scores = self.patch(patches).squeeze(2)
        best = scores.topk(top_count(int(scores.shape[1])), 1).values.mean(1, keepdim=True)
        embedding = torch.cat([summary[:, 0], pooled, best.to(pooled.dtype)], 1)
        logits = self.out(self.drop(embedding))
        return Answer(logits, scores, self.occupancy(patches, middle) if whole else None, embedding)

    def occupancy(self, patches: torch.Tensor, middle: torch.Tensor | None) -> torch.Tensor:
        """Logits of the map, float [B, 2, R, C], from patch vectors as in `forward`."""
        side = math.isqrt(int(patches.shape[1]))
        x = patches if middle is None else torch.cat([patches, middle], 2)
        cells = self.second(torch.relu(self.first(self.norm(x))))  # [B, P, 2 * FINER * FINER]
        grid = cells.view(-1, side, side, 2, FINER, FINER).permute(0, 3, 1, 4, 2, 5)
        found: torch.Tensor = grid.reshape(-1, 2, side * FINER, side * FINER)
        return found


class TransformerTop(nn.Module):
    """The trained last blocks of a timm vision transformer, fed with the tokens of its frozen first ones."""

    def __init__(self, backbone: nn.Module, frozen_blocks: int) -> None:
        super().__init__()
        self.blocks: nn.ModuleList = backbone.blocks[frozen_blocks:]  # type: ignore[index, assignment]
        self.norm: nn.Module = backbone.norm  # type: ignore[assignment]
        width: int = backbone.num_features  # type: ignore[assignment]
        self.heads = Heads(width, width)

    def forward(self, tokens: torch.Tensor, keep: torch.Tensor | None = None) -> Answer:
        """tokens float [B, 1 + P, D]; `keep` int64 [B, K] picks the patches to work on (all if None)."""
        if keep is not None:
            index = torch.cat([torch.zeros_like(keep[:, :1]), keep + 1], 1)
            tokens = tokens.gather(1, index[:, :, None].expand(-1, -1, tokens.shape[2]))
        return read(self.heads, self.tuned(tokens), keep is None)

    def tuned(self, tokens: torch.Tensor) -> torch.Tensor:
        """What the heads read: last and middle tokens, float [B, 1 + P, 2 * D]."""
        last = tokens
        for block in self.blocks:
            last = block(last)
        return torch.cat([self.norm(last).to(tokens.dtype), tokens], 2)


def read(heads: nn.Module, tokens: torch.Tensor, whole: bool = True) -> Answer:
    """Heads on tokens [B, 1 + P, 2 * D], last and middle ones side by side, the summary first; or [B, 1 + P, D]."""
    width: int = heads.patch.in_features  # type: ignore[union-attr, assignment]
    middle = tokens[:, 1:, width:] if tokens.shape[2] > width else None
    answer: Answer = heads(tokens[:, :1, :width], tokens[:, 1:, :width], middle, whole)
    return answer


class MapOnly(nn.Module):
    """The occupancy map alone, fed with tokens as `read` takes them."""

    def __init__(self, heads: Heads) -> None:
        super().__init__()
        self.width = heads.patch.in_features
        self.heads = nn.ModuleDict({"norm": heads.norm, "first": heads.first, "second": heads.second})
        self._all = [heads]  # in a list, so that its other layers are not trained

    def forward(self, tokens: torch.Tensor) -> Answer:
        """tokens as `read` takes them."""
        patches = tokens[:, 1:, : self.width]
        middle = tokens[:, 1:, self.width :] if tokens.shape[2] > self.width else None
        return Answer(occupancy=self._all[0].occupancy(patches, middle))


class HeadsOnly(nn.Module):
    """Heads alone, fed with what a trunk gave, on a trunk that stays as it is."""

    def __init__(self, heads: Heads) -> None:
        super().__init__()
        self.heads = heads

    def forward(self, tokens: torch.Tensor) -> Answer:
        """tokens as `read` takes them."""
        return read(self.heads, tokens)


class GoingOn(nn.Module):
    """Heads for the trunk of a bundle that is kept as it is; `width` is the length of its tokens."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = Heads(width, width)


class ConvNet(nn.Module):
    """A convolutional timm backbone fed with uint8 pixels; patches are the cells of its last feature map.

    Args:
        kept: so many of its first stages stay as they are (timm's EfficientNets: the stem, then `blocks`).
        settled: norms keep their statistics, as they must where these were folded into the convolutions.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self, backbone: nn.Module, mean: tuple[float, ...], std: tuple[float, ...], kept: int = 0, settled: bool = False
    ) -> None:
        super().__init__()
        self.backbone, self.settled = backbone, settled
        if kept:
            parts: list[nn.Module] = [backbone.conv_stem, backbone.bn1, *backbone.blocks[:kept]]  # type: ignore[index, list-item]
            for part in parts:
                part.requires_grad_(False)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1) * 255)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1) * 255)
        self.heads = Heads(backbone.num_features)  # type: ignore[arg-type]

    def train(self, mode: bool = True) -> ConvNet:
        """As torch's; norms whose statistics are settled stay as they are."""
        super().train(mode)
        for module in self.backbone.modules():
            if isinstance(module, nn.BatchNorm2d) and self.settled:
                module.eval()
        return self

    def forward(self, pixels: torch.Tensor) -> Answer:
        """pixels uint8 [B, H, W, 3]."""
        return read(self.heads, self.tuned(pixels))

    def tuned(self, pixels: torch.Tensor) -> torch.Tensor:
        """What the heads read, the mean of all cells first, float [B, 1 + P, D]."""
        x = (pixels.permute(0, 3, 1, 2).float() - self.mean) / self.std  # a view: stays laid out channels last
        grid: torch.Tensor = self.backbone.forward_features(x)  # type: ignore[operator]
        cells = grid.flatten(2).transpose(1, 2)
        return torch.cat([cells.mean(1, keepdim=True), cells], 1)
