"""The last hidden state of each prompt: what a classification head reads."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from harness.models.local.attention import set_plain
from harness.models.local.engine import LocalEngine
from harness.tuning.flat_batches import IGNORED, Encoded, flat_batch, padded_batch
from harness.tuning.preparation import takes_flat_batches

__all__ = ["LastState", "Vectors", "last_states"]

Vectors = npt.NDArray[np.float32]

SIDE_BY_SIDE = 32
"""Prompts in one batch, at most."""
TOKENS = 4096
"""Of all prompts of a batch together, each as long as the longest: what attention takes memory
for."""


@dataclass(frozen=True)
class LastState:
    """What the model made of one prompt."""

    index: int
    """Of the prompt among those that were asked."""
    vector: Vectors
    """[hidden]: behind the last layer and its norm, at the prompt's last token."""
    computed: int
    """Tokens that had to be computed, after the prefix that a batch shares."""
    seconds: float
    """This prompt's share of its batch."""
    batch: int
    """How many stood side by side."""


@torch.no_grad()
def last_states(engine: LocalEngine, prompts: Sequence[Sequence[int]]) -> Iterator[LastState]:
    """The last states of prompts of token ids, the longest first.

    Batches have no padding, or it stands behind each prompt where nothing that counts sees it: a
    vector is the same in any batch, up to the rounding of the matrix kernels.
    """
    for batch in _batches(prompts):
        began = time.perf_counter()
        states, shared = _computed(engine, [list(prompts[index]) for index in batch])
        vectors: Vectors = states.float().cpu().numpy()
        seconds = (time.perf_counter() - began) / len(batch)
        for place, index in enumerate(batch):
            own = len(prompts[index]) - (shared if place else 0)  # the first bears what is shared
            yield LastState(index, vectors[place], own, seconds, len(batch))


def _batches(prompts: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Prompts of like length together, by their places."""
    order = sorted(range(len(prompts)), key=lambda index: -len(prompts[index]))
    while order:
        count = max(1, min(SIDE_BY_SIDE, TOKENS // len(prompts[order[0]])))
        yield order[:count]
        order = order[count:]


def _computed(engine: LocalEngine, prompts: Sequence[list[int]]) -> tuple[Tensor, int]:
    """States [prompts, hidden], and the tokens of the prefix that was computed once for all."""
    model = engine.model
    if takes_flat_batches(model):
        # A completion of one token is only ever a label: what is computed is the prompt.
        batch = flat_batch([Encoded(prompt, [0]) for prompt in prompts])
        rows, layout = batch.pop("logits_to_keep"), batch["layout"]
        del batch["labels"]
        return _hidden(model, batch)[0, rows.to(engine.device)], layout.prefix
    set_plain(model)
    batch = padded_batch([Encoded(prompt[:-1], prompt[-1:]) for prompt in prompts], pad=0)
    last = batch.pop("labels") != IGNORED
    return _hidden(model, batch)[last.to(engine.device)], 0


def _hidden(model: Any, batch: dict[str, Any]) -> Tensor:
    """[rows, tokens, hidden] behind the last layer, without the vocabulary's logits."""
    inputs = {name: value.to(model.device) for name, value in batch.items()}
    states: Tensor = model.base_model(**inputs, use_cache=False).last_hidden_state
    return states
