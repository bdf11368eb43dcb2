"""transformers' own `generate` in padded batches: the reference, and the way for odd models."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import torch

from harness.models.decode import Completion

__all__ = ["generate"]

BATCH = 16


def generate(
    model: Any,
    prompts: Sequence[Sequence[int]],
    stop: frozenset[int],
    max_new_tokens: int,
    batch_size: int | None,
    pad: int,
    *,
    padded: bool = True,
) -> Iterator[Completion]:
    """Greedy completions by `model.generate`, longest prompts first, padded on the left.

    With `padded=False` only prompts of equal length share a batch: prompt-learning adapters of
    PEFT ignore position ids, so that padding would change what they say.
    """
    for batch in _batches(prompts, batch_size or BATCH, padded):
        began = time.perf_counter()
        outputs = _batch(model, [prompts[i] for i in batch], stop, max_new_tokens, pad)
        seconds = (time.perf_counter() - began) / len(batch)
        for i, tokens in zip(batch, outputs, strict=True):
            end = next((n for n, token in enumerate(tokens) if token in stop), None)
            finish = "length" if end is None else "stop"
            yield Completion(i, tokens[:end], finish, seconds, len(prompts[i]), len(batch))


def _batches(prompts: Sequence[Sequence[int]], size: int, padded: bool) -> Iterator[list[int]]:
    """Indices of prompts that are answered together."""
    order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
    groups = [order] if padded else [list(g) for _, g in groupby(order, lambda i: len(prompts[i]))]
    for group in groups:
        for start in range(0, len(group), size):
            yield group[start : start + size]


@torch.inference_mode()
def _batch(
    model: Any,
    prompts: Sequence[Sequence[int]],
    stop: frozenset[int],
    max_new_tokens: int,
    pad: int,
) -> list[list[int]]:
    longest = max(map(len, prompts))
    ids = torch.full((len(prompts), longest), pad, device=model.device)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.tensor(prompt)
        mask[row, longest - len(prompt) :] = 1
    output = model.generate(
        input_ids=ids,
        attention_mask=mask,
        max_new_tokens=max_new_tokens,
        do_sample=False,
        eos_token_id=sorted(stop),
        pad_token_id=pad,
    )
    tokens: list[list[int]] = output[:, longest:].tolist()
    return tokens
