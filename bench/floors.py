"""How fast this machine could be at best: what its cores multiply and what its memory moves."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import nn
from transformers import PreTrainedModel

from harness.models.local.decode import Decoded
from harness.models.local.packed_linear import pack

__all__ = ["Floor", "floors"]

SIDE = 2048
"""Of the square matrices that are multiplied."""
COPIED = 256 << 20
"""Bytes, far beyond any cache."""
REPEATS = 5


@dataclass(frozen=True)
class Floor:
    """The seconds below which a kind of work cannot be done here, and what they rest on."""

    name: str
    seconds: float


def floors(model: PreTrainedModel, done: Sequence[Decoded]) -> list[Floor]:
    """For answers as they were given: computed prompt tokens, answer tokens, slots.

    Matrix products alone, without attention; and reading the weights once per decoding step, of
    which there are at least as many as the slots make necessary.
    """
    head = model.get_output_embeddings().weight
    layers = sum(
        m.weight.numel()
        for m in model.modules()
        if isinstance(m, nn.Linear) and m.weight is not head
    )
    answered = sum(len(c.tokens) for c in done)
    computed = sum(c.computed for c in done) + answered
    longest = max(len(c.tokens) for c in done)
    steps = max(longest, answered / done[0].batch)
    rate, bandwidth = _matrix_rate(head.dtype), _bandwidth()
    products = 2 * (layers * computed + head.numel() * answered)
    read = steps * (layers + head.numel()) * head.element_size()
    return [
        Floor(f"floor: matrix products at {rate / 1e9:.0f} GFLOP/s", products / rate),
        Floor(f"floor: weights read at {bandwidth / 1e9:.0f} GB/s", read / bandwidth),
    ]


@cache
def _matrix_rate(dtype: torch.dtype) -> float:
    """FLOP/s of the faster of PyTorch's product and the laid-out layer that harness uses."""
    a, b = torch.randn(SIDE, SIDE).to(dtype), torch.randn(SIDE, SIDE).to(dtype)
    layer = nn.Sequential(nn.Linear(SIDE, SIDE, bias=False, dtype=dtype))
    pack(layer)
    with torch.inference_mode():
        best = min(_best(lambda: torch.mm(a, b)), _best(lambda: layer(a)))
    return 2 * SIDE**3 / best


@cache
def _bandwidth() -> float:
    """Bytes per second of a copy, read and written."""
    source = torch.ones(COPIED // 4)
    target = torch.empty_like(source)
    return 2 * COPIED / _best(lambda: target.copy_(source))


def _best(work: Callable[[], object]) -> float:
    """Seconds, the best of several runs: others may be on the machine."""
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)
