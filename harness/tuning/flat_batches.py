"""Training batches without padding: all sequences end to end in one row, their prefix only once.

The examples of a rung begin with the same instructions. A flat batch holds that prefix once and
behind it what each sequence has to itself; attention lets a sequence see the prefix and itself and
nothing else, so that the gradient is that of the padded batch. Keys and values that are learned
themselves (prefix tuning) stand in front of all. Training's twin of what `models.attention` does
for answering.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

__all__ = ["NAME", "Collate", "Encoded", "Layout", "flat_batch", "padded_batch", "register"]

NAME = "packed"
IGNORED = -100
"""The label of a position that bears no loss, as transformers has it."""


@dataclass(frozen=True)
class Encoded:
    """Token ids of one training example."""

    prompt: list[int]
    completion: list[int]
    """Ends with the stop token, which the model must learn too."""


Collate = Callable[[Sequence[Encoded]], dict[str, Any]]
"""Makes one batch, the model's inputs and `labels`, of examples."""


class Layout:
    """Which rows of a flat batch [prefix | sequence 1 | sequence 2 | …] see which.

    Shapes: b sequences, n tokens in the longest, p tokens of prefix, T rows in all.
    """

    def __init__(self, prefix: int, lengths: Sequence[int]) -> None:
        self.prefix = prefix
        self.rows = prefix + sum(lengths)
        b, n = len(lengths), max(lengths)
        starts = prefix + torch.tensor([0, *lengths[:-1]]).cumsum(0)
        offset = torch.arange(n)
        self.valid = offset < torch.tensor(lengths)[:, None]
        """[b, n]: where a sequence has a token."""
        self.gather = torch.where(self.valid, starts[:, None] + offset, 0)
        """[b, n]: the row of each token."""
        self.gather_keys = torch.cat([torch.arange(prefix).expand(b, prefix), self.gather], 1)
        """[b, p + n]: the rows that a sequence's keys come from."""
        ahead = torch.full((n, n), -torch.inf).triu_(1)
        self.mask = torch.cat([torch.zeros(n, prefix), ahead], 1)
        """[n, p + n]: all of the prefix, and what came before."""
        self.flat = self.gather[self.valid]
        """[T - p]: the rows of all valid tokens, in order."""

    def seen(self, virtual: int) -> tuple[Tensor, Tensor]:
        """`gather_keys` and `mask` where so many learned keys stand before all rows."""
        if not virtual:
            return self.gather_keys, self.mask
        rows = torch.arange(virtual, device=self.gather.device).expand(len(self.gather), virtual)
        always = self.mask.new_zeros(len(self.mask), virtual)
        keys = torch.cat([rows, virtual + self.gather_keys], 1)
        return keys, torch.cat([always, self.mask], 1)

    def to(self, device: torch.device) -> Layout:
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, value.to(device))
        return self


def flat_batch(examples: Sequence[Encoded]) -> dict[str, Any]:
    """Inputs of the model for a flat batch.

    `input_ids` and `position_ids` are [1, T]; `logits_to_keep` are the rows that bear loss, and
    `labels` [rows] what should follow them. The last token of a completion is only ever a label.
    """
    shortest = min(len(e.prompt) for e in examples) - 1
    first = examples[0].prompt
    shared = next(
        (i for i in range(shortest) if any(e.prompt[i] != first[i] for e in examples)), shortest
    )
    prefix = shared if len(examples) > 1 else 0
    tokens, positions = first[:prefix], list(range(prefix))
    rows: list[int] = []
    labels: list[int] = []
    lengths: list[int] = []
    for e in examples:
        own = e.prompt[prefix:] + e.completion[:-1]
        start = len(tokens) + len(e.prompt) - prefix - 1
        rows += range(start, start + len(e.completion))
        labels += e.completion
        tokens += own
        positions += range(prefix, prefix + len(own))
        lengths.append(len(own))
    return {
        "input_ids": torch.tensor([tokens]),
        "position_ids": torch.tensor([positions]),
        "logits_to_keep": torch.tensor(rows),
        "labels": torch.tensor(labels),
        "layout": Layout(prefix, lengths),
    }


def padded_batch(examples: Sequence[Encoded], pad: int) -> dict[str, Any]:
    """The ordinary batch, padded on the right, for models that flat batches do not fit.

    Labels are set by position and not by token id, so that a pad token that is also the stop
    token does not mask the stop token away.
    """
    longest = max(len(e.prompt) + len(e.completion) for e in examples)
    ids = torch.full((len(examples), longest), pad)
    labels = torch.full_like(ids, IGNORED)
    mask = torch.zeros_like(ids)
    for row, e in enumerate(examples):
        start, end = len(e.prompt), len(e.prompt) + len(e.completion)
        ids[row, :end] = torch.tensor(e.prompt + e.completion)
        labels[row, start:end] = ids[row, start:end]
        mask[row, :end] = 1
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


class _PackedAttention(torch.autograd.Function):
    """Softmax attention over a flat batch, by plain matrix products in both directions.

    On CPU this is several times as fast as the backward pass of the fused kernel at the lengths
    of a fine-tuning example (docs/experiments.md).
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, layout: Layout, scale: float) -> Tensor:
        """q [heads, T, dim]; k, v [kv_heads, T, dim], or with learned ones in front of the T rows;
        returns q's shape."""
        out = torch.empty_like(q)
        saved: list[Tensor] = []
        virtual = k.shape[1] - q.shape[1]
        keys, mask = layout.seen(virtual)
        if layout.prefix:
            p, shared = slice(0, layout.prefix), slice(0, virtual + layout.prefix)
            ahead = torch.full((p.stop, shared.stop), -torch.inf, device=q.device)
            ahead.triu_(virtual + 1)
            part, weights = _attend(
                q[:, None, p], k[:, None, shared], v[:, None, shared], ahead, scale
            )
            out[:, p] = part[:, 0]
            saved.append(weights)
        part, weights = _attend(q[:, layout.gather], k[:, keys], v[:, keys], mask, scale)
        out[:, layout.flat] = part[:, layout.valid]
        ctx.save_for_backward(q, k, v, weights, *saved)
        ctx.layout, ctx.scale = layout, scale
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        q, k, v, weights, *saved = ctx.saved_tensors
        layout: Layout = ctx.layout
        virtual = k.shape[1] - q.shape[1]
        keys, _ = layout.seen(virtual)
        padded = grad[:, layout.gather] * layout.valid[:, :, None]
        dq, dk, dv = _attend_backward(
            padded, q[:, layout.gather], k[:, keys], v[:, keys], weights, ctx.scale
        )
        grads = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        grads[0][:, layout.flat] = dq[:, layout.valid]
        n = virtual + layout.prefix
        p, shared = slice(0, layout.prefix), slice(0, n)
        # Every sequence reads what is shared: its keys and values get the sum of all of them.
        totals = [_precise(part[:, :, :n]).sum(1) for part in (dk, dv)]
        for whole, part in zip(grads[1:], (dk, dv), strict=True):
            whole[:, virtual + layout.flat] = part[:, :, n:][:, layout.valid]
        if layout.prefix:
            ks, vs = k[:, None, shared], v[:, None, shared]
            prefix = _attend_backward(grad[:, None, p], q[:, None, p], ks, vs, saved[0], ctx.scale)
            grads[0][:, p] = prefix[0][:, 0]
            totals = [
                _precise(own[:, 0]) + total for own, total in zip(prefix[1:], totals, strict=True)
            ]
        for whole, total in zip(grads[1:], totals, strict=True):
            whole[:, shared] = total.to(whole.dtype)
        return (*grads, None, None)


def _attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """q [heads, b, n, dim], k and v [kv_heads, b, m, dim]; output like q, weights in q's dtype."""
    heads, b, n, _ = q.shape
    grouped = _group(q, k.shape[0])
    scores = torch.bmm(grouped, k.flatten(0, 1).transpose(1, 2)).mul_(scale)
    scores.view(-1, n, k.shape[2]).add_(mask)
    weights = torch.softmax(scores, -1)  # float32 inside, whatever goes in and out
    return _ungroup(torch.bmm(weights, v.flatten(0, 1)), heads, b, n), weights


def _attend_backward(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, weights: Tensor, scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients by q, k and v, in their shapes."""
    heads, b, n, _ = q.shape
    go, gq = _group(grad, k.shape[0]), _group(q, k.shape[0])
    dv = torch.bmm(weights.transpose(1, 2), go).view_as(v)
    dweights = torch.bmm(go, v.flatten(0, 1).transpose(1, 2))
    dscores = torch._softmax_backward_data(dweights, weights, -1, weights.dtype).mul_(scale)
    dq = _ungroup(torch.bmm(dscores, k.flatten(0, 1)), heads, b, n)
    dk = torch.bmm(dscores.transpose(1, 2), gq).view_as(k)
    return dq, dk, dv


def _precise(x: Tensor) -> Tensor:
    """At least float32: sums of many half-precision terms lose too much."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _group(x: Tensor, kv_heads: int) -> Tensor:
    """[heads, b, n, dim] to [kv_heads x b, group x n, dim]: one product serves a group of heads."""
    _, b, n, dim = x.shape
    return x.view(kv_heads, -1, b, n, dim).transpose(1, 2).reshape(kv_heads * b, -1, dim)


def _ungroup(x: Tensor, heads: int, b: int, n: int) -> Tensor:
    """The inverse of _group."""
    return (
        x.view(-1, b, x.shape[1] // n, n, x.shape[2])
        .transpose(1, 2)
        .reshape(heads, b, n, x.shape[2])
    )


def _attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    *,
    layout: Layout,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """transformers' attention interface: q [1, heads, T, dim] to output [1, T, heads, dim]."""
    # Under autocast the rotary embedding of a float32 model gives float32 queries and keys.
    q, k, v = (x[0].to(value.dtype) for x in (query, key, value))
    out = _PackedAttention.apply(q, k, v, layout, scaling)  # type: ignore[no-untyped-call]
    return out.transpose(0, 1).unsqueeze(0), None


def register() -> None:
    """Make `attn_implementation=NAME` known to transformers; harmless when repeated."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, _attention)
