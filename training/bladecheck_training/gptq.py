"""Weights in few bits with error feedback (GPTQ: Frantar et al. 2023, arXiv 2210.17323), for linear layers."""

from __future__ import annotations

from dataclasses import dataclass

import torch

GROUP = 128


@dataclass(frozen=True, slots=True)
class Compact:
    """A quantised weight in [in, out] order: weight ~ codes * scales repeated `GROUP` times along the inputs.

    Attributes:
        codes: int8, signed `bits`-bit values, [in, out].
        scales: float, [in / GROUP, out].
        bits: 4, 5 or 6.
    """

    codes: torch.Tensor
    scales: torch.Tensor
    bits: int

    def dequantise(self) -> torch.Tensor:
        """float32 [in, out]."""
        return self.codes.float() * self.scales.float().repeat_interleave(GROUP, 0)


def quantise(weight: torch.Tensor, hessian: torch.Tensor, bits: int, damping: float = 0.01) -> Compact:
    """Quantise one linear layer.

    Args:
        weight: float32 [out, in]; `in` a multiple of GROUP.
        hessian: sum over calibration rows of x x^T, float32 [in, in].
        bits: of one stored weight.
        damping: share of the mean diagonal added to it.
    """
    levels = 2 ** (bits - 1) - 1
    rows = weight.T.clone().double()  # [in, out]: one input at a time, all outputs at once
    hessian = hessian.double()
    dead = hessian.diagonal() == 0
    hessian[dead, dead] = 1.0
    hessian += torch.eye(len(hessian), dtype=torch.float64) * damping * hessian.diagonal().mean()
    inverse = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(hessian)), upper=True)
    codes = torch.zeros(rows.shape, dtype=torch.int8)
    scales = torch.zeros((len(rows) // GROUP, rows.shape[1]), dtype=torch.float16)
    for start in range(0, len(rows), GROUP):
        stop = start + GROUP
        block = rows[start:stop]
        scale = _scale(block, levels)
        scales[start // GROUP] = scale.half()
        errors = torch.zeros_like(block)
        for offset in range(GROUP):
            index = start + offset
            code = (block[offset] / scale).round().clamp(-levels - 1, levels)
            codes[index] = code.to(torch.int8)
            errors[offset] = (block[offset] - code * scale) / inverse[index, index]
            block[offset:] -= inverse[index, index:stop, None] * errors[offset]
        rows[stop:] -= inverse[start:stop, stop:].T @ errors
    return Compact(codes, scales, bits)


def _scale(block: torch.Tensor, levels: int) -> torch.Tensor:
    """Per output, the clip range with the least squared rounding error, float64 [out] as float16 can hold it."""
    top = block.abs().amax(0).clamp(min=1e-6)
    best, best_error = top / levels, torch.full_like(top, torch.inf)
    for shrink in (1.0, 0.9, 0.8, 0.7):
        scale = (top * shrink / levels).half().double()
        error = ((block / scale).round().clamp(-levels - 1, levels) * scale - block).square().sum(0)
        best = torch.where(error < best_error, scale, best)
        best_error = torch.minimum(error, best_error)
    return best
