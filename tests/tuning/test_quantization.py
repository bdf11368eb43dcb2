"""An adapter over a base in four bits: what is trained, and what answers."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from peft import PeftModel, get_peft_model

from harness.errors import ConfigError, RungUnavailableError
from harness.models.local import padded
from harness.models.local.engine import LocalEngine
from harness.models.local.four_bit import is_four_bit
from harness.task import Task
from harness.tuning import adapter, flat_batches, quantization
from harness.tuning.adapter import Adapter
from harness.tuning.memory import weights_megabytes
from harness.tuning.method import Curve, Tuned
from harness.tuning.quantization import FourBit
from harness.tuning.trainer import train_weights
from tests.conftest import lora
from tests.tuning import test_trainer as training
from tests.tuning.test_adapter import NEW, SHORT, answers, pairs

pytest.importorskip("bitsandbytes", reason="has no wheel for every machine")


@pytest.fixture(scope="module")
def prompts(even: LocalEngine) -> list[list[int]]:
    return [[0, 30, 31, *range(40, 40 + n), 60] for n in (2, 5, 3, 9)]


def fit(even: LocalEngine, task: Task, folder: Path, merged: bool = False) -> Tuned:
    m = task.materials
    method = Adapter(lora(), SHORT, quantization=FourBit(merged=merged))
    return method.fit(even, pairs(m.train), pairs(m.dev), 0, folder)


def by_peft_alone(
    even: LocalEngine, folder: Path, prompts: list[list[int]], quantized: bool
) -> list[list[int]]:
    base = even.fresh(torch.float32, quantized=quantized)
    adapted = PeftModel.from_pretrained(base, folder).eval()
    done = padded.generate(adapted, prompts, even.stop, NEW, 1, pad=1)
    return [c.tokens for c in sorted(done, key=lambda c: c.index)]


def test_the_model_that_was_trained_answers(
    even: LocalEngine, task: Task, prompts: list[list[int]], tmp_path: Path
) -> None:
    tuned = fit(even, task, tmp_path)
    folder = tmp_path / "adapter"
    assert tuned.report.answering == "4-bit base and adapter"
    assert answers(tuned.engine, prompts) == by_peft_alone(even, folder, prompts, quantized=True)
    assert answers(tuned.engine, prompts) != answers(even, prompts)
    assert answers(tuned.engine, prompts, 1) == answers(tuned.engine, prompts, 3)
    assert tuned.engine.parameters == even.parameters


def test_merged_it_answers_over_the_full_base(
    even: LocalEngine, task: Task, prompts: list[list[int]], tmp_path: Path
) -> None:
    tuned = fit(even, task, tmp_path, merged=True)
    folder = tmp_path / "adapter"
    assert tuned.report.answering == "full base, adapter merged"
    assert answers(tuned.engine, prompts) == by_peft_alone(even, folder, prompts, quantized=False)
    asked = len(task.materials.dev)
    assert tuned.report.zero_step == {"questions": asked, "identical": asked}


def test_an_untrained_adapter_writes_what_the_4_bit_base_writes(
    even: LocalEngine, task: Task, tmp_path: Path
) -> None:
    asked = [messages for messages, _ in pairs(task.materials.dev)]
    report = fit(even, task, tmp_path).report
    assert report.zero_step == {"questions": len(asked), "identical": len(asked)}
    base = even.with_weights(even.fresh(torch.float32, quantized=True), "in four bits")
    texts = [{d.index: d.text for d in engine.answer(asked, 16)} for engine in (even, base)]
    assert texts[0] != texts[1], "else the control could not tell the two bases apart"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_dora_is_trained_over_codes_that_stay_what_they_are(
    even: LocalEngine, task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str
) -> None:
    """Its norms are taken before the base is brought to the precision of training."""
    trained: list[PeftModel] = []

    def spied(model: PeftModel, *arguments: Any, **settings: Any) -> Curve:
        trained.append(model)
        return train_weights(model, *arguments, **settings)

    monkeypatch.setattr(adapter, "train_weights", spied)
    once = replace(SHORT, epochs=1, batch_size=16, dtype=dtype)
    method = Adapter(lora(use_dora=True), once, quantization=FourBit(merged=False))
    m = task.materials
    report = method.fit(even, pairs(m.train), pairs(m.dev), 0, tmp_path).report
    assert report.zero_step == {"questions": 6, "identical": 6}
    assert report.curve.steps == 1  # type: ignore[union-attr]
    ours, untouched = (
        [layer for layer in model.modules() if is_four_bit(layer)]
        for model in (trained[0], even.fresh(torch.float32, quantized=True))
    )
    assert len(ours) == len(untouched) == 14
    for layer, other in zip(ours, untouched, strict=True):
        assert torch.equal(layer.weight, other.weight)
        assert str(layer.compute_dtype) == f"torch.{dtype}"
    learned = [p for p in trained[0].parameters() if p.requires_grad]
    assert {p.dtype for p in learned} == {torch.float32}


def test_what_was_trained_is_taken_up_and_the_full_weights_are_not_needed(
    even: LocalEngine, task: Task, prompts: list[list[int]], tmp_path: Path
) -> None:
    alone = LocalEngine(even.spec, even.folder, even.fingerprint)
    first = fit(alone, task, tmp_path)
    assert alone._model is None, "a model that fits in four bits only is trained too"
    again = fit(alone, task, tmp_path)
    assert again.report == first.report
    assert answers(again.engine, prompts) == answers(first.engine, prompts)


def test_it_takes_less_memory_for_weights_and_the_report_says_how_much(
    even: LocalEngine, task: Task, tmp_path: Path
) -> None:
    plain = Adapter(lora(), SHORT)
    m = task.materials
    full = plain.fit(even, pairs(m.train), pairs(m.dev), 0, tmp_path / "lora").report
    four = fit(even, task, tmp_path / "qlora").report
    assert full.curve.weights_megabytes > four.curve.weights_megabytes > 0  # type: ignore[union-attr, operator]
    assert four.curve.peak_megabytes >= four.curve.weights_megabytes  # type: ignore[union-attr, operator]
    assert four.trainable == full.trainable
    assert four.record()["weights_megabytes"] == four.curve.weights_megabytes  # type: ignore[union-attr]


@pytest.mark.parametrize(("after", "checkpoint"), [(5, 2), (21, 10)])
def test_interrupted_training_ends_where_uninterrupted_training_does(
    even: LocalEngine, tmp_path: Path, after: int, checkpoint: int
) -> None:
    def adapted() -> PeftModel:
        base = even.fresh(torch.float32, quantized=True)
        flat_batches.register()
        base.set_attn_implementation(flat_batches.NAME)
        torch.manual_seed(0)
        return get_peft_model(base, lora())

    straight, resumed = adapted(), adapted()
    expected = training.fit(straight, tmp_path / "straight")
    with pytest.raises(InterruptedError):
        training.fit(adapted(), tmp_path / "broken", collate=training.interrupted(after))
    assert training.last_checkpoint(tmp_path / "broken") == checkpoint
    curve = training.fit(resumed, tmp_path / "broken")
    assert curve.points == expected.points
    torch.testing.assert_close(
        training.weights(resumed), training.weights(straight), atol=0, rtol=0
    )


def test_only_what_goes_over_four_bits_is_taken(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    Adapter(lora(use_dora=True), SHORT, quantization=FourBit(merged=False)).check(task.materials)
    odd = Adapter(peft.IA3Config(task_type="CAUSAL_LM"), SHORT, quantization=FourBit(merged=False))
    with pytest.raises(ConfigError, match=r"config=IA3Config: does not go over a 4-bit base"):
        odd.check(task.materials)
    monkeypatch.setattr(quantization, "find_spec", lambda name: None)
    with pytest.raises(RungUnavailableError, match="pip install bitsandbytes"):
        replace(odd, config=lora()).check(task.materials)
    with pytest.raises(ConfigError, match=r"quantization\.merged=yes"):
        FourBit(merged="yes")  # type: ignore[arg-type]


def test_an_adapter_over_full_weights_keeps_the_identity_it_had() -> None:
    plain = Adapter(lora(), SHORT)
    assert plain.settings.keys() == {"config", "training"}
    four = replace(plain, quantization=FourBit(merged=False))
    assert four.settings == plain.settings | {"quantization": {"merged": False}}
    assert asdict(plain)["quantization"] is None


def test_weights_are_counted_as_memory_holds_them(even: LocalEngine) -> None:
    full = even.fresh(torch.float32)
    linear = sum(m.weight.numel() for m in full.modules() if type(m) is torch.nn.Linear)
    head = full.get_output_embeddings().weight.numel()
    rest = even.parameters - (linear - head)
    expected = 4 * even.parameters
    # Tied embeddings once; the buffers of rotary embeddings are a few bytes.
    assert weights_megabytes(full) * 1e6 == pytest.approx(expected, abs=200)
    four = weights_megabytes(even.fresh(torch.float32, quantized=True)) * 1e6
    codes, scales = (linear - head) / 2, (linear - head) / 64
    # For each layer a scale of its scales, and tables that all could share.
    assert codes + scales + 4 * rest < four < codes + scales + 4 * rest + 14 * 1200
