"""A linear head on the last hidden state, trained together with an adapter of the weights below."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import AdaLoraConfig, PeftModel, TaskType, get_peft_model
from torch import Tensor
from transformers import PreTrainedModel, set_seed

from harness.errors import ConfigError, TrainingError
from harness.models.local.engine import LocalEngine, dtype_of
from harness.models.vetting import check_adapter
from harness.models.weights import digest
from harness.task import Materials
from harness.tuning.adapter import Adapter, without_casts
from harness.tuning.example_losses import keep_losses
from harness.tuning.flat_batches import Encoded
from harness.tuning.head import (
    Regression,
    calibrated,
    check_labels,
    known_labels,
    regression,
    states_of,
    unstandardized,
)
from harness.tuning.head_engine import Head, HeadEngine
from harness.tuning.last_states import last_states
from harness.tuning.memory import give_back
from harness.tuning.method import Curve, Pair, Report, Tuned, keep, kept
from harness.tuning.preparation import (
    EFFECT_PROMPTS,
    batching,
    distinct,
    dtype_name,
    training_dtype,
)
from harness.tuning.trainer import train_weights

__all__ = ["ClassifierHeadAdapter"]

ADAPTER = "adapter_model.safetensors"
NO_TOKEN = -1
"""A stop token that no class is mistaken for: a head ends no answers."""


@dataclass(frozen=True)
class ClassifierHeadAdapter(Adapter):
    """A PEFT adapter for sequence classification, and how it is trained.

    The head takes the place of the model's output layer, so that the loss, the batches and the
    early stopping are those of every adapter: a completion is one "token", its class. It reads
    states standardized, and begins as a logistic regression of the frozen ones: behind a random
    head the first steps spoil the layers below (Kumar et al. 2022, "Fine-Tuning can Distort
    Pretrained Features and Underperform Out-of-Distribution", arXiv:2202.10054).
    """

    C: float = 0.001
    """Inverse strength of that regression's L2 penalty, as scikit-learn has it. A regression that
    leaves no loss on train leaves nothing for the adapter to learn from."""

    @property
    def writes(self) -> bool:
        return False

    @property
    def settings(self) -> Any:
        return super().settings | {"C": self.C}

    def check(self, materials: Materials) -> None:
        super().check(materials)
        if not (isinstance(self.C, int | float) and self.C > 0):
            raise ConfigError(f"rung.tuning.C={self.C}: must be a number above 0")
        if self.config.is_prompt_learning:
            raise ConfigError(
                f"rung.tuning.config: {type(self.config).__name__} cannot be merged below a "
                "classification head; use peft.LoraConfig or its like"
            )
        if isinstance(self.config, AdaLoraConfig):
            raise ConfigError(
                "rung.tuning.config=AdaLoraConfig: allocates no ranks below a classification head; "
                "use peft.LoraConfig or its like"
            )
        if self.quantization:
            raise ConfigError(
                "rung.tuning.quantization: a classification head is trained over the full base; "
                "say rung.tuning.quantization=null"
            )
        check_labels(materials)

    def fit(
        self,
        engine: LocalEngine,
        train: Sequence[Pair],
        dev: Sequence[Pair],
        seed: int,
        folder: Path,
    ) -> Tuned:
        """Train, or take up what an earlier run has finished; answer with the result.

        `folder` gets `adapter/` and `head.safetensors`, `example_losses.jsonl` and
        `training.json`, and `checkpoints/` on the way. Raises TrainingError if the adapter changes
        nothing, RungUnavailableError if train has one label alone.
        """
        report = kept(folder)
        trained = None if report else self._trained(engine, train, dev, seed, folder)
        give_back(engine.device)
        labels = trained.labels if trained else Head.load(folder).labels
        body, head = _merged(engine, folder / "adapter", labels)
        if trained:
            report = _report(trained, engine, body, head, dev, folder)
            keep(folder, report)
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
        assert report is not None
        return Tuned(HeadEngine(body, Head.load(folder), body.fingerprint), report, folder)

    def _trained(
        self,
        engine: LocalEngine,
        train: Sequence[Pair],
        dev: Sequence[Pair],
        seed: int,
        folder: Path,
    ) -> _Trained:
        """Train; leaves the adapter, with the head in it, in `folder`."""
        labels = known_labels(train)
        set_seed(seed)
        dtype = training_dtype(self.training.dtype, engine.device)
        examples, dev_examples = _encode(engine, train, labels), _encode(engine, dev, labels)
        states = states_of(engine, [example.prompt for example in examples])
        truth = np.array([example.completion[0] for example in examples])
        start = regression(len(labels), states, truth, self.C)
        engine.release()
        base = engine.fresh(dtype)
        collate = batching(engine, base)
        config = deepcopy(self.config)  # PEFT writes what it infers into it
        config.task_type, config.modules_to_save = TaskType.SEQ_CLS, [_put(_LabelHead(start), base)]
        adapted = get_peft_model(base, config)
        autocast = dtype == torch.bfloat16
        with without_casts(adapted, autocast):
            curve = train_weights(
                adapted,
                examples,
                dev_examples,
                training=self._training,
                collate=collate,
                stop=[NO_TOKEN],
                seed=seed,
                folder=folder / "checkpoints",
                autocast=autocast,
            )
        keep_losses(folder, curve.losses, (len(e.completion) for e in examples))
        adapted.save_pretrained(folder / "adapter", safe_serialization=True)
        trainable = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
        return _Trained(tuple(labels), examples, trainable, dtype_name(dtype), _classes(curve))


@dataclass(frozen=True)
class _Trained:
    """What a training knows before its weights are merged."""

    labels: tuple[str, ...]
    examples: Sequence[Encoded]
    trainable: int
    """Parameters."""
    dtype: str
    curve: Curve


class _LabelHead(torch.nn.Linear):
    """On standardized states, in float32, whatever the layers below compute in."""

    mean: Tensor
    scale: Tensor

    def __init__(self, start: Regression) -> None:
        labels, hidden = start.weight.shape
        super().__init__(hidden, labels)
        self.register_buffer("mean", torch.tensor(start.mean, dtype=torch.float32))
        self.register_buffer("scale", torch.tensor(start.scale, dtype=torch.float32))
        with torch.no_grad():
            self.weight.copy_(torch.tensor(start.weight))
            self.bias.copy_(torch.tensor(start.bias))

    def forward(self, states: Tensor) -> Tensor:
        with torch.autocast(states.device.type, enabled=False):
            return super().forward((states.to(self.weight.dtype) - self.mean) / self.scale)


def _put(head: _LabelHead, base: PreTrainedModel) -> str:
    """Put a head in the place of a model's output layer; the name of that layer."""
    old = base.get_output_embeddings()
    name: str = next(name for name, module in base.named_modules() if module is old)
    base.set_output_embeddings(head.to(base.device))
    base.config.tie_word_embeddings = False  # the input embeddings stay what they are
    return name


def _merged(engine: LocalEngine, folder: Path, labels: Sequence[str]) -> tuple[LocalEngine, Head]:
    """The engine with the adapter merged into the weights below the head, and the head."""
    check_adapter(folder)
    base = engine.fresh(dtype_of(engine.spec.dtype))
    hidden = base.config.get_text_config().hidden_size
    zeros = np.zeros((len(labels), hidden), dtype=np.float32)  # PEFT loads all of it
    _put(_LabelHead(Regression(zeros[0], zeros[0], zeros, zeros[:, 0], 0)), base)
    merged = PeftModel.from_pretrained(base, folder).merge_and_unload()
    head = merged.get_output_embeddings()
    parts = (head.mean, head.scale, head.weight, head.bias)
    whole = unstandardized(*(part.detach().double().cpu().numpy() for part in parts))
    sha256 = digest(folder / ADAPTER)
    return engine.with_weights(merged, f"{engine.fingerprint}+{sha256}"), Head(
        tuple(labels), *whole
    )


def _report(
    trained: _Trained,
    engine: LocalEngine,
    body: LocalEngine,
    head: Head,
    dev: Sequence[Pair],
    folder: Path,
) -> Report:
    """What training did; leaves the calibrated head beside the adapter."""
    effect = _effect(engine, body, head, dev[:EFFECT_PROMPTS])
    if trained.curve.steps and effect == 0.0:
        raise TrainingError(
            f"the adapter has no effect after {trained.curve.steps} steps; "
            "check target_modules and raise training.learning_rate"
        )
    head, on_dev = calibrated(head, body, dev)
    adapter = folder / "adapter" / ADAPTER
    return Report(
        trainable=trained.trainable,
        megabytes=(adapter.stat().st_size + head.save(folder).stat().st_size) / 1e6,
        examples=len(trained.examples),
        distinct=distinct(trained.examples),
        sha256=digest(adapter),
        effect=effect,
        dtype=trained.dtype,
        curve=trained.curve,
        head={"labels": len(trained.labels)} | on_dev,
    )


def _encode(engine: LocalEngine, pairs: Sequence[Pair], labels: Sequence[str]) -> list[Encoded]:
    """Prompts, and the class in place of a completion; those of a label that train lacks are left
    out."""
    place = {label: index for index, label in enumerate(labels)}
    return [Encoded(engine.encode(m), [place[label]]) for m, label in pairs if label in place]


def _effect(base: LocalEngine, tuned: LocalEngine, head: Head, dev: Sequence[Pair]) -> float:
    """Largest absolute difference that the adapter makes to the logit of a label, under the head
    that was trained with it."""
    prompts = [base.encode(messages) for messages, _ in dev]
    before, after = (
        {state.index: head.logits(state.vector[None]) for state in last_states(engine, prompts)}
        for engine in (base, tuned)
    )
    return max(float(np.abs(after[index] - before[index]).max()) for index in before)


def _classes(curve: Curve) -> Curve:
    """The curve without what it tells of stop tokens."""
    points = [{k: v for k, v in point.items() if k != "stop_rate"} for point in curve.points]
    return replace(curve, points=points)
