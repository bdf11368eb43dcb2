"""Linear layers with weights laid out in advance for the CPU's matrix kernels.

oneDNN reads weights in blocks. PyTorch's `Linear` leaves them in rows and, in float32, does not go
through oneDNN at all; on the machines measured the laid-out form is 1.2 to 1.9 times as fast at
the row counts of decoding, and its result for a row does not depend on how many rows stand beside
it. Where the processor multiplies in bfloat16, that is twice as fast again (docs/experiments.md).
Weights in four bits are laid out anew for each product: they take no more memory than they did.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from harness.models.local.four_bit import dequantized, is_four_bit

__all__ = ["pack"]


class _PackedLinear(nn.Module):
    def __init__(self, linear: nn.Linear, products: torch.dtype) -> None:
        super().__init__()
        weight, self.products = linear.weight.detach().to(products), products
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight, None)
        self.bias = linear.bias if linear.bias is None else linear.bias.to(products)

    def forward(self, x: Tensor) -> Tensor:
        return _product(x, self.weight, self.bias, self.products)


class _FourBitLinear(nn.Module):
    def __init__(self, linear: Any, products: torch.dtype | None) -> None:
        super().__init__()
        self.weight, self.products = linear.weight, products or linear.compute_dtype
        self.bias = linear.bias if linear.bias is None else linear.bias.to(self.products)

    def forward(self, x: Tensor) -> Tensor:
        weight = dequantized(self.weight).to(self.products)
        laid_out = torch.ops.mkldnn._reorder_linear_weight(weight, None)
        return _product(x, laid_out, self.bias, self.products)


def _product(x: Tensor, weight: Tensor, bias: Tensor | None, products: torch.dtype) -> Tensor:
    """x [..., in] by a weight that is laid out, in x's precision."""
    y: Tensor = torch.ops.mkldnn._linear_pointwise(x.to(products), weight, bias, "none", [], "")
    return y.to(x.dtype)


def pack(model: nn.Module, products: torch.dtype | None = None) -> None:
    """Replace every plain or 4-bit CPU Linear of a model that will only answer; a no-op without
    oneDNN.

    Matrix products are done in the precision `products` (None: that of the weights), except for
    those that give the logits: rounded to bfloat16 the best of them would often be level.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return
    head = model.get_output_embeddings() if isinstance(model, PreTrainedModel) else None
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Linear and child.weight.device.type == "cpu":
                own = child.weight.dtype
                setattr(
                    module, name, _PackedLinear(child, own if child is head else products or own)
                )
            elif is_four_bit(child) and child.weight.device.type == "cpu":
                setattr(module, name, _FourBitLinear(child, products))
