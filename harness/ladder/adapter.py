"""Which weights change: any PEFT adapter, trained on the rung's own prompts."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, PeftModel, get_peft_model
from peft.helpers import disable_input_dtype_casting
from transformers import PreTrainedModel, set_seed

from harness.errors import TrainingError
from harness.ladder import packing
from harness.ladder.packing import Encoded, flat_batch, padded_batch
from harness.ladder.training import Curve, Training, train
from harness.models.local import LocalModel, Message, dtype_of
from harness.models.weights import digest
from harness.task import Example, Materials

__all__ = ["Adapted", "Adapter", "Report"]

EFFECT_PROMPTS = 2
"""How many dev examples the effect of an adapter is measured on."""

ZERO_STEP_PROMPTS = 8
"""How many dev questions an untrained adapter must answer as the base model does."""
ZERO_STEP_TOKENS = 16
"""And how many tokens of each answer are compared."""

Lessons = Callable[[Sequence[Example]], list[tuple[list[Message], str]]]


@dataclass(frozen=True)
class Report:
    """What an adapter is and what training did to it; kept as `training.json`."""

    trainable: int
    """Trainable parameters."""
    megabytes: float
    examples: int
    distinct: int
    """Of these examples, as the model sees them."""
    zero_step: dict[str, int] | None
    """A control: of so many `questions` the untrained adapter answered so many `identical`, letter
    for letter, to the base model. None for adapters that do not start at zero."""
    sha256: str
    """Of the adapter's weights."""
    effect: float
    """Largest change of a logit on the first dev prompts; 0 is an adapter without effect."""
    stop_rate: float
    """Share of dev answers behind which the model puts the stop token first."""
    curve: Curve

    def record(self) -> dict[str, Any]:
        """The report without the points of its curve."""
        record = asdict(self)
        curve: dict[str, Any] = record.pop("curve")
        del curve["points"]
        return record | curve


@dataclass(frozen=True)
class Adapted:
    """A model that has been trained, and the report on it."""

    model: LocalModel
    report: Report


@dataclass(frozen=True)
class Adapter:
    """A PEFT adapter and how it is trained."""

    config: PeftConfig
    training: Training
    shuffle_targets: bool = False
    """A control: the same inputs, each with another's target. Whatever this gains is not learned
    from the pairing."""

    def fit(
        self,
        model: LocalModel,
        lessons: Lessons,
        materials: Materials,
        seed: int,
        folder: Path,
    ) -> Adapted:
        """Train, or take up what an earlier run has finished; answer with the result.

        `folder` gets `adapter/` (safetensors) and `training.json`, and `checkpoints/` on the way.
        Raises TrainingError if the adapter changes nothing.
        """
        done = folder / "training.json"
        if not done.exists():
            report = self._train(model, lessons, materials, seed, folder)
            scratch = folder / "training.json.part"
            scratch.write_text(json.dumps(asdict(report), indent=1))
            scratch.replace(done)
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
        record = json.loads(done.read_text())
        report = Report(**record | {"curve": Curve(**record["curve"])})
        return Adapted(_answering(model, folder / "adapter", report.sha256), report)

    def _train(
        self,
        model: LocalModel,
        lessons: Lessons,
        materials: Materials,
        seed: int,
        folder: Path,
    ) -> Report:
        set_seed(seed)
        dtype = _training_dtype(self.training.dtype, model.device)
        base = model.fresh(dtype)
        flat = not self.config.is_prompt_learning and _fits_flat_batch(base)
        if flat:
            packing.register()
            base.set_attn_implementation(packing.NAME)
        # PEFT writes what it infers into a config; the rung's own must stay as it was.
        adapted = get_peft_model(base, deepcopy(self.config))
        examples = _encode(model, self._taught(lessons(materials.train), seed))
        dev = _encode(model, lessons(materials.dev))
        zero_step = self._zero_step(model, adapted, dev, folder)
        pad = model.tokenizer.pad_token_id or model.tokenizer.eos_token_id
        autocast = dtype == torch.bfloat16
        # Under autocast PEFT's own casts of each layer's input would be work done twice.
        with disable_input_dtype_casting(adapted, autocast):
            curve = train(
                adapted,
                examples,
                dev,
                training=self.training,
                collate=flat_batch if flat else lambda rows: padded_batch(rows, pad),
                stop=sorted(model.stop),
                seed=seed,
                folder=folder / "checkpoints",
                autocast=autocast,
            )
        adapted.save_pretrained(folder / "adapter", safe_serialization=True)
        effect = _effect(adapted, dev[:EFFECT_PROMPTS])
        return _report(adapted, folder / "adapter", examples, zero_step, effect, curve)

    def _zero_step(
        self,
        model: LocalModel,
        untrained: PeftModel,
        dev: Sequence[Encoded],
        folder: Path,
    ) -> dict[str, int] | None:
        """Whether all that training does not do leaves the base model as it is: the same adapter
        as answers later, saved, loaded and merged, before its first step."""
        if self.config.is_prompt_learning:
            return None
        untrained.save_pretrained(folder / "untrained", safe_serialization=True)
        prompts = [e.prompt for e in dev[:ZERO_STEP_PROMPTS]]
        texts = [
            {done.index: done.tokens for done in answering.answer(prompts, ZERO_STEP_TOKENS)}
            for answering in (model, _answering(model, folder / "untrained", "untrained"))
        ]
        shutil.rmtree(folder / "untrained")
        same = sum(texts[0][i] == texts[1][i] for i in range(len(prompts)))
        return {"questions": len(prompts), "identical": same}

    def _taught(
        self, lessons: list[tuple[list[Message], str]], seed: int
    ) -> list[tuple[list[Message], str]]:
        if not self.shuffle_targets:
            return lessons
        order = list(range(len(lessons)))
        random.Random(seed).shuffle(order)
        # Each gets the target of the next in a random circle, so that none keeps its own.
        giver = dict(zip(order, order[1:] + order[:1], strict=True))
        return [(messages, lessons[giver[i]][1]) for i, (messages, _) in enumerate(lessons)]


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
    looks = {p["step"]: p["stop_rate"] for p in curve.points if "stop_rate" in p}
    weights = folder / "adapter_model.safetensors"
    return Report(
        trainable=sum(p.numel() for p in adapted.parameters() if p.requires_grad),
        megabytes=weights.stat().st_size / 1e6,
        examples=len(examples),
        distinct=len({(*e.prompt, -1, *e.completion) for e in examples}),
        zero_step=zero_step,
        sha256=digest(weights),
        effect=effect,
        stop_rate=looks.get(curve.best_step, 0.0),
        curve=curve,
    )


def _encode(model: LocalModel, lessons: list[tuple[list[Message], str]]) -> list[Encoded]:
    return [Encoded(model.encode(m), model.encode_answer(m, target)) for m, target in lessons]


@torch.no_grad()
def _effect(adapted: PeftModel, dev: Sequence[Encoded]) -> float:
    """Largest absolute difference that the adapter makes to a next-token logit."""
    adapted.eval()
    largest = 0.0
    batches = [padded_batch([e], pad=0) for e in dev]
    adapted.get_base_model().set_attn_implementation("sdpa")
    for batch in batches:
        inputs = {k: v.to(adapted.device) for k, v in batch.items() if k != "labels"}
        with_adapter = adapted(**inputs).logits[0, -1].float()
        with adapted.disable_adapter():
            without = adapted(**inputs).logits[0, -1].float()
        largest = max(largest, float((with_adapter - without).abs().max()))
    return largest


def _answering(model: LocalModel, folder: Path, fingerprint: str) -> LocalModel:
    """The model with the adapter: merged into the weights, as answering is fastest that way."""
    adapted = PeftModel.from_pretrained(model.fresh(dtype_of(model.spec.dtype)), folder)
    identity = f"{model.fingerprint}+{fingerprint}"
    if adapted.active_peft_config.is_prompt_learning:
        return model.with_adapter(adapted.eval(), identity)
    return model.with_weights(adapted.merge_and_unload(), identity)


def _training_dtype(name: str, device: torch.device) -> torch.dtype:
    """`auto` is bfloat16 where matrix products in it are native."""
    if name != "auto":
        return dtype_of(name)
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if native else torch.float32


def _fits_flat_batch(base: PreTrainedModel) -> bool:
    """Whether this architecture takes our attention as it is: no soft cap, no window."""
    config = base.config.get_text_config()
    odd = any(getattr(config, k, None) for k in ("attn_logit_softcapping", "sliding_window"))
    return bool(base._supports_attention_backend) and not odd
