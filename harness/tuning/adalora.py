"""What AdaLoRA needs of training: a schedule in its steps, allocations, orthogonal triplets.

AdaLoRA (Zhang et al. 2023, arXiv:2303.10512) begins with more ranks than it may keep, scores them
while it trains, and masks the least important until its budget is reached. PEFT has the scores and
the masks; the training loop must call them.
"""

from __future__ import annotations

from typing import Any

import torch
from peft import AdaLoraConfig, PeftConfig
from torch import Tensor
from transformers import TrainerCallback

from harness.errors import ConfigError, TrainingError

__all__ = ["Allocations", "check", "first_evaluation", "orthogonality", "ranks", "schedule"]


def check(config: PeftConfig) -> None:
    """Raise ConfigError for a budget that leaves nothing to allocate."""
    if isinstance(config, AdaLoraConfig) and config.init_r <= config.target_r:
        raise ConfigError(
            f"rung.tuning.config.init_r={config.init_r}: must be above target_r={config.target_r}, "
            "or there are no ranks to take away"
        )


def schedule(config: PeftConfig, steps: int) -> None:
    """Bring AdaLoRA's schedule to a training of so many steps, in place; others stay.

    A config says `tinit` and `tfinal` for `total_step` steps, whatever training will have.
    Raises TrainingError for a training that is too short to score and to mask.
    """
    if not isinstance(config, AdaLoraConfig):
        return
    if steps < 2:
        raise TrainingError(
            "AdaLoRA allocates ranks in 2 steps at least, but training has "
            f"{steps}; add train examples or raise training.epochs"
        )
    share = steps / (config.total_step or steps)
    # The last allocation needs scores, which the step before it takes.
    config.tfinal = min(round(config.tfinal * share), steps - 2)
    config.tinit = min(round(config.tinit * share), steps - config.tfinal - 1)
    config.total_step = steps


def first_evaluation(model: Any) -> int:
    """The step from which dev is evaluated: before its budget is reached a model has ranks that
    it will lose, and must not be the best."""
    config = getattr(model, "active_peft_config", None)
    if not isinstance(config, AdaLoraConfig):
        return 0
    return int(config.total_step or 0) - int(config.tfinal)


class Allocations(TrainerCallback):  # type: ignore[misc]
    """Lets a model allocate its ranks after each optimizer step, while it has the gradients."""

    def on_optimizer_step(
        self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any
    ) -> None:
        allocate = getattr(getattr(model, "base_model", None), "update_and_allocate", None)
        if allocate is not None:
            allocate(state.global_step + 1)


def orthogonality(model: Any) -> Tensor | None:
    """How far the triplets' vectors are from orthonormal, weighted as the config says; None for
    other adapters. PEFT adds it to a loss that it computes itself, and ours is not."""
    config = getattr(model, "active_peft_config", None)
    if not isinstance(config, AdaLoraConfig):
        return None
    norms = []
    for name, p in model.named_parameters():
        if p.requires_grad and ("lora_A" in name or "lora_B" in name):
            products = p @ p.T if "lora_A" in name else p.T @ p
            norms.append(torch.linalg.matrix_norm(products - torch.eye(len(products)).to(products)))
    return torch.stack(norms).mean() * float(config.orth_reg_weight)


def ranks(model: Any) -> dict[str, int] | None:
    """How many ranks all layers have together at first, may have and have at last; and the least
    and the most that one layer has. None for an adapter that allocates none."""
    allocator = getattr(getattr(model, "base_model", None), "rankallocator", None)
    if allocator is None:
        return None
    config = model.active_peft_config
    kept = config.rank_pattern or {name: [True] * config.init_r for name in allocator.name_set}
    each = [sum(mask) for mask in kept.values()]
    return {
        "initial": allocator.init_bgt,
        "target": allocator.target_bgt,
        "final": sum(each),
        "least": min(each),
        "most": max(each),
    }
