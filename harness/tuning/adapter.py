"""Adapters: any that PEFT knows, trained on the very prompts that the rung asks with."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, PeftModel, get_peft_model
from peft.helpers import disable_input_dtype_casting
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import PeftType
from transformers import PreTrainedModel, set_seed

from harness.errors import ConfigError, RungUnavailableError, TrainingError, first_line
from harness.models.engine import Conversation
from harness.models.local import four_bit
from harness.models.local.engine import LocalEngine, dtype_of
from harness.models.vetting import check_adapter
from harness.models.weights import digest
from harness.task import Materials
from harness.tuning import adalora
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
from harness.tuning.quantization import FourBit
from harness.tuning.trainer import Training, train_weights

__all__ = ["Adapter", "without_casts"]

LEARNED_KEYS = (PeftType.PREFIX_TUNING, PeftType.CARTRIDGE)
"""Prompt learning whose virtual tokens are keys and values, and no rows of the input."""

ZERO_STEP_PROMPTS = 8
"""How many dev questions an untrained adapter must answer as the base model does."""
ZERO_STEP_TOKENS = 16
"""And how many tokens of each answer are compared."""


@dataclass(frozen=True)
class Adapter(Method):
    """A PEFT adapter and how it is trained."""

    config: PeftConfig
    training: Training
    rate_scale: float = 1.0
    """Times training's own: methods that change a model by other means than LoRA want another
    rate."""
    quantization: FourBit | None = None
    """None: over the base model in full precision."""

    def check(self, materials: Materials) -> None:
        super().check(materials)
        if not (isinstance(self.rate_scale, int | float) and self.rate_scale > 0):
            raise ConfigError(f"rung.tuning.rate_scale={self.rate_scale}: must be a number above 0")
        adalora.check(self.config)
        if self.training.activation_checkpointing and self.config.peft_type in LEARNED_KEYS:
            raise ConfigError(
                "training.activation_checkpointing=true: would cut off the keys and values that "
                "prefix tuning learns; set it to false"
            )
        if self.quantization:
            self.quantization.check(self.config)

    @property
    def _training(self) -> Training:
        """With this method's rate."""
        return replace(self.training, rate_scale=self.training.rate_scale * self.rate_scale)

    @property
    def settings(self) -> Any:
        # Sets have no order that lasts, and a version of PEFT is no setting.
        config = {
            name: sorted(value) if isinstance(value, set) else value
            for name, value in self.config.to_dict().items()
            if name != "peft_version"
        }
        told = {"config": config, "training": asdict(self._training)}
        # Trainings that were finished before there was one keep their identity.
        return told | ({"quantization": asdict(self.quantization)} if self.quantization else {})

    def fit(
        self,
        engine: LocalEngine,
        train: Sequence[Pair],
        dev: Sequence[Pair],
        seed: int,
        folder: Path,
    ) -> Tuned:
        """Train, or take up what an earlier run has finished; answer with the result.

        `folder` gets `adapter/` (safetensors), `example_losses.jsonl` and `training.json`, and
        `checkpoints/` on the way.
        Raises TrainingError if the adapter changes nothing.
        """
        report = kept(folder)
        if report is None:
            report = self._train(engine, train, dev, seed, folder)
            give_back(engine.device)
            keep(folder, report)
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
        answering = _answering(engine, folder / "adapter", str(report.sha256), self._unmerged)
        return Tuned(answering, report, folder)

    def on(self, engine: LocalEngine) -> Adapter:
        return replace(self, training=settled(self.training, engine))

    def base(self, engine: LocalEngine) -> LocalEngine:
        return _in_four_bits(engine) if self._unmerged else engine

    @property
    def _unmerged(self) -> bool:
        """Whether the 4-bit base answers, with the adapter beside its layers."""
        return self.quantization is not None and not self.quantization.merged

    def _train(
        self,
        engine: LocalEngine,
        train: Sequence[Pair],
        dev: Sequence[Pair],
        seed: int,
        folder: Path,
    ) -> Report:
        set_seed(seed)
        dtype = training_dtype(self.training.dtype, engine.device)
        # DoRA begins with the norms of the weights: those that will answer, not rounded ones.
        exact = getattr(self.config, "use_dora", False)
        base = engine.fresh(
            dtype_of(engine.spec.dtype) if exact else dtype, quantized=self.quantization is not None
        )
        adapted = self._adapted(base, self.training.steps(len(train)))
        if exact:
            four_bit.compute_in(base, dtype)
        examples, dev_examples = encoded(engine, train), encoded(engine, dev)
        before = last_logits(adapted, dev_examples[:EFFECT_PROMPTS])
        zero_step = self._zero_step(engine, adapted, dev, folder)
        engine.release()
        has_rows = self.config.is_prompt_learning and self.config.peft_type not in LEARNED_KEYS
        collate = batching(engine, base, flat=not has_rows)
        autocast = dtype == torch.bfloat16
        with without_casts(adapted, autocast):
            curve = train_weights(
                adapted,
                examples,
                dev_examples,
                training=self._training,
                collate=collate,
                stop=sorted(engine.stop),
                seed=seed,
                folder=folder / "checkpoints",
                autocast=autocast,
            )
        keep_losses(folder, curve.losses, (len(e.completion) for e in examples))
        adapted.save_pretrained(folder / "adapter", safe_serialization=True)
        effect = largest_change(before, last_logits(adapted, dev_examples[:EFFECT_PROMPTS]))
        report = _report(adapted, folder / "adapter", examples, zero_step, effect, curve)
        answering = self.quantization.answering if self.quantization else None
        return replace(report, dtype=dtype_name(dtype), answering=answering)

    def _adapted(self, base: PreTrainedModel, steps: int) -> PeftModel:
        """The model behind an untrained adapter. Raises RungUnavailableError if PEFT cannot put it
        on this model."""
        # PEFT writes what it infers into a config; the rung's own must stay as it was.
        config = deepcopy(self.config)
        adalora.schedule(config, steps)
        try:
            return get_peft_model(base, config)
        except (ValueError, TypeError, NotImplementedError) as error:
            kind = type(base).__name__
            raise RungUnavailableError(
                f"rung.tuning.config: does not fit {kind}: {first_line(error)}"
            ) from error

    def _zero_step(
        self, engine: LocalEngine, untrained: PeftModel, dev: Sequence[Pair], folder: Path
    ) -> dict[str, int] | None:
        """Whether all that training does not do leaves the base model as it is: the same adapter
        as answers later, saved, loaded and merged (or beside the 4-bit base), before its first
        step. None for adapters that do not start at zero."""
        if self.config.is_prompt_learning:
            return None
        untrained.save_pretrained(folder / "untrained", safe_serialization=True)
        asked = [conversation for conversation, _ in dev[:ZERO_STEP_PROMPTS]]
        # One after the other: on a GPU no more than one is held beside the one to be trained.
        expected = _texts(self.base(engine), asked)
        engine.release()
        adapted = _answering(engine, folder / "untrained", "untrained", self._unmerged)
        texts = _texts(adapted, asked)
        shutil.rmtree(folder / "untrained")
        same = sum(texts[i] == expected[i] for i in range(len(asked)))
        return {"questions": len(asked), "identical": same}


def _texts(engine: LocalEngine, asked: Sequence[Conversation]) -> dict[int, str]:
    """The beginning of the answer to each conversation, by its place."""
    return {done.index: done.text for done in engine.answer(asked, ZERO_STEP_TOKENS)}


def _report(
    adapted: PeftModel,
    folder: Path,
    examples: Sequence[Encoded],
    zero_step: dict[str, int] | None,
    effect: float,
    curve: Curve,
) -> Report:
    if curve.steps and effect == 0.0:
        raise TrainingError(
            f"the adapter has no effect after {curve.steps} steps; "
            "check target_modules and raise training.learning_rate"
        )
    weights = folder / "adapter_model.safetensors"
    return Report(
        trainable=sum(p.numel() for p in adapted.parameters() if p.requires_grad),
        megabytes=weights.stat().st_size / 1e6,
        examples=len(examples),
        distinct=distinct(examples),
        zero_step=zero_step,
        sha256=digest(weights),
        effect=effect,
        ranks=adalora.ranks(adapted),
        stop_rate=curve.stop_rate,
        curve=curve,
    )


def _answering(
    engine: LocalEngine, folder: Path, fingerprint: str, unmerged: bool = False
) -> LocalEngine:
    """The engine with the adapter: merged into the weights, as answering is fastest that way, or
    `unmerged` beside the layers of the 4-bit base."""
    check_adapter(folder)
    base = engine.fresh(dtype_of(engine.spec.dtype), quantized=unmerged)
    adapted = PeftModel.from_pretrained(base, folder)
    identity = f"{engine.fingerprint}+{fingerprint}"
    if unmerged:
        return engine.with_weights(adapted.eval().get_base_model(), f"{identity} over NF4")
    if adapted.active_peft_config.is_prompt_learning:
        return engine.with_adapter(adapted.eval(), identity)
    return engine.with_weights(adapted.merge_and_unload(), identity)


def _in_four_bits(engine: LocalEngine) -> LocalEngine:
    """The engine with its weights in four bits, and no adapter."""
    weights = engine.fresh(dtype_of(engine.spec.dtype), quantized=True)
    return engine.with_weights(weights, f"{engine.fingerprint} in NF4")


def without_casts(adapted: PeftModel, autocast: bool) -> AbstractContextManager[None]:
    """Where training is under autocast, PEFT's own casts of each layer's input are left out: they
    would be work done twice."""
    layers = (m for m in adapted.modules() if isinstance(m, BaseTunerLayer))
    # Some methods' layers, as (IA)3's, lack the switch, and PEFT does not look before it turns it.
    can = all(hasattr(layer, "cast_input_dtype_enabled") for layer in layers)
    casts: AbstractContextManager[None] = disable_input_dtype_casting(adapted, autocast and can)
    return casts
