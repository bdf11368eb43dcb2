"""The training loop: transformers' Trainer with our loss and our batches.

Checkpoints, resuming, schedules and early stopping are the Trainer's; it trains on the device where
the model is, and on that one alone.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal

import torch
from peft import PeftModel
from torch import Tensor
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Trainer,
    TrainingArguments,
)
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_callback import TrainerState
from transformers.trainer_utils import get_last_checkpoint

from harness.progress import Progress
from harness.tuning import adapter_checkpoints
from harness.tuning.adalora import Allocations, first_evaluation, orthogonality
from harness.tuning.checkpoints import OneCheckpoint, best_weights
from harness.tuning.flat_batches import IGNORED, Collate, Encoded
from harness.tuning.loss import cross_entropies, cross_entropy
from harness.tuning.memory import MemoryWatch, weights_megabytes
from harness.tuning.method import Curve
from harness.tuning.trainer_callbacks import (
    Clock,
    ExampleLosses,
    LastEvaluation,
    TrainingProgress,
    among,
)
from harness.tuning.trainer_rows import GroupedByLength, Rows, batch_of
from harness.values import AtLeastOne, NotNegative, Positive, Share, settings

__all__ = ["Training", "train_weights"]

Schedule = Literal[
    "linear", "cosine", "cosine_with_restarts", "polynomial", "constant",
    "constant_with_warmup", "inverse_sqrt",
]  # fmt: skip
"""Those of transformers.get_scheduler that need no further settings."""


@settings("training")
class Training:
    """How weights are trained; conf/training/*.yaml says what each run uses."""

    learning_rate: NotNegative | None
    """Before all scales; None follows the width of the model: `rate`."""
    rate_scale: Positive
    """Times the rate, whether it follows the width of the model or is said."""
    epochs: Positive
    batch_size: AtLeastOne
    """Examples per step."""
    accumulate: AtLeastOne
    """Batches per optimizer step."""
    schedule: Schedule
    warmup: Share
    """Share of the steps over which the learning rate rises."""
    weight_decay: NotNegative
    max_grad_norm: Positive
    evaluations_per_epoch: AtLeastOne
    """How often dev is evaluated and a checkpoint is written."""
    patience: AtLeastOne
    """Training stops when dev has not improved for so many evaluations."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"]
    """Base weights while training: `auto` is bfloat16 where the processor has it."""
    activation_checkpointing: bool
    """Trade a second forward pass for memory."""

    def rate(self, hidden_size: int) -> float:
        """The peak learning rate for a model of this width: `learning_rate`, or what follows the
        width, times `rate_scale`.

        By the width it is 10 · 5e-5 · (2000 / width)^0.781: ten times the rate of full fine-tuning,
        falling with the width as it was fitted on Llama models for LoRA with alpha 32 and scaling
        1/r (Schulman and Thinking Machines Lab 2025, "LoRA Without Regret", and its cookbook's
        `get_lr`). It gives 1.3e-3 at a width of 576 (135M parameters) and 2.9e-4 at 4096 (7B, 8B).
        """
        said = self.learning_rate
        rate = 5e-4 * float((2000 / hidden_size) ** 0.781) if said is None else said
        return self.rate_scale * rate

    def steps(self, examples: int) -> int:
        """Optimizer steps over so many examples, if nothing stops them early."""
        return math.ceil(-(-examples // (self.batch_size * self.accumulate)) * self.epochs)


class _CompletionTrainer(Trainer):  # type: ignore[misc]
    """Loss on the completions only, normalized by the number of their tokens."""

    loss_is_scaled_for_ga = True
    stop: Sequence[int] = ()
    """Token ids that end an answer."""
    autocast: bool = False

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], Any]:
        """The batches of one optimizer step, and how many tokens of them bear loss."""
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        return batches, sum(int((b["labels"] != IGNORED).sum()) for b in batches)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        logits, labels = self._completion_logits(model, inputs)
        loss, each = cross_entropies(logits, labels)
        among(self.callback_handler.callbacks, ExampleLosses).add(inputs["examples"], each)
        loss = loss / (num_items_in_batch or len(labels))
        if (penalty := orthogonality(self.model)) is not None:
            # Its gradient alone: curves stay cross-entropy, comparable between rungs.
            loss = loss + (penalty - penalty.detach()) / self.args.gradient_accumulation_steps
        return loss

    def _completion_logits(self, model: Any, inputs: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Logits [rows, vocabulary] only where the loss is, and the labels [rows]."""
        inputs = dict(inputs)
        labels: Tensor = inputs.pop("labels")
        del inputs["examples"]
        # The Trainer's own autocast would turn all logits to float32.
        with torch.autocast(labels.device.type, torch.bfloat16, enabled=self.autocast):
            if "layout" in inputs:
                inputs["layout"] = inputs["layout"].to(labels.device)
                return model(**inputs, use_cache=False).logits.squeeze(0), labels
            logits: Tensor = model(**inputs, use_cache=False).logits
        bears_loss = labels[:, 1:] != IGNORED
        # A prompt-learning adapter puts virtual tokens in front: count from the end.
        return logits[:, -labels.shape[1] : -1][bears_loss], labels[:, 1:][bears_loss]

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        if isinstance(self.model, PeftModel):
            adapter_checkpoints.save(self.model, Path(output_dir or self.args.output_dir))
        else:
            super()._save(output_dir, state_dict)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if not adapter_checkpoints.load(self.model, Path(resume_from_checkpoint)):
            super()._load_from_checkpoint(resume_from_checkpoint, model)

    def _load_best_model(self) -> None:
        if not adapter_checkpoints.load(self.model, Path(self.state.best_model_checkpoint)):
            super()._load_best_model()

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler[int]:
        lengths = [len(row["input_ids"]) for row in self.train_dataset]
        return GroupedByLength(lengths, self.args.train_batch_size, self.args.seed)

    @torch.no_grad()
    def evaluate(
        self, *args: Any, metric_key_prefix: str = "eval", **kwargs: Any
    ) -> dict[str, float]:
        """Dev loss and accuracy per token, exactly, and how often the stop token comes first."""
        self.model.eval()
        loss = right = tokens = stopped = sequences = 0.0
        for raw in self.get_eval_dataloader():
            inputs = self._prepare_inputs(raw)
            logits, labels = self._completion_logits(self.model, inputs)
            loss += float(cross_entropy(logits, labels))
            hit = logits.argmax(-1) == labels
            ends = torch.isin(labels, torch.tensor(self.stop, device=labels.device))
            right, tokens = right + int(hit.sum()), tokens + len(labels)
            stopped, sequences = stopped + int(hit[ends].sum()), sequences + int(ends.sum())
        metrics = {
            f"{metric_key_prefix}_loss": loss / tokens,
            f"{metric_key_prefix}_accuracy": right / tokens,
            f"{metric_key_prefix}_stop_rate": stopped / max(1, sequences),
        }
        self.log(metrics)
        self.control: Any = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics


def train_weights(
    model: Any,
    examples: Sequence[Encoded],
    dev: Sequence[Encoded],
    *,
    training: Training,
    collate: Collate,
    stop: Sequence[int],
    seed: int,
    folder: Path,
    autocast: bool,
    one_checkpoint: bool = False,
) -> Curve:
    """Train `model` in place, keeping the weights that were best on dev.

    Goes on from the last checkpoint in `folder` if there is one, and leaves it there.
    `one_checkpoint` is for weights that fill a disk: see `OneCheckpoint`.
    """
    arguments = _arguments(training, len(examples), seed, folder, model)
    if one_checkpoint:
        arguments.load_best_model_at_end, arguments.save_total_limit = False, None
    with _current(model.device), Progress("training", unit="step") as progress:
        trainer = _CompletionTrainer(
            model=model,
            args=arguments,
            train_dataset=Rows(examples),
            eval_dataset=Rows(dev),
            data_collator=lambda rows: batch_of(rows, collate),
            callbacks=[
                EarlyStoppingCallback(training.patience),
                Clock(),
                ExampleLosses(len(examples)),
                Allocations(),
                LastEvaluation(),
                TrainingProgress(progress),
                *[OneCheckpoint()] * one_checkpoint,
            ],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.stop, trainer.autocast = stop, autocast
        with MemoryWatch(model) as memory:
            trainer.train(resume_from_checkpoint=_last_checkpoint(folder))
    state = trainer.state
    if one_checkpoint and state.best_global_step:
        trainer._load_from_checkpoint(str(best_weights(folder, state.best_global_step)))
    tokens = sum(len(e.prompt) + len(e.completion) for e in examples)
    callbacks = trainer.callback_handler.callbacks
    return Curve(
        points=_points(state.log_history),
        steps=state.global_step,
        best_step=state.best_global_step or state.global_step,
        seconds=among(callbacks, Clock).seconds,
        tokens=round(tokens * (state.epoch or 0.0)),
        weights_megabytes=weights_megabytes(model),
        peak_megabytes=memory.peak_megabytes,
        losses=among(callbacks, ExampleLosses).losses,
    )


def _current(device: torch.device) -> AbstractContextManager[None]:
    """Where "cuda" without a number is this device: accelerate says no number."""
    on: AbstractContextManager[None] = nullcontext()
    if device.type == "cuda":
        on = torch.cuda.device(device)
    return on


def _last_checkpoint(folder: Path) -> str | None:
    """The last checkpoint to go on from; later ones that do not serve are taken away.

    A killed process leaves half of one. And behind the one at which training stopped early the
    Trainer would train further: from an earlier one it stops there again.
    """
    while checkpoint := get_last_checkpoint(str(folder)) if folder.is_dir() else None:
        try:  # the Trainer writes its state last
            state = TrainerState.load_from_json(str(Path(checkpoint) / TRAINER_STATE_NAME))
            stopped = state.stateful_callbacks["TrainerControl"]["args"]["should_training_stop"]
            if state.global_step == state.max_steps or not stopped:
                return str(checkpoint)
        except (OSError, ValueError):
            pass
        shutil.rmtree(checkpoint)
    return None


def _arguments(
    training: Training, examples: int, seed: int, folder: Path, model: Any
) -> TrainingArguments:
    steps_per_epoch = -(-examples // (training.batch_size * training.accumulate))
    every = max(1, steps_per_epoch // training.evaluations_per_epoch)
    total = steps_per_epoch * training.epochs
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=training.epochs,
        learning_rate=training.rate(model.config.get_text_config().hidden_size),
        lr_scheduler_type=training.schedule,
        warmup_steps=int(total * training.warmup),
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        per_device_train_batch_size=training.batch_size,
        per_device_eval_batch_size=training.batch_size,
        gradient_accumulation_steps=training.accumulate,
        activation_checkpointing=training.activation_checkpointing,
        train_sampling_strategy="group_by_length",
        eval_strategy="steps",
        eval_steps=every,
        eval_delay=first_evaluation(model),
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        logging_strategy="steps",
        logging_steps=1,
        restore_callback_states_from_checkpoint=True,
        use_cpu=model.device.type == "cpu",
        seed=seed,
        data_seed=seed,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )
    # It would take all GPUs that there are, by DataParallel, which tears flat batches apart and
    # multiplies the size of others; and it would move the model to the first.
    arguments._n_gpu, arguments._setup_devices = 1, model.device
    arguments.distributed_state.device = model.device
    return arguments


def _points(log: Sequence[dict[str, float]]) -> list[dict[str, float]]:
    """The Trainer's log, as one record per step and dev evaluation, in our names."""
    names = {
        "step": "step",
        "epoch": "epoch",
        "loss": "loss",
        "grad_norm": "grad_norm",
        "learning_rate": "learning_rate",
        "eval_loss": "dev_loss",
        "eval_accuracy": "dev_accuracy",
        "eval_stop_rate": "stop_rate",
    }
    points = [{names[k]: float(v) for k, v in row.items() if k in names} for row in log]
    return [point for point in points if "loss" in point or "dev_loss" in point]
