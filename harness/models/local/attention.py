"""Attention for a flat row of tokens that belong to many sequences with shared prefixes.

The model sees one row of shape [1, T]: the new tokens of all sequences of a step, end to end,
without padding, so that every matrix product works on useful tokens only. What belongs together is
known to the `Step` that travels through the model's keyword arguments to the function registered
here. A sequence attends to its own keys and, unbatched and uncopied, to the keys of every prefix
node above it; the partial results are merged by their log-sum-exp.

Sources: Juravsky et al. 2024, "Hydragen: High-Throughput LLM Inference with Shared Prefixes"
(arXiv:2402.05099), section 3; Ye et al. 2024, "Cascade Inference" (FlashInfer).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn

from harness.models.local.prefix_tree import Node

__all__ = ["NAME", "Segment", "Step", "SuffixCache", "has_sinks", "register", "set_plain"]

NAME = "shared_prefix"

GRID = 16
"""The fused CPU kernel's result for a row is the same to the last bit whatever else it is given, if
the rows of a shared prefix and the lengths of suffixes are multiples of this."""

PIECE = 128
"""Tokens of one causal segment that look back together."""


@dataclass
class SuffixCache:
    """Keys and values of what each sequence has to itself.

    `keys[layer]` and `values[layer]` have shape [slots, kv_heads, capacity, head_dim].
    """

    keys: list[Tensor]
    values: list[Tensor]

    @classmethod
    def empty(cls, layers: int, shape: tuple[int, int, int, int], like: Tensor) -> SuffixCache:
        # Zeros: what lies beyond a mask is still multiplied by zero, and 0 x NaN is NaN.
        return cls(
            [like.new_zeros(shape) for _ in range(layers)],
            [like.new_zeros(shape) for _ in range(layers)],
        )


@dataclass(frozen=True)
class Segment:
    """Rows [start, end) of the flat step: new tokens of the sequence in `slot`.

    `stored` tokens of that sequence are in its suffix already.
    """

    start: int
    end: int
    slot: int
    stored: int


class Step:
    """What attention must know of one forward pass; made once, used by every layer."""

    def __init__(
        self,
        segments: list[Segment],
        shared: list[tuple[Node, int, int]],
        destination: SuffixCache | Node,
        device: torch.device,
        steady: bool = False,
    ) -> None:
        """`shared` lists each prefix node with the rows [start, end) that attend to it.

        New keys go to the destination: the suffixes, or the node that this pass computes. `steady`
        makes the result for a sequence the same to the last bit, whatever stands beside it.
        """
        self.steady = steady
        self.shared = sorted(shared, key=lambda s: -s[0].start) if steady else shared
        self.destination = destination
        single = [s for s in segments if s.end - s.start == 1 and s.stored]
        self.long = [s for s in segments if not (s.end - s.start == 1 and s.stored)]
        self.rows, self.slots, self.stored = (
            torch.tensor(
                [(s.start, s.slot, s.stored) for s in single], dtype=torch.long, device=device
            )
            .view(-1, 3)
            .unbind(1)
        )
        self.in_use = 1 + max((s.slot for s in single), default=-1)
        length = torch.zeros(self.in_use, dtype=torch.long, device=device)
        length[self.slots] = self.stored
        # Suffixes are read in place, in one or two runs of slots: a gather would copy them.
        self.blocks = [
            (run, longest, _length_mask(length[run], longest))
            for run, longest in _runs({s.slot: self._filled(1 + s.stored) for s in single})
        ]
        self.causal = [_causal_mask(s.end - s.start, s.stored, device) for s in self.long]

    def _filled(self, count: int) -> int:
        return -(-count // GRID) * GRID if self.steady else count

    def attend(
        self, layer: int, q: Tensor, k: Tensor, v: Tensor, scale: float, softcap: float | None
    ) -> Tensor:
        """q is [kv_heads, group, T, dim], k and v are [kv_heads, T, dim]; returns q's shape."""
        out = torch.zeros(q.shape, dtype=torch.float32, device=q.device)
        lse = torch.zeros(*q.shape[:3], 1, dtype=torch.float32, device=q.device)
        if isinstance(self.destination, Node):
            count = len(self.destination.tokens)  # behind them may be rows that only fill up
            self.destination.keys.append(k[:, :count].clone())
            self.destination.values.append(v[:, :count].clone())
            self._own_long(out, lse, q, k, v, None, scale, softcap)
        else:
            suffixes = self.destination.keys[layer], self.destination.values[layer]
            self._own_long(out, lse, q, k, v, suffixes, scale, softcap)
            if len(self.rows):
                self._own_single(out, lse, q, k, v, suffixes, scale, softcap)
        for node, start, end in self.shared:
            asking = q[:, :, start:end].flatten(1, 2)
            count = asking.shape[1]
            asking = nn.functional.pad(asking, (0, 0, 0, self._filled(count) - count))
            part = _partial(asking, node.keys[layer], node.values[layer], scale, softcap)
            shape = (*q.shape[:2], end - start, -1)
            other = (p[:, :count].view(shape) for p in part)
            merge = _merge_steadily if self.steady else _merge
            merge(out[:, :, start:end], lse[:, :, start:end], *other)
        return out.to(q.dtype)

    def _own_long(
        self,
        out: Tensor,
        lse: Tensor,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        suffixes: tuple[Tensor, Tensor] | None,
        scale: float,
        softcap: float | None,
    ) -> None:
        """Segments of several tokens: causal among themselves, all of what is stored before."""
        heads, group = q.shape[:2]
        for s, causal in zip(self.long, self.causal, strict=True):
            rows, n = slice(s.start, s.end), s.end - s.start
            keys, values = k[:, rows], v[:, rows]
            if suffixes is not None:
                for suffix, new in zip(suffixes, (keys, values), strict=True):
                    suffix[s.slot, :, s.stored : s.stored + n] = new
                keys, values = (suffix[s.slot, :, : s.stored + n] for suffix in suffixes)
            if self.steady:
                _by_pieces(
                    out[:, :, rows],
                    lse[:, :, rows],
                    q[:, :, rows],
                    keys,
                    values,
                    scale,
                    softcap,
                    causal,
                )
                continue
            mask = causal.repeat(group, 1) if group > 1 else causal
            part = _partial(q[:, :, rows].flatten(1, 2), keys, values, scale, softcap, mask)
            out[:, :, rows] = part[0].view(heads, group, n, -1)
            lse[:, :, rows] = part[1].view(heads, group, n, 1)

    def _own_single(
        self,
        out: Tensor,
        lse: Tensor,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        suffixes: tuple[Tensor, Tensor],
        scale: float,
        softcap: float | None,
    ) -> None:
        """Segments of one token, all at once: each against the suffix of its own slot."""
        for suffix, new in zip(suffixes, (k, v), strict=True):
            suffix[self.slots, :, self.stored] = new[:, self.rows].transpose(0, 1)
        by_slot = q.new_zeros(self.in_use, *q.shape[:2], q.shape[3])
        by_slot[self.slots] = q[:, :, self.rows].permute(2, 0, 1, 3)
        sums = by_slot.new_empty(*by_slot.shape[:3], 1, dtype=torch.float32)
        done = torch.empty_like(by_slot, dtype=torch.float32)
        for run, longest, mask in self.blocks:
            keys, values = (suffix[run, :, :longest] for suffix in suffixes)
            done[run], sums[run] = _partial(by_slot[run], keys, values, scale, softcap, mask)
        out[:, :, self.rows] = done[self.slots].permute(1, 2, 0, 3)
        lse[:, :, self.rows] = sums[self.slots].permute(1, 2, 0, 3)


def _partial(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    scale: float,
    softcap: float | None,
    mask: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Attention of q [..., M, dim] to k, v [..., L, dim] and the log of its softmax's sum.

    Returns float32 tensors of shapes [..., M, dim] and [..., M, 1].
    """
    if q.device.type == "cpu" and softcap is None:
        # The fused kernel behind scaled_dot_product_attention, called for its log-sum-exp; it
        # wants four dimensions, and a prefix node's keys have three.
        extra = 4 - q.dim()
        q, k, v = (t[(None,) * extra] for t in (q, k, v))
        bias = None if mask is None else mask.to(q.dtype)
        if bias is not None:
            bias = bias[(None,) * (4 - bias.dim())]
        out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            q, k, v, attn_mask=bias, scale=scale
        )
        out, lse = out.float(), lse.unsqueeze(-1)
        return (out[0], lse[0]) if extra else (out, lse)
    scores = torch.matmul(q, k.transpose(-1, -2)).float().mul_(scale)
    if softcap is not None:
        scores = scores.div_(softcap).tanh_().mul_(softcap)
    if mask is not None:
        scores += mask
    top = scores.amax(-1, keepdim=True)
    weights = scores.sub_(top).exp_()
    total = weights.sum(-1, keepdim=True)
    return torch.matmul(weights.to(v.dtype), v).float().div_(total), top.add_(total.log())


def _by_pieces(
    out: Tensor,
    lse: Tensor,
    q: Tensor,
    keys: Tensor,
    values: Tensor,
    scale: float,
    softcap: float | None,
    causal: Tensor,
) -> None:
    """A causal segment, by PIECE queries against the keys up to the last of them: half the work."""
    group, new = q.shape[1:3]
    keys, values = (t[:, None].expand(-1, group, -1, -1) for t in (keys, values))
    for start in range(0, new, PIECE):
        rows = slice(start, start + PIECE)
        end = keys.shape[2] - max(0, new - rows.stop)
        part = _partial(
            q[:, :, rows], keys[:, :, :end], values[:, :, :end], scale, softcap, causal[rows, :end]
        )
        out[:, :, rows], lse[:, :, rows] = part


def _runs(lengths: dict[int, int]) -> list[tuple[slice, int]]:
    """One or two runs of slots that cover all in use, and the longest suffix of each.

    Every slot of a run is read up to its longest suffix, so the cut is where that reads least.
    """
    slots = sorted(lengths)
    if not slots:
        return []
    before = [0, *accumulate((lengths[s] for s in slots), max)]
    behind = [*accumulate((lengths[s] for s in reversed(slots)), max)][::-1]

    def cost(cut: int) -> int:
        left = (slots[cut - 1] - slots[0] + 1) * before[cut] if cut else 0
        return left + (slots[-1] - slots[cut] + 1) * behind[cut]

    cut = min(range(len(slots)), key=cost)
    runs = [(slice(slots[cut], slots[-1] + 1), behind[cut])]
    if cut:
        runs.insert(0, (slice(slots[0], slots[cut - 1] + 1), before[cut]))
    return runs


def _length_mask(length: Tensor, longest: int) -> Tensor:
    """[slots, 1, 1, longest]: 0 up to a suffix's own length, -inf behind it."""
    beyond = torch.arange(longest, device=length.device) > length[:, None]
    return torch.zeros_like(beyond, dtype=torch.float32).masked_fill_(beyond, -torch.inf)[
        :, None, None
    ]


def _causal_mask(new: int, stored: int, device: torch.device) -> Tensor:
    """[new, stored + new]: each new token sees what is stored, its predecessors and itself."""
    mask = torch.full((new, stored + new), -torch.inf, device=device)
    return mask.triu_(stored + 1)


def _merge(out: Tensor, lse: Tensor, other: Tensor, other_lse: Tensor) -> None:
    """Fold a second partial attention into the first, in place (Hydragen, equation 5)."""
    both = torch.logaddexp(lse, other_lse)
    out.mul_((lse - both).exp_()).add_(other.mul_((other_lse - both).exp_()))
    lse.copy_(both)


def _merge_steadily(out: Tensor, lse: Tensor, other: Tensor, other_lse: Tensor) -> None:
    """The same to the last bit wherever a row stands, which PyTorch's logaddexp is not."""
    top = torch.maximum(lse, other_lse)
    ours, theirs = (lse - top).exp_(), (other_lse - top).exp_()
    total = ours + theirs
    out.mul_(ours / total).add_(other.mul_(theirs / total))
    lse.copy_(top.add_(total.log_()))


def _attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    *,
    step: Step,
    softcap: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """transformers' attention interface: q [1, heads, T, dim] to output [1, T, heads, dim]."""
    kv_heads = key.shape[1]
    q = query[0].view(kv_heads, -1, *query.shape[2:])
    layer: int = module.layer_idx  # type: ignore[assignment]
    out = step.attend(layer, q, key[0], value[0], scaling, softcap)
    return out.flatten(0, 1).transpose(0, 1).unsqueeze(0), None


def register() -> None:
    """Make `attn_implementation=NAME` known to transformers; harmless when repeated."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, _attention)


def has_sinks(model: Any) -> bool:
    """Whether its layers attend to learned sinks beside the tokens (gpt-oss), which our attention
    does not know."""
    return any(name.endswith(".sinks") for name, _ in model.named_parameters())


def set_plain(model: Any) -> None:
    """Give a model transformers' own attention: torch's fused one (SDPA), or the eager one where
    that lacks something, as Gemma 2's cap on the scores."""
    model.set_attn_implementation("sdpa" if model._supports_sdpa else "eager")
