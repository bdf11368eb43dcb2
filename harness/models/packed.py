"""Linear layers with weights laid out in advance for the CPU's matrix kernels.

oneDNN reads weights in blocks. PyTorch's `Linear` leaves them in rows and, in float32, does not go
through oneDNN at all; on the machines measured the laid-out form is 1.2 to 1.9 times as fast at
the row counts of decoding, and its result for a row does not depend on how many rows stand beside
it (docs/experiments.md).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["pack"]


class _PackedLinear(nn.Module):
    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), None)
        self.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")
        return y


def pack(model: nn.Module) -> None:
    """Replace every plain CPU Linear of a model that will only answer; a no-op without oneDNN."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Linear and child.weight.device.type == "cpu":
                setattr(module, name, _PackedLinear(child))
