"""What every method does before it trains weights on this machine."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel

from harness.models.local.engine import LocalEngine, dtype_of
from harness.tuning.flat_batches import Encoded
from harness.tuning.method import Pair

__all__ = ["encoded", "fits_flat_batch", "training_dtype"]


def encoded(engine: LocalEngine, pairs: Sequence[Pair]) -> list[Encoded]:
    """Training conversations as token ids."""
    return [Encoded(engine.encode(m), engine.encode_answer(m, target)) for m, target in pairs]


def training_dtype(name: str, device: torch.device) -> torch.dtype:
    """`auto` is bfloat16 where matrix products in it are native."""
    if name != "auto":
        return dtype_of(name)
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if native else torch.float32


def fits_flat_batch(base: PreTrainedModel) -> bool:
    """Whether this architecture takes our attention as it is: no soft cap, no window."""
    config = base.config.get_text_config()
    odd = any(getattr(config, k, None) for k in ("attn_logit_softcapping", "sliding_window"))
    return bool(base._supports_attention_backend) and not odd
