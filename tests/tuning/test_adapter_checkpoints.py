"""Checkpoints of adapters whose own format is made for answering: training goes on from them."""

from __future__ import annotations

from pathlib import Path

import peft
import pytest
import torch

from harness.models.local.engine import LocalEngine
from harness.tuning import adalora as allocation
from harness.tuning import adapter_checkpoints
from harness.tuning.bottleneck import BottleneckConfig
from tests.conftest import adalora
from tests.tuning.test_trainer import adapted, fit, interrupted, last_checkpoint

KINDS = {
    "adalora": adalora(),
    "prefix": peft.PrefixTuningConfig(
        task_type="CAUSAL_LM", num_virtual_tokens=4, prefix_projection=True, encoder_hidden_size=16
    ),
    "bottleneck": BottleneckConfig(
        task_type="CAUSAL_LM", size=8, target_modules=["o_proj", "down_proj"]
    ),
    "ia3": peft.IA3Config(task_type="CAUSAL_LM"),
}
STEPS = 12


def fresh(model: LocalEngine, kind: str) -> peft.PeftModel:
    config = KINDS[kind]
    allocation.schedule(config, STEPS)
    return adapted(model, config=config)


@pytest.mark.parametrize("kind", KINDS)
def test_training_that_was_killed_ends_where_it_would_have_ended(
    tiny: LocalEngine, tmp_path: Path, kind: str
) -> None:
    straight = fresh(tiny, kind)
    expected = fit(straight, tmp_path / "straight")
    for after in (9, 18):
        broken, resumed, folder = fresh(tiny, kind), fresh(tiny, kind), tmp_path / f"{after}"
        with pytest.raises(InterruptedError):
            fit(broken, folder, collate=interrupted(after))
        assert 0 < last_checkpoint(folder) < STEPS
        curve = fit(resumed, folder)
        assert curve.points == expected.points
        ours, theirs = dict(resumed.named_parameters()), dict(straight.named_parameters())
        torch.testing.assert_close(ours, theirs, atol=0, rtol=0)
        assert allocation.ranks(resumed) == allocation.ranks(straight)


def test_a_checkpoint_has_what_is_trained_and_no_base_weights(
    tiny: LocalEngine, tmp_path: Path
) -> None:
    model = fresh(tiny, "bottleneck")
    adapter_checkpoints.save(model, tmp_path)
    state = torch.load(tmp_path / "trained.pt", weights_only=True)
    assert all("bottleneck_" in name for name in state["weights"])
    assert len(state["weights"]) == 2 * 2 * 4  # layers, places, weights and biases


def test_a_folder_without_one_is_left_to_others(tiny: LocalEngine, tmp_path: Path) -> None:
    assert not adapter_checkpoints.load(fresh(tiny, "ia3"), tmp_path)
