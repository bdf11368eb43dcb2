"""Linear layers with weights laid out in advance for the CPU's matrix kernels.

oneDNN reads weights in blocks. PyTorch's `Linear` leaves them in rows and, in float32, does not go
through oneDNN at all; on the machines measured the laid-out form is 1.2 to 1.9 times as fast at
the row counts of decoding, and its result for a row does not depend on how many rows stand beside
it. Where the processor multiplies in bfloat16, that is twice as fast again (docs/experiments.md).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

__all__ = ["pack"]


class _PackedLinear(nn.Module):
    def __init__(self, linear: nn.Linear, products: torch.dtype) -> None:
        super().__init__()
        weight, self.products = linear.weight.detach().to(products), products
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight, None)
        self.bias = linear.bias if linear.bias is None else linear.bias.to(products)

    def forward(self, x: Tensor) -> Tensor:
        factor = x.to(self.products)
        y: Tensor = torch.ops.mkldnn._linear_pointwise(
            factor, self.weight, self.bias, "none", [], ""
        )
        return y.to(x.dtype)


def pack(model: nn.Module, products: torch.dtype | None = None) -> None:
    """Replace every plain CPU Linear of a model that will only answer; a no-op without oneDNN.

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
