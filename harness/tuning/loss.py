"""Cross-entropy over a large vocabulary, in pieces."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["cross_entropies", "cross_entropy"]

CHUNK = 128
"""Rows of logits that are turned to float32 at a time: pieces that the allocator keeps."""


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The sum over all rows: logits [rows, vocabulary] in any dtype, labels [rows]."""
    return cross_entropies(logits, labels)[0]


def cross_entropies(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The sum over all rows, and what each row adds to it [rows], which bears no gradient."""
    total, each = _CrossEntropy.apply(logits, labels)  # type: ignore[no-untyped-call]
    return total, each


class _CrossEntropy(torch.autograd.Function):
    """Sum of cross-entropies, with one gradient buffer instead of four float32 copies of logits."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """logits [rows, vocabulary] in any dtype, labels [rows]; float32, a scalar and [rows]."""
        grad = torch.empty_like(logits)
        each = torch.empty(len(labels), device=logits.device)
        total = torch.zeros((), device=logits.device)
        for start in range(0, len(labels), CHUNK):
            rows = slice(start, start + CHUNK)
            # A copy, or float32 logits would be overwritten: evaluate() looks at them afterwards.
            scores, y = logits[rows].to(torch.float32, copy=True), labels[rows, None]
            lse = scores.logsumexp(-1, keepdim=True)
            losses = lse - scores.gather(1, y)
            total += losses.sum()
            each[rows] = losses[:, 0]
            scores.sub_(lse).exp_().scatter_add_(1, y, torch.full_like(lse, -1.0))
            grad[rows] = scores.to(grad.dtype)
        ctx.save_for_backward(grad)
        ctx.mark_non_differentiable(each)
        return total, each

    @staticmethod
    def backward(ctx: Any, upstream: Tensor, _: Tensor) -> Any:
        (grad,) = ctx.saved_tensors
        return grad.mul_(upstream), None
