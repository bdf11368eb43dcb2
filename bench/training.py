"""Training: harness against TRL's SFTTrainer and transformers' Trainer, on the same LoRA; then the
same over a 4-bit base (qlora) and of all weights (full_ft).

    python -m bench training --steps 12
    python -m bench training +task=banking77 task.source=FOLDER

Same weights, adapter, first values, examples in the same order, loss on the completions alone,
rate, schedule and optimizer; qlora has the same 4-bit codes on both sides. Batches are of like
length, as harness makes them, which spares the others padding. SFTTrainer runs as it comes, with
activation checkpointing, and without. One step warms up; the clock runs from the beginning of the
second to the beginning of the last, which is not counted.
"""

from __future__ import annotations

import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any, Literal

import torch
from datasets import Dataset
from peft import get_peft_model
from torch import nn
from transformers import (
    DataCollatorForSeq2Seq,
    PrinterCallback,
    Trainer,
    TrainingArguments,
    set_seed,
)

from bench.experiment import Experiment, experiment
from bench.table import Row
from harness.ladder.rung import Predictor
from harness.models.local.engine import LocalEngine, dtype_of
from harness.tuning.adapter import Adapter
from harness.tuning.flat_batches import IGNORED, Encoded
from harness.tuning.full import FullFineTuning
from harness.tuning.trainer_rows import GroupedByLength  # the order that harness itself trains in

__all__ = ["Job", "rows"]

BATCH = 8
Precision = Literal["float32", "bfloat16"]
AIMS: dict[Precision, float] = {"float32": 4.0, "bfloat16": 2.5}
"""By SFTTrainer's precision: the ratio that is aimed at for harness in bfloat16."""
NO_TRL = "not run: pip install -e '.[bench]'"
DEV = 2
"""harness looks at dev at the end, outside of the clock."""


def rows(arguments: Namespace) -> Iterator[Row]:
    """The training lines: harness in both precisions against the others."""
    yield from _lora(Job.named("lora", arguments))
    yield from _full(Job.named("full_ft", arguments))
    yield from _qlora(Job.named("qlora", arguments))


def _full(job: Job) -> Iterator[Row]:
    """All weights, which are float32 on both sides, and so are products or bfloat16."""
    for dtype in AIMS:
        plain = job.trainer(bf16=dtype == "bfloat16")
        name = f"transformers Trainer, padded, {dtype}"
        yield _row(job.what("all weights"), dtype, job.harness(dtype), name, plain)


def _qlora(job: Job) -> Iterator[Row]:
    """LoRA over four bits."""
    what = job.what("LoRA over NF4")
    name = "transformers Trainer, bitsandbytes, padded, float32"
    yield _row(what, "float32", job.harness("float32"), name, job.trainer())
    half = job.harness("bfloat16")
    if find_spec("trl") is None:
        yield Row(what, "tokens/s", half.rate, "TRL SFTTrainer, bitsandbytes", None, None, NO_TRL)
        return
    for checkpointing in (True, False):
        how = "as it comes" if checkpointing else "no activation checkpointing"
        name = f"TRL SFTTrainer, bitsandbytes, bfloat16, {how}"
        yield _row(what, "bfloat16", half, name, job.sft_trainer(torch.bfloat16, checkpointing))


def _lora(job: Job) -> Iterator[Row]:
    """LoRA over full weights."""
    single, half = job.harness("float32"), job.harness("bfloat16")
    what = job.what("LoRA")
    plain = job.trainer()
    yield _row(what, "float32", single, "transformers Trainer, padded, float32", plain)
    if find_spec("trl") is None:
        yield Row(what, "tokens/s", half.rate, "TRL SFTTrainer", None, None, NO_TRL)
        return
    for (dtype, aim), checkpointing in product(AIMS.items(), (True, False)):
        sft = job.sft_trainer(dtype_of(dtype), checkpointing)
        how = "as it comes" if checkpointing else "no activation checkpointing"
        name = f"TRL SFTTrainer, {dtype}, {how}"
        if dtype == "float32":
            yield _row(what, dtype, single, name, sft)
        yield _row(what, "bfloat16", half, name, sft, aim)


@dataclass(frozen=True)
class _Run:
    rate: float
    """Tokens per second."""
    losses: list[float]


def _row(
    what: str, dtype: str, ours: _Run, other: str, theirs: _Run, aim: float | None = None
) -> Row:
    apart = max(abs(a - b) for a, b in zip(ours.losses, theirs.losses, strict=True))
    output = f"losses {ours.losses[0]:.3f} to {ours.losses[-1]:.3f}, at most {apart:.1g} apart"
    return Row(f"{what}, {dtype}", "tokens/s", ours.rate, other, theirs.rate, aim, output)


class _Clocked(LocalEngine):
    """A model whose copies note when they take in a training batch."""

    def __init__(self, model: LocalEngine) -> None:
        super().__init__(model.spec, model.folder, model.fingerprint)
        self.starts: list[float] = []

    def fresh(self, dtype: torch.dtype, quantized: bool = False) -> Any:
        """A copy of the weights; PEFT calls its forward past the hooks, but not its embedding's."""
        model = super().fresh(dtype, quantized)
        model.get_input_embeddings().register_forward_pre_hook(self._note)
        return model

    def _note(self, module: nn.Module, inputs: object) -> None:
        if module.training:
            self.starts.append(time.perf_counter())


@dataclass(frozen=True)
class Job:
    """What each way trains on."""

    experiment: Experiment
    examples: list[Encoded]
    """In the order of training."""
    predictor: Predictor
    """The rung, with as many train examples as there are steps for."""
    counted: int
    """Steps on the clock."""

    @classmethod
    def named(cls, rung: str, arguments: Namespace) -> Job:
        """Of a rung, on the task that the command line says."""
        overrides = [*arguments.overrides, f"rung={rung}"]
        if not any("task=" in o for o in overrides):
            overrides.insert(0, "+task=support_json")
        return cls.of(experiment(overrides), arguments.steps)

    @classmethod
    def of(cls, asked: Experiment, counted: int) -> Job:
        whole = asked.task.materials
        train = whole.train[: (counted + 2) * BATCH]
        materials = replace(whole, train=train, dev=whole.dev[:DEV])
        predictor = Predictor(asked.rung, materials, asked.model, asked.embedder, asked.seed, None)
        model = asked.model
        encoded = [
            Encoded(model.encode(m), model.encode_answer(m, target))
            for m, target in predictor.pairs(train)
        ]
        lengths = [len(e.prompt) + len(e.completion) for e in encoded]
        order = GroupedByLength(lengths, BATCH, asked.seed)
        return cls(asked, [encoded[i] for i in order], predictor, len(train) // BATCH - 2)

    @property
    def steps(self) -> int:
        return self.counted + 2

    @property
    def tokens(self) -> int:
        """Of the examples of the steps on the clock, each with its whole prompt."""
        counted = self.examples[BATCH : (self.counted + 1) * BATCH]
        return sum(len(e.prompt) + len(e.completion) for e in counted)

    def what(self, method: str) -> str:
        """The work, for a line of the table."""
        tokens = self.tokens / self.counted
        return f"{method}, {self.counted} steps of {BATCH} examples, {tokens:.0f} tokens"

    @property
    def method(self) -> Adapter | FullFineTuning:
        """How the rung trains."""
        method = self.experiment.rung.tuning
        assert isinstance(method, Adapter | FullFineTuning)
        return method

    def harness(self, dtype: Precision) -> _Run:
        """What the rung does."""
        method = self.method
        settings = replace(method.training, dtype=dtype, epochs=1, batch_size=BATCH, accumulate=1)
        model = _Clocked(self.experiment.model)
        with tempfile.TemporaryDirectory() as folder:
            report = (
                replace(method, training=settings)
                .fit(
                    model,
                    self.predictor.pairs(self.predictor.materials.train),
                    self.predictor.pairs(self.predictor.materials.dev),
                    self.experiment.seed,
                    Path(folder),
                )
                .report
            )
        assert report.curve is not None
        losses = [point["loss"] for point in report.curve.points if "loss" in point]
        return self._run(model, losses)

    def trainer(self, bf16: bool = False) -> _Run:
        """transformers' Trainer with the collator that its examples use; `bf16` is autocast."""
        model, trained = self._fresh(torch.float32)
        with tempfile.TemporaryDirectory() as folder:
            trainer = Trainer(
                trained,
                TrainingArguments(output_dir=folder, bf16=bf16, **self._settings()),
                DataCollatorForSeq2Seq(model.tokenizer, label_pad_token_id=IGNORED),
                self._dataset(),
            )
            return self._run(model, _losses(trainer))

    def sft_trainer(self, dtype: torch.dtype, checkpointing: bool) -> _Run:
        """TRL's SFTTrainer; in bfloat16 with base weights in it and autocast, as harness has it.

        Activation checkpointing is its default, and trades time for memory.
        """
        from trl import SFTConfig, SFTTrainer

        model, adapted = self._fresh(dtype)
        with tempfile.TemporaryDirectory() as folder:
            trainer = SFTTrainer(
                adapted,
                SFTConfig(
                    output_dir=folder,
                    max_length=None,
                    gradient_checkpointing=checkpointing,
                    bf16=dtype == torch.bfloat16,
                    **self._settings(),
                ),
                train_dataset=self._dataset(),
                processing_class=model.tokenizer,
            )
            return self._run(model, _losses(trainer))

    def _fresh(self, dtype: torch.dtype) -> tuple[_Clocked, Any]:
        """A fresh model, with an adapter that begins as harness' own does if the rung has one."""
        model, method = _Clocked(self.experiment.model), self.method
        set_seed(self.experiment.seed)
        if isinstance(method, FullFineTuning):
            return model, model.fresh(dtype)
        base = model.fresh(dtype, quantized=method.quantization is not None)
        return model, get_peft_model(base, deepcopy(method.config))

    def _settings(self) -> dict[str, Any]:
        method, training = self.method, self.method.training
        if isinstance(method, FullFineTuning):
            training = replace(training, rate_scale=training.rate_scale * method.rate_share)
        width = self.experiment.model.config.get_text_config().hidden_size
        return {
            "num_train_epochs": 1,
            "learning_rate": training.rate(width),
            "lr_scheduler_type": training.schedule,
            "warmup_steps": int(self.steps * training.warmup),
            "weight_decay": training.weight_decay,
            "max_grad_norm": training.max_grad_norm,
            "per_device_train_batch_size": BATCH,
            "train_sampling_strategy": "sequential",
            "logging_steps": 1,
            "save_strategy": "no",
            "use_cpu": self.experiment.model.device.type == "cpu",
            "seed": self.experiment.seed,
            "report_to": "none",
            "disable_tqdm": True,
            "dataloader_pin_memory": False,
        }

    def _dataset(self) -> Dataset:
        return Dataset.from_list(
            [
                {
                    "input_ids": e.prompt + e.completion,
                    "labels": [IGNORED] * len(e.prompt) + e.completion,
                }
                for e in self.examples
            ]
        )

    def _run(self, model: _Clocked, losses: list[float]) -> _Run:
        assert len(model.starts) == len(losses) == self.steps
        seconds = model.starts[self.counted + 1] - model.starts[1]
        return _Run(self.tokens / seconds, losses)


def _losses(trainer: Trainer) -> list[float]:
    """Train; the loss of each step."""
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return [float(record["loss"]) for record in trainer.state.log_history if "loss" in record]
