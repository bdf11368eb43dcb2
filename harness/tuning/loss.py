"""Cross-entropy over a large vocabulary, in pieces."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["cross_entropy"]

CHUNK = 128
"""Rows of logits that are turned to float32 at a time: pieces that the allocator keeps."""


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The sum over all rows: logits [rows, vocabulary] in any dtype, labels [rows]."""
    total: Tensor = _CrossEntropy.apply(logits, labels)  # type: ignore[no-untyped-call]
    return total


class _CrossEntropy(torch.autograd.Function):
    """Sum of cross-entropies, with one gradient buffer instead of four float32 copies of logits."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor) -> Tensor:
        """logits [rows, vocabulary] in any dtype, labels [rows]; a float32 scalar."""
        grad = torch.empty_like(logits)
        total = torch.zeros((), device=logits.device)
        for start in range(0, len(labels), CHUNK):
            rows = slice(start, start + CHUNK)
            # A copy, or float32 logits would be overwritten: evaluate() looks at them afterwards.
            scores, y = logits[rows].to(torch.float32, copy=True), labels[rows, None]
            lse = scores.logsumexp(-1, keepdim=True)
            total += (lse - scores.gather(1, y)).sum()
            scores.sub_(lse).exp_().scatter_add_(1, y, torch.full_like(lse, -1.0))
            grad[rows] = scores.to(grad.dtype)
        ctx.save_for_backward(grad)
        return total

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Any:
        (grad,) = ctx.saved_tensors
        return grad.mul_(upstream), None
