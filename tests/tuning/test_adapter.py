"""Which weights change, that they do change, and that nothing else does."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import peft
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoTokenizer, MistralConfig, MistralForCausalLM

from harness.errors import ConfigError, RungUnavailableError, TrainingError
from harness.ladder.prompt import render
from harness.ladder.transform import ShuffledTargets
from harness.models.local import ModelSpec, padded
from harness.models.local.engine import LocalEngine
from harness.models.weights import digest
from harness.task import Example, Task
from harness.tuning.adapter import Adapter
from harness.tuning.bottleneck import BottleneckConfig
from harness.tuning.method import Pair, Tuned
from tests.conftest import adalora, lora, plan

SHORT = plan(epochs=2, evaluations_per_epoch=1)
NEW = 16
"""Tokens of an answer: enough to tell models apart."""

MERGED = {
    "lora": lora(),
    "dora": lora(use_dora=True),
    "ia3": peft.IA3Config(task_type="CAUSAL_LM"),
    "loha": peft.LoHaConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear"),
    "vera": peft.VeraConfig(task_type="CAUSAL_LM", r=8, target_modules="all-linear"),
    "rslora": lora(use_rslora=True),
    "adalora": adalora(),
    "bottleneck": BottleneckConfig(
        task_type="CAUSAL_LM", size=8, target_modules=["o_proj", "down_proj"]
    ),
    "oft": peft.OFTConfig(task_type="CAUSAL_LM", oft_block_size=4, target_modules="all-linear"),
}
IN_FRONT = {
    "prompt": peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4),
    "prefix": peft.PrefixTuningConfig(
        task_type="CAUSAL_LM", num_virtual_tokens=4, prefix_projection=True, encoder_hidden_size=16
    ),
    "plain_prefix": peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4),
}

Fit = Callable[..., Tuned]


def pairs(examples: Sequence[Example]) -> list[Pair]:
    return [(render("JSON.", "{input}", e.input), e.target) for e in examples]


@pytest.fixture
def fit(apt: LocalEngine, task: Task, tmp_path: Path) -> Fit:
    """Fit an adapter in a folder below `tmp_path`; keyword arguments replace single parts."""

    def call(adapter: Adapter, folder: str = "run", **changes: object) -> Tuned:
        m = task.materials
        parts = {"engine": apt, "train": pairs(m.train), "dev": pairs(m.dev), "seed": 0}
        return adapter.fit(**(parts | changes), folder=tmp_path / folder)  # type: ignore[arg-type]

    return call


@pytest.fixture
def prompts(apt: LocalEngine, task: Task) -> list[list[int]]:
    return [apt.encode(messages) for messages, _ in pairs(task.materials.dev)]


def answers(
    model: LocalEngine, prompts: list[list[int]], batch: int | None = None
) -> list[list[int]]:
    done = model.generate(prompts, NEW, batch)
    return [c.tokens for c in sorted(done, key=lambda c: c.index)]


def by_peft_alone(model: LocalEngine, folder: Path, prompts: list[list[int]]) -> list[list[int]]:
    """The adapter from disk in front of untouched weights, one prompt at a time."""
    adapted = PeftModel.from_pretrained(model.fresh(torch.float32), folder)
    done = padded.generate(adapted, prompts, model.stop, NEW, 1, pad=1)
    return [c.tokens for c in sorted(done, key=lambda c: c.index)]


def by_argmax_alone(model: LocalEngine, folder: Path, prompts: list[list[int]]) -> list[list[int]]:
    """The whole sequence anew for every token, as training sees it."""
    adapted = PeftModel.from_pretrained(model.fresh(torch.float32), folder)
    texts: list[list[int]] = []
    for prompt in prompts:
        tokens: list[int] = []
        while len(tokens) < NEW:
            with torch.no_grad():
                ids = torch.tensor([prompt + tokens])
                logits = adapted(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
            token = int(logits[0, -1].argmax())
            if token in model.stop:
                break
            tokens.append(token)
        texts.append(tokens)
    return texts


@pytest.mark.parametrize("kind", MERGED)
def test_an_adapter_that_was_merged_from_disk_answers_as_peft_says(
    fit: Fit, apt: LocalEngine, prompts: list[list[int]], tmp_path: Path, kind: str
) -> None:
    tuned = fit(Adapter(MERGED[kind], SHORT))
    folder = tmp_path / "run" / "adapter"
    assert tuned.engine.adapter is None
    assert answers(tuned.engine, prompts) == by_peft_alone(apt, folder, prompts)
    assert answers(tuned.engine, prompts) != answers(apt, prompts)


@pytest.mark.parametrize("kind", IN_FRONT)
def test_a_prompt_learning_adapter_answers_in_front_of_the_weights(
    fit: Fit, apt: LocalEngine, prompts: list[list[int]], tmp_path: Path, kind: str
) -> None:
    tuned = fit(Adapter(IN_FRONT[kind], SHORT))
    folder = tmp_path / "run" / "adapter"
    assert tuned.engine.adapter is not None
    expected = by_argmax_alone(apt, folder, prompts)
    assert expected != answers(apt, prompts)
    assert len({len(p) for p in prompts}) > 1
    for batch in (1, 4, None):
        assert answers(tuned.engine, prompts, batch) == expected


@pytest.mark.parametrize("kind", ["prefix", "plain_prefix"])
def test_behind_a_prefix_answers_are_those_of_peft_for_one_prompt_at_a_time(
    fit: Fit, apt: LocalEngine, prompts: list[list[int]], tmp_path: Path, kind: str
) -> None:
    tuned = fit(Adapter(IN_FRONT[kind], SHORT))
    expected = by_peft_alone(apt, tmp_path / "run" / "adapter", prompts)
    assert answers(tuned.engine, prompts) == expected


def test_the_base_model_stays_what_it_was(
    fit: Fit, apt: LocalEngine, prompts: list[list[int]]
) -> None:
    config = lora()
    before, settings = answers(apt, prompts), config.to_dict()
    tuned = fit(Adapter(config, SHORT))
    assert answers(apt, prompts) == before
    assert config.to_dict() == settings
    assert tuned.engine.fingerprint == f"{apt.fingerprint}+{tuned.report.sha256}"
    assert tuned.engine.parameters == apt.parameters


def test_a_finished_adapter_is_taken_up_without_training(
    fit: Fit, prompts: list[list[int]], tmp_path: Path
) -> None:
    first = fit(Adapter(lora(), SHORT))
    assert not (tmp_path / "run" / "checkpoints").exists()
    second = fit(Adapter(lora(), SHORT), train=[], dev=[])
    assert second.report == first.report
    assert answers(second.engine, prompts) == answers(first.engine, prompts)


def test_the_report_tells_what_was_trained_and_what_it_did(fit: Fit, tmp_path: Path) -> None:
    report = fit(Adapter(lora(r=4), SHORT)).report
    weights = tmp_path / "run" / "adapter" / "adapter_model.safetensors"
    # r x (in + out) for q, k, v, o, gate, up and down, in each of two layers
    shapes = [(48, 48), (48, 16), (48, 16), (48, 48), (48, 96), (48, 96), (96, 48)]
    assert report.trainable == 2 * sum(4 * (n + m) for n, m in shapes)
    assert report.trainable == sum(w.numel() for w in load_file(weights).values())
    assert report.megabytes == weights.stat().st_size / 1e6
    assert report.sha256 == digest(weights)
    assert report.examples == 16
    assert report.effect > 0
    assert report.curve.steps == 8
    assert report.dtype == "float32"
    kept = json.loads((tmp_path / "run" / "training.json").read_text())
    assert len(kept["curve"]["points"]) == 8 + 2
    assert "points" not in report.record()
    assert report.record()["best_step"] == report.curve.best_step


def test_the_stop_rate_is_that_of_the_weights_that_were_kept(fit: Fit, task: Task) -> None:
    """Dev is of another kind than train: its loss is best before stopping has been learned."""
    train = [(messages, "red") for messages, _ in pairs(task.materials.train)]
    dev = [(messages, "blueblueblue") for messages, _ in pairs(task.materials.dev)]
    report = fit(Adapter(lora(), plan(learning_rate=3e-2)), train=train, dev=dev).report
    looks = {p["step"]: p["stop_rate"] for p in report.curve.points if "stop_rate" in p}
    assert report.stop_rate == looks[report.curve.best_step] != looks[report.curve.steps]


@pytest.mark.parametrize("config", [lora(), IN_FRONT["prefix"]], ids=["lora", "prefix"])
def test_an_adapter_without_effect_is_refused(
    fit: Fit, tmp_path: Path, config: peft.PeftConfig
) -> None:
    """Also one that does not start at zero: a prefix that has learned nothing changes logits."""
    with pytest.raises(
        TrainingError,
        match=r"no effect after 8 steps; check target_modules and raise training\.learning_rate",
    ):
        fit(Adapter(config, replace(SHORT, learning_rate=0.0)))
    assert not (tmp_path / "run" / "training.json").exists()


def test_the_seed_decides_the_weights_and_so_do_the_targets(
    fit: Fit, task: Task, tmp_path: Path
) -> None:
    gentle = replace(SHORT, epochs=1, learning_rate=1e-4)
    straight = fit(Adapter(lora(), gentle), "straight").report
    torch.manual_seed(99)
    again = fit(Adapter(lora(), gentle), "again").report
    other = fit(Adapter(lora(), gentle), "other", seed=1).report
    shuffled = pairs(ShuffledTargets().apply(task.materials, 0).train)
    mixed = fit(Adapter(lora(), gentle), "mixed", train=shuffled).report
    assert straight.sha256 == again.sha256
    assert len({straight.sha256, other.sha256, mixed.sha256}) == 3
    start, elsewhere = (
        load_file(tmp_path / name / "adapter" / "adapter_model.safetensors")
        for name in ("straight", "other")
    )
    a_matrices = [name for name in start if "lora_A" in name]
    # Not only another order of the examples: training alone moves these by 0.0004.
    assert all((start[n] - elsewhere[n]).abs().max() > 0.01 for n in a_matrices)


def test_activation_checkpointing_changes_memory_and_nothing_else(fit: Fit) -> None:
    thrifty = replace(SHORT, activation_checkpointing=True)
    expected = fit(Adapter(lora(), SHORT), "plain").report
    assert fit(Adapter(lora(), thrifty), "thrifty").report.sha256 == expected.sha256


@pytest.mark.parametrize("kind", ["lora", "dora", "ia3", "adalora", "bottleneck"])
def test_a_base_in_bfloat16_learns_much_the_same_and_the_adapter_stays_float32(
    fit: Fit, tmp_path: Path, kind: str
) -> None:
    config, half = MERGED[kind], replace(SHORT, dtype="bfloat16")
    exact = fit(Adapter(config, SHORT), "exact").report.curve.points
    rounded = fit(Adapter(config, half), "rounded").report.curve.points
    for a, b in zip(exact, rounded, strict=True):
        for name in ("loss", "dev_loss"):
            assert a.get(name, 0) == pytest.approx(b.get(name, 0), rel=0.03)
    weights = load_file(tmp_path / "rounded" / "adapter" / "adapter_model.safetensors")
    assert {w.dtype for w in weights.values()} == {torch.float32}


def test_a_model_whose_layers_see_a_window_learns_in_padded_batches(
    fit: Fit, apt_spec: ModelSpec, prompts: list[list[int]], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        sliding_window=16,
        eos_token_id=1,
        initializer_range=0.3,
    )
    source = apt_spec.weights.resolve()
    MistralForCausalLM(config).save_pretrained(tmp_path / "model")
    AutoTokenizer.from_pretrained(source).save_pretrained(tmp_path / "model")
    model = LocalEngine(apt_spec, tmp_path / "model", "windowed")
    tuned = fit(Adapter(lora(), SHORT), engine=model)
    looks = [p["dev_loss"] for p in tuned.report.curve.points if "dev_loss" in p]
    assert looks[-1] < looks[0]
    folder = tmp_path / "run" / "adapter"
    assert answers(tuned.engine, prompts) == by_peft_alone(model, folder, prompts)


def test_a_model_that_caps_its_scores_is_tuned_and_answers_as_peft_says(
    fit: Fit, task: Task, capped: LocalEngine, prompts: list[list[int]], tmp_path: Path
) -> None:
    tuned = fit(Adapter(lora(), replace(SHORT, epochs=1)), engine=capped)
    asked = len(task.materials.dev)
    assert tuned.report.zero_step == {"questions": asked, "identical": asked}
    folder = tmp_path / "run" / "adapter"
    assert answers(tuned.engine, prompts) == by_peft_alone(capped, folder, prompts)
    assert answers(tuned.engine, prompts) != answers(capped, prompts)


@pytest.mark.parametrize(
    ("name", "dtype"), [*((name, "float32") for name in MERGED), ("dora", "bfloat16")]
)
def test_an_untrained_adapter_writes_what_the_base_model_writes(
    fit: Fit, task: Task, tmp_path: Path, name: str, dtype: str
) -> None:
    """The control on everything around training; adapters with another start tell by it."""
    report = fit(Adapter(MERGED[name], plan(epochs=1, dtype=dtype))).report
    asked = len(task.materials.dev)
    assert report.zero_step == {"questions": asked, "identical": asked}
    assert not (tmp_path / "run" / "untrained").exists()


def test_an_adapter_in_front_of_the_weights_does_not_start_at_zero(fit: Fit) -> None:
    assert fit(Adapter(IN_FRONT["prefix"], SHORT)).report.zero_step is None


def test_training_examples_are_counted_once_each(fit: Fit, task: Task) -> None:
    report = fit(Adapter(lora(), SHORT), train=pairs(task.materials.train[:4] * 2)).report
    assert (report.examples, report.distinct) == (8, 4)


@pytest.mark.parametrize("said", [None, 1e-4], ids=["by the width", "explicit"])
def test_a_method_brings_its_rate_beside_the_one_that_training_says(
    fit: Fit, said: float | None
) -> None:
    training = replace(SHORT, learning_rate=said, rate_scale=2.0)
    report = fit(Adapter(lora(), training, rate_scale=3.0)).report
    rates = [p["learning_rate"] for p in report.curve.points if "learning_rate" in p]
    expected = replace(training, rate_scale=6.0).rate(48)
    assert rates == pytest.approx([expected] * report.curve.steps)


def test_a_rate_of_its_own_is_part_of_what_determines_the_weights() -> None:
    plain, scaled = Adapter(lora(), SHORT), Adapter(lora(), SHORT, rate_scale=2.0)
    assert plain.settings == Adapter(lora(), SHORT, rate_scale=1.0).settings
    assert plain.settings["training"] != scaled.settings["training"]


def test_a_config_that_does_not_fit_the_model_is_refused_in_one_line(fit: Fit) -> None:
    with pytest.raises(
        RungUnavailableError,
        match=r"^rung\.tuning\.config: does not fit LlamaForCausalLM: .*c_proj",
    ) as refused:
        fit(Adapter(lora(target_modules=["c_proj"]), SHORT))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("adapter", "complaint"),
    [
        (
            Adapter(lora(), SHORT, rate_scale=0.0),
            r"rung\.tuning\.rate_scale=0\.0: must be a number above 0",
        ),
        (Adapter(adalora(init_r=3), SHORT), r"config\.init_r=3: must be above target_r=3"),
        (
            Adapter(IN_FRONT["prefix"], replace(SHORT, activation_checkpointing=True)),
            r"training\.activation_checkpointing=true: would cut off",
        ),
    ],
)
def test_settings_that_would_train_nothing_are_refused_before_a_model_is_loaded(
    task: Task, adapter: Adapter, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        adapter.check(task.materials)
