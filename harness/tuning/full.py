"""Full fine-tuning: all weights, trained on the very prompts that the rung asks with."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, set_seed

from harness.errors import ConfigError, TrainingError
from harness.files import PART
from harness.models.local.engine import LocalEngine, dtype_of
from harness.models.weights import digest
from harness.task import Materials
from harness.tuning.checkpoints import check_disk
from harness.tuning.example_losses import keep_losses
from harness.tuning.flat_batches import Encoded
from harness.tuning.memory import give_back
from harness.tuning.method import Curve, Method, Pair, Report, Tuned, keep, kept
from harness.tuning.preparation import (
    EFFECT_PROMPTS,
    batching,
    distinct,
    dtype_name,
    encoded,
    largest_change,
    last_logits,
    settled,
    training_dtype,
)
from harness.tuning.trainer import Training, train_weights
from harness.values import Instance, Positive, settings

__all__ = ["FullFineTuning"]

MASTER = torch.float32
"""All weights, their gradients and Adam's moments: a step of this rate is often less than the last
digit of a bfloat16 weight. Where training computes in bfloat16, autocast rounds copies."""


@settings("rung.tuning")
class FullFineTuning(Method):
    """All weights of the model, and how they are trained."""

    training: Instance[Training]
    rate_share: Positive
    """Its learning rate, as a share of an adapter's on the same model (`Training.rate`)."""

    @property
    def settings(self) -> Any:
        return {"training": asdict(self.training), "rate_share": self.rate_share}

    def on(self, engine: LocalEngine) -> FullFineTuning:
        return replace(self, training=settled(self.training, engine))

    def check(self, materials: Materials) -> None:
        super().check(materials)
        if self.training.dtype == "float16":
            raise ConfigError(
                "training.dtype=float16: full fine-tuning computes in float32 or bfloat16; "
                "say training.dtype=auto"
            )

    def fit(
        self,
        engine: LocalEngine,
        train: Sequence[Pair],
        dev: Sequence[Pair],
        seed: int,
        folder: Path,
    ) -> Tuned:
        """Train, or take up what an earlier run has finished; answer with the result.

        `folder` gets `weights/` (safetensors, in the precision that the model answers in),
        `example_losses.jsonl` and `training.json`, and `checkpoints/` on the way. Raises
        TrainingError if training changes nothing, RungUnavailableError if the disk is too small.
        """
        report = kept(folder)
        if report is None:
            check_disk(folder, engine.parameters * MASTER.itemsize)
            report = self._train(engine, train, dev, seed, folder)
            give_back(engine.device)
            keep(folder, report)
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
        identity = f"{engine.fingerprint}+{report.sha256}"
        return Tuned(engine.with_folder(folder / "weights", identity), report, folder)

    def _train(
        self,
        engine: LocalEngine,
        train: Sequence[Pair],
        dev: Sequence[Pair],
        seed: int,
        folder: Path,
    ) -> Report:
        set_seed(seed)
        engine.release()
        model = engine.fresh(MASTER)
        dtype = training_dtype(self.training.dtype, engine.device)
        examples, dev_examples = encoded(engine, train), encoded(engine, dev)
        before = last_logits(model, dev_examples[:EFFECT_PROMPTS])
        curve = train_weights(
            model,
            examples,
            dev_examples,
            training=replace(self.training, rate_scale=self.training.rate_scale * self.rate_share),
            collate=batching(engine, model),
            stop=sorted(engine.stop),
            seed=seed,
            folder=folder / "checkpoints",
            autocast=dtype == torch.bfloat16,
            one_checkpoint=True,
        )
        effect = largest_change(before, last_logits(model, dev_examples[:EFFECT_PROMPTS]))
        if curve.steps and effect == 0.0:
            raise TrainingError(
                f"training had no effect after {curve.steps} steps; raise training.learning_rate"
            )
        keep_losses(folder, curve.losses, (len(e.completion) for e in examples))
        trainable = sum(p.numel() for p in model.parameters())
        _save(model.to(dtype_of(engine.spec.dtype)), folder / "weights")
        report = _report(folder / "weights", trainable, examples, effect, curve)
        return replace(report, dtype=dtype_name(dtype))


def _report(
    folder: Path, trainable: int, examples: Sequence[Encoded], effect: float, curve: Curve
) -> Report:
    weights = folder / "model.safetensors"
    return Report(
        trainable=trainable,
        megabytes=weights.stat().st_size / 1e6,
        examples=len(examples),
        distinct=distinct(examples),
        sha256=digest(weights),
        effect=effect,
        stop_rate=curve.stop_rate,
        curve=curve,
    )


def _save(model: PreTrainedModel, folder: Path) -> None:
    """Write the weights in one file, whole or not at all; tied ones once."""
    scratch = folder.with_name(folder.name + PART)
    shutil.rmtree(scratch, ignore_errors=True)
    model.save_pretrained(scratch, max_shard_size=2**60)
    shutil.rmtree(folder, ignore_errors=True)
    scratch.rename(folder)
