"""What a prompt-learning adapter has learned, as keys and values in front of every prompt.

Prefix tuning learns them; prompt tuning and P-tuning learn embeddings, whose keys and values are
the same whatever follows. Either way they are the first node of the prefix tree, computed once for
all prompts and all batches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import Cache

from harness.models.local.attention import set_plain
from harness.models.local.prefix_tree import Node

__all__ = ["LearnedPrefix", "learned_prefix"]

VIRTUAL = -1
"""Stands in for the id of a virtual token, which has none."""


@dataclass(frozen=True)
class LearnedPrefix:
    """Keys and values of virtual tokens: of each layer [kv_heads, tokens, head_dim]."""

    keys: list[Tensor]
    values: list[Tensor]

    @property
    def tokens(self) -> list[int]:
        """As many placeholders as there are virtual tokens."""
        return [VIRTUAL] * self.keys[0].shape[1]

    def node(self, waiting: int) -> Node:
        """The root of so many prompts, already computed."""
        return Node(self.tokens, 0, None, waiting, list(self.keys), list(self.values))


@torch.inference_mode()
def learned_prefix(adapter: Any) -> LearnedPrefix:
    """What a PEFT prompt-learning adapter puts in front of its base model."""
    learned = adapter.get_prompt(batch_size=1)
    if not isinstance(learned, Cache):
        base = adapter.get_base_model()
        set_plain(base)
        embedded = learned.to(base.dtype)
        learned = base(inputs_embeds=embedded, use_cache=True, logits_to_keep=1).past_key_values
    return LearnedPrefix(
        [layer.keys[0].contiguous() for layer in learned.layers],
        [layer.values[0].contiguous() for layer in learned.layers],
    )
