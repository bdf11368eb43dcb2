"""What a checkpoint keeps of an adapter: every weight that training changes, as training has it.

PEFT's own format is made for answering. It leaves out the network behind a learned prefix and the
ranks that AdaLoRA has masked for now, without which training cannot go on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

__all__ = ["load", "save"]

NAME = "trained.pt"
SCORES = ("ipt", "exp_avg_ipt", "exp_avg_unc")
"""What PEFT's rank allocator remembers of earlier steps."""


def save(model: Any, folder: Path) -> None:
    """Write the trainable weights of a PEFT model, and how its ranks are allocated."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {n: p.detach() for n, p in model.named_parameters() if p.requires_grad}
    allocator = getattr(model.base_model, "rankallocator", None)
    allocation = {}
    if allocator is not None:
        allocation = {name: getattr(allocator, name) for name in SCORES}
        allocation["rank_pattern"] = model.active_peft_config.rank_pattern
    torch.save({"weights": weights, "allocation": allocation}, folder / NAME)


@torch.no_grad()
def load(model: Any, folder: Path) -> bool:
    """Take up what `save` has written; False if it has not written here."""
    if not (folder / NAME).exists():
        return False
    state = torch.load(folder / NAME, map_location=model.device, weights_only=True)
    own = dict(model.named_parameters())
    for name, value in state["weights"].items():
        own[name].copy_(value)
    if allocation := state["allocation"]:
        model.active_peft_config.rank_pattern = allocation.pop("rank_pattern")
        for name, value in allocation.items():
            setattr(model.base_model.rankallocator, name, value)
    return True
