"""What is noted while the Trainer trains, across interruptions: time, losses, progress."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor
from transformers import TrainerCallback
from transformers.trainer_callback import ExportableState

from harness.progress import Progress

__all__ = ["Clock", "ExampleLosses", "LastEvaluation", "TrainingProgress", "among"]

C = TypeVar("C")


class Clock(TrainerCallback, ExportableState):  # type: ignore[misc]
    """Seconds of training, across interruptions."""

    def __init__(self) -> None:
        self.before = 0.0
        self.began = time.perf_counter()

    @property
    def seconds(self) -> float:
        return self.before + time.perf_counter() - self.began

    def state(self) -> dict[str, Any]:
        return {"args": {}, "attributes": {"before": self.seconds}}


class ExampleLosses(TrainerCallback, ExportableState):  # type: ignore[misc]
    """The loss of each example in each epoch, across interruptions."""

    def __init__(self, examples: int) -> None:
        self.losses: list[list[float]] = [[] for _ in range(examples)]

    def add(self, examples: Tensor, each: Tensor) -> None:
        """`examples` as `batch_of` gives them; `each`: the loss of every token that bears loss."""
        places, tokens = examples.T.tolist()
        means = torch.stack([part.mean() for part in torch.split(each, tokens)]).tolist()
        for place, mean in zip(places, means, strict=True):
            self.losses[place].append(mean)

    def state(self) -> dict[str, Any]:
        return {"args": {"examples": len(self.losses)}, "attributes": {"losses": self.losses}}


class LastEvaluation(TrainerCallback):  # type: ignore[misc]
    """Evaluates dev behind the last step too, wherever the others fall: it may be the best."""

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step >= state.max_steps:
            control.should_evaluate = control.should_save = True


class TrainingProgress(TrainerCallback):  # type: ignore[misc]
    """Feeds our progress bar from the Trainer's logs."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.progress.update(state.global_step, state.max_steps)

    def on_log(
        self,
        args: Any,
        state: Any,
        control: Any,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        shown = {"loss": "loss", "eval_loss": "dev"}
        for key, label in shown.items():
            if logs and key in logs:
                self.progress.note(label, f"{logs[key]:.3f}")


def among(callbacks: Sequence[TrainerCallback], kind: type[C]) -> C:
    """The callback of a kind: a resumed Trainer has put others in the place of those it got."""
    return next(callback for callback in callbacks if isinstance(callback, kind))
