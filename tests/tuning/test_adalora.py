"""AdaLoRA: that its ranks are allocated, whatever becomes of the training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from harness.errors import TrainingError
from harness.models.local.engine import LocalEngine
from harness.tuning import adalora as method
from harness.tuning.adapter import Adapter
from harness.tuning.flat_batches import Encoded
from harness.tuning.method import Pair
from tests.conftest import adalora, lora, plan
from tests.tuning.test_trainer import DEV, LESSONS, adapted, column, fit, plain_loss

LAYERS = 2 * 7
STEPS = 12


def scheduled(steps: int = STEPS, **changes: object):  # type: ignore[no-untyped-def]
    config = adalora(**changes)
    method.schedule(config, steps)
    return config


def orthonormal(model: PeftModel) -> float:
    """How far the rows of A are from it, on average."""
    rows = [p.detach() for n, p in model.named_parameters() if "lora_A" in n]
    return sum(float((a @ a.T - torch.eye(len(a))).norm()) for a in rows) / len(rows)


@pytest.mark.parametrize(
    ("steps", "tinit", "tfinal"), [(200, 30, 100), (12, 2, 6), (3, 0, 1), (2, 0, 0)]
)
def test_the_schedule_follows_the_steps_that_training_has(
    steps: int, tinit: int, tfinal: int
) -> None:
    config = scheduled(steps)
    assert (config.total_step, config.tinit, config.tfinal) == (steps, tinit, tfinal)


def test_one_step_is_too_short_and_other_adapters_have_no_schedule() -> None:
    with pytest.raises(TrainingError, match=r"2 steps at least, but training has 1; add train"):
        scheduled(1)
    config = lora()
    method.schedule(config, 1)
    assert config.to_dict() == lora().to_dict()


@pytest.mark.parametrize("epochs", [1, 3])
def test_ranks_end_at_the_budget_and_differ_between_layers(
    tiny: LocalEngine, tmp_path: Path, epochs: int
) -> None:
    model = adapted(tiny, config=scheduled(4 * epochs))
    before = method.ranks(model)
    fit(model, tmp_path, epochs=epochs)
    after = method.ranks(model)
    assert before == {
        "initial": 6 * LAYERS, "target": 3 * LAYERS, "final": 6 * LAYERS, "least": 6, "most": 6
    }  # fmt: skip
    assert after is not None
    assert after["final"] == after["target"] == 3 * LAYERS
    assert after["least"] < after["most"]
    assert method.ranks(adapted(tiny)) is None


def test_masked_ranks_are_zero_in_the_weights_that_were_best_on_dev(
    tiny: LocalEngine, tmp_path: Path
) -> None:
    """Dev contradicts train, so that its loss rises in the end and training stops early."""
    model = adapted(tiny, config=scheduled(80))
    dev = [Encoded(e.prompt, [31 if t == 30 else t for t in e.completion]) for e in DEV]
    curve = fit(model, tmp_path, dev=dev, epochs=20, patience=2, learning_rate=3e-2)
    assert curve.best_step < curve.steps < 80, "else nothing is loaded again"
    kept = model.active_peft_config.rank_pattern
    values = {n: p for n, p in model.base_model.model.named_parameters() if "lora_E" in n}
    assert len(values) == LAYERS
    for name, value in values.items():
        assert (value.flatten() != 0).tolist() == kept[name]


def test_dev_is_first_evaluated_when_the_budget_is_reached(
    tiny: LocalEngine, tmp_path: Path
) -> None:
    curve = fit(adapted(tiny, config=scheduled()), tmp_path, evaluations_per_epoch=4)
    looks = [p["step"] for p in curve.points if "dev_loss" in p]
    assert looks == [6, 7, 8, 9, 10, 11, 12]
    assert curve.best_step in looks


def test_the_penalty_straightens_the_vectors_and_stays_out_of_the_curve(
    tiny: LocalEngine, tmp_path: Path
) -> None:
    free, held = (adapted(tiny, config=scheduled(orth_reg_weight=w)) for w in (0.0, 5.0))
    curves = [
        fit(model, tmp_path / str(i), epochs=3, learning_rate=3e-2)
        for i, model in enumerate((free, held))
    ]
    assert orthonormal(held) < orthonormal(free) / 2
    firsts = [column(curve, "loss")[0] for curve in curves]
    assert firsts[0] == firsts[1] < plain_loss(adapted(tiny), LESSONS) * 2
    assert method.orthogonality(adapted(tiny)) is None


def test_the_adapter_on_disk_has_the_ranks_that_the_report_tells(
    apt: LocalEngine, tmp_path: Path
) -> None:
    words = ("red", "blue", "red code", "blue note")
    pairs: list[Pair] = [([{"role": "user", "content": w}], w.split()[0]) for w in words * 2]
    report = Adapter(adalora(), plan(epochs=2)).fit(apt, pairs, pairs, 0, tmp_path).report
    weights = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    each = [w.shape[0] for n, w in weights.items() if n.endswith("lora_E")]
    assert report.ranks == {
        "initial": 6 * LAYERS, "target": 3 * LAYERS, "final": sum(each),
        "least": min(each), "most": max(each),
    }  # fmt: skip
    assert report.record()["ranks"] == report.ranks
