"""Weights in four bits: NF4 with double quantization, by bitsandbytes.

The base model of QLoRA (Dettmers et al. 2023, arXiv:2305.14314): each block of 64 weights of a
linear layer is 4-bit codes of the NormalFloat type and a scale, which is itself 8 bits. Embeddings,
norms and the layer that gives the logits stay as they are. bitsandbytes is imported by
transformers, when the first such model is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import BitsAndBytesConfig, PreTrainedModel

from harness.errors import RungUnavailableError
from harness.models.local.read import read_model

__all__ = ["compute_in", "is_four_bit", "load"]

BLOCK = 64
"""Weights that share a scale."""


def load(folder: Path, dtype: torch.dtype, device: torch.device) -> PreTrainedModel:
    """The model in a folder, frozen, its linear layers in four bits, in evaluation mode.

    `dtype` is what the weights are rounded to before they are quantized, what the others stay in,
    and what products are computed in. Raises RungUnavailableError for layers that a CPU gets wrong.
    """
    if device.type != "cpu":  # accelerate takes a device without a number for another one
        device = torch.device(device.type, device.index or 0)
    model = read_model(
        folder,
        dtype=dtype,
        quantization_config=BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        ),
        device_map={"": device},
    )
    for layer in _layers(model):
        if device.type == "cpu" and layer.in_features % BLOCK:
            # Measured with bitsandbytes 0.50.2 and AVX-512: weights come back with other blocks'
            # scales at 48, 80 and 96 inputs, and right at 64, 576 and 1536.
            raise RungUnavailableError(
                f"{folder}: has layers of {layer.in_features} inputs, and on a CPU bitsandbytes "
                f"reads only multiples of {BLOCK} back right; take a GPU, or rung=lora"
            )
        # Where a CPU has bfloat16, bitsandbytes 0.50 would lay the codes out anew at the first look
        # at dev, with scales rounded to bfloat16, for a product that has no gradient.
        layer.support_avx512bf16_for_cpu = False
    return model.requires_grad_(False).eval()


def compute_in(model: PreTrainedModel, dtype: torch.dtype) -> None:
    """Change the precision of products, and of the frozen weights that are not quantized; no code
    changes, and nothing of an adapter.

    transformers refuses `.to(dtype)` for such a model.
    """
    for layer in _layers(model):
        layer.compute_dtype = layer.weight.quant_state.dtype = dtype
    for parameter in model.parameters():
        if parameter.is_floating_point() and not parameter.requires_grad:
            parameter.data = parameter.data.to(dtype)


def is_four_bit(module: nn.Module) -> bool:
    """Whether this is a linear layer of bitsandbytes, and not PEFT's around one."""
    return isinstance(module, nn.Linear) and hasattr(module.weight, "quant_state")


def _layers(model: nn.Module) -> Iterator[Any]:
    return (module for module in model.modules() if is_four_bit(module))
