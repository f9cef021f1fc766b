"""Refitting the last linear layer on known embeddings: convex, free of chance, and done in seconds."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from bladecheck_training import losses
from bladecheck_training.net import LABEL, Heads

ROUNDS = 60


def refit(
    heads: Heads, embeddings: torch.Tensor, target: losses.Targets, hold: float, kept: Sequence[int] = ()
) -> None:
    """Change `heads.out` to what these views say, held to what it was.

    The penalty is on the change (L2, in units of each column's spread): a layer that has seen thousands of pictures is
    a better place to shrink towards than zero.

    Args:
        embeddings: float32 [N, E], of the views.
        target: of the same views.
        hold: factor of the penalty.
        kept: columns that stay as they are.
    """
    mean, spread = embeddings.mean(0), embeddings.std(0) + 1e-6
    x = (embeddings - mean) / spread
    wanted = torch.where(target.asked[:, None], target.teacher[:, LABEL].sigmoid(), target.labels)
    free = torch.ones(heads.out.out_features)
    free[list(kept)] = 0
    before, bias = heads.out.weight.detach(), heads.out.bias.detach()
    start = (before * spread).T.contiguous()
    offset = bias + before @ mean
    weight, shift = start.clone().requires_grad_(), offset.clone().requires_grad_()
    optimiser = torch.optim.LBFGS([weight, shift], max_iter=ROUNDS, history_size=10, line_search_fn="strong_wolfe")

    def moved(value: torch.Tensor, origin: torch.Tensor) -> torch.Tensor:
        return origin + (value - origin) * free

    def cost() -> torch.Tensor:
        optimiser.zero_grad()
        total: torch.Tensor = torch.stack(
            list(losses.scores(x @ moved(weight, start) + moved(shift, offset), wanted, target).values())
        ).sum()
        total = total + hold * (weight - start).square().sum()
        total.backward()
        return total

    optimiser.step(cost)
    with torch.no_grad():
        found = (moved(weight, start).T / spread, moved(shift, offset))
        heads.out.weight.copy_(found[0])
        heads.out.bias.copy_(found[1] - heads.out.weight @ mean)
