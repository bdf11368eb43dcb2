"""What the methods that train weights on this machine share: before training and after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel

from harness.models.local.attention import has_sinks, set_plain
from harness.models.local.engine import LocalEngine, dtype_of
from harness.tuning import flat_batches
from harness.tuning.flat_batches import Collate, Encoded, flat_batch, padded_batch
from harness.tuning.method import Pair
from harness.tuning.trainer import Training

__all__ = [
    "EFFECT_PROMPTS",
    "batching",
    "distinct",
    "dtype_name",
    "encoded",
    "largest_change",
    "last_logits",
    "settled",
    "takes_flat_batches",
    "training_dtype",
]

EFFECT_PROMPTS = 2
"""How many dev examples the effect of training is measured on."""


def encoded(engine: LocalEngine, pairs: Sequence[Pair]) -> list[Encoded]:
    """Training conversations as token ids."""
    return [Encoded(engine.encode(m), engine.encode_answer(m, target)) for m, target in pairs]


def distinct(examples: Sequence[Encoded]) -> int:
    """How many of these examples differ, as the model sees them."""
    return len({(*e.prompt, -1, *e.completion) for e in examples})


def training_dtype(name: str, device: torch.device) -> torch.dtype:
    """`auto` is bfloat16 where matrix products in it are native."""
    if name != "auto":
        return dtype_of(name)
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if native else torch.float32


def settled(training: Training, engine: LocalEngine) -> Training:
    """The same with its precision as it is here, where it was left to the machine."""
    dtype: Any = dtype_name(training_dtype(training.dtype, engine.device))
    return replace(training, dtype=dtype)


def dtype_name(dtype: torch.dtype) -> str:
    """As the configuration has it: bfloat16."""
    return str(dtype).removeprefix("torch.")


def takes_flat_batches(model: PreTrainedModel) -> bool:
    """Whether this architecture takes our attention as it is (no soft cap, no window, no sinks); if
    so, the model has it from now on."""
    config = model.config.get_text_config()
    odd = any(getattr(config, k, None) for k in ("attn_logit_softcapping", "sliding_window"))
    if odd or has_sinks(model) or not model._supports_attention_backend:
        return False
    flat_batches.register()
    model.set_attn_implementation(flat_batches.NAME)
    return True


def batching(engine: LocalEngine, model: PreTrainedModel, *, flat: bool = True) -> Collate:
    """Batches without padding where `flat` and the model allow them, else padded ones."""
    if flat and takes_flat_batches(model):
        return flat_batch
    pad = engine.tokenizer.pad_token_id or engine.tokenizer.eos_token_id
    return lambda rows: padded_batch(rows, pad)


@torch.no_grad()
def last_logits(model: PreTrainedModel | PeftModel, examples: Sequence[Encoded]) -> list[Tensor]:
    """What comes next behind each example: logits [vocabulary]."""
    model.eval()
    set_plain(model.get_base_model() if isinstance(model, PeftModel) else model)
    batches = [padded_batch([example], pad=0) for example in examples]
    inputs = [
        {k: v.to(model.device) for k, v in batch.items() if k != "labels"} for batch in batches
    ]
    return [model(**each).logits[0, -1].float() for each in inputs]


def largest_change(before: Sequence[Tensor], after: Sequence[Tensor]) -> float:
    """Largest absolute difference between logits; 0 without any."""
    changes = (float((a - b).abs().max()) for a, b in zip(after, before, strict=True))
    return max(changes, default=0.0)
