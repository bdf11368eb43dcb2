"""transformers' own `generate` in padded batches: the reference, and the way for odd models."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor, LogitsProcessorList

from harness.memory import out_of_memory
from harness.models.local.decode import Begin, Decoded, TokenConstraint, begun

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
    constraint: Begin | Sequence[Begin] | None = None,
) -> Iterator[Decoded]:
    """Greedy completions by `model.generate`, longest prompts first, padded on the left.

    With `padded=False` only prompts of equal length share a batch: prompt-learning adapters of
    PEFT ignore position ids, so that padding would change what they say. `constraint` begins a new
    one for each prompt; of several each is for one prompt. Where memory runs out a batch is halved.
    """
    queue = list(_batches(prompts, batch_size or BATCH, padded))[::-1]
    while queue:
        batch = queue.pop()
        began = time.perf_counter()
        held = [begun(constraint, i) for i in batch]
        rows = [_Row(one, stop) for one in held if one is not None]
        try:
            outputs = _batch(model, [prompts[i] for i in batch], stop, max_new_tokens, pad, rows)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error) or len(batch) == 1:
                raise
            half = len(batch) // 2
            queue += [batch[half:], batch[:half]]
            continue
        seconds = (time.perf_counter() - began) / len(batch)
        for i, tokens in zip(batch, outputs, strict=True):
            end = next((n for n, token in enumerate(tokens) if token in stop), None)
            finish = "length" if end is None else "stop"
            yield Decoded(i, tokens[:end], finish, seconds, len(prompts[i]), len(batch))


class _Row:
    """One answer under a constraint, as far as it is written."""

    def __init__(self, constraint: TokenConstraint, stop: frozenset[int]) -> None:
        self.constraint = constraint
        self.stop = stop
        self.forced: list[int] = []
        """Tokens that come next without a choice."""
        self.ended = False

    def take(self, token: int) -> None:
        """Note the token that `generate` wrote; behind the stop token it writes padding."""
        if self.forced:
            self.forced.pop(0)
        elif not self.ended:
            self.forced = self.constraint.advance(token)
        self.ended = self.ended or token in self.stop

    def mask(self, scores: Tensor) -> None:
        """Set the scores [vocabulary] of all tokens that may not come next to -inf, in place."""
        if self.ended:
            return
        allowed = torch.zeros(len(scores), dtype=torch.bool)
        if self.forced:
            allowed[self.forced[0]] = True
        else:
            mask = self.constraint.allowed()
            allowed[: len(mask)] = mask
        scores.masked_fill_(~allowed.to(scores.device), -torch.inf)


class _Constrained(LogitsProcessor):  # type: ignore[misc]
    """Holds each row of a batch to its constraint."""

    def __init__(self, rows: Sequence[_Row]) -> None:
        self.rows = rows
        self.begun = False

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """`scores` [rows, vocabulary], once for each new token."""
        for row, written, own in zip(self.rows, input_ids[:, -1].tolist(), scores, strict=True):
            if self.begun:
                row.take(written)
            row.mask(own)
        self.begun = True
        return scores


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
    rows: Sequence[_Row],
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
        logits_processor=LogitsProcessorList([_Constrained(rows)] if rows else []),
    )
    tokens: list[list[int]] = output[:, longest:].tolist()
    return tokens
