"""Bottleneck adapters: what they add, and that they answer on the fast way without being merged."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import PeftModel, get_peft_model
from torch.nn.functional import gelu

from harness.models.local.engine import LocalEngine
from harness.tuning.adapter import Adapter
from harness.tuning.bottleneck import BottleneckConfig
from harness.tuning.method import Pair, Tuned
from tests.conftest import plan

PLACES = ["o_proj", "down_proj"]


def config(size: int = 8) -> BottleneckConfig:
    return BottleneckConfig(task_type="CAUSAL_LM", size=size, target_modules=PLACES)


@pytest.fixture(scope="module")
def tuned(apt: LocalEngine, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    words = ("red", "blue", "red code", "a blue note")
    pairs: list[Pair] = [([{"role": "user", "content": w}], w.split()[0]) for w in words * 2]
    folder: Path = tmp_path_factory.mktemp("bottleneck")
    return Adapter(config(), plan(epochs=2)).fit(apt, pairs, pairs, 0, folder)


def test_only_the_narrow_networks_behind_attention_and_mlp_are_trained(tiny: LocalEngine) -> None:
    model = get_peft_model(tiny.fresh(torch.float32), config())
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert all(any(place in name for place in PLACES) for name in trained)
    each = 48 * 8 + 8 + 8 * 48 + 48
    assert sum(p.numel() for p in trained.values()) == 2 * 2 * each


def test_what_is_added_is_up_of_gelu_of_down_of_what_the_layer_wrote(tiny: LocalEngine) -> None:
    base = tiny.fresh(torch.float32)
    plain = base.model.layers[0].mlp.down_proj
    model = get_peft_model(base, config())
    layer = model.base_model.model.model.layers[0].mlp.down_proj
    down, up = layer.bottleneck_down["default"], layer.bottleneck_up["default"]
    x = torch.randn(3, 96)
    assert torch.equal(layer(x), plain(x)), "before the first step nothing is added"
    torch.nn.init.normal_(up.weight)
    torch.testing.assert_close(layer(x) - plain(x), up(gelu(down(plain(x)))), atol=1e-4, rtol=1e-4)
    with model.disable_adapter():
        assert torch.equal(layer(x), plain(x))


def test_a_model_that_answers_has_it_as_plain_layers_and_knows_no_peft(
    apt: LocalEngine, tuned: Tuned
) -> None:
    assert isinstance(tuned.engine, LocalEngine) and tuned.engine.adapter is None
    names = {type(module).__name__ for module in tuned.engine.model.modules()}
    assert "_Added" in names and "_BottleneckLayer" not in names
    loaded = PeftModel.from_pretrained(apt.fresh(torch.float32), tuned.folder / "adapter")
    unloaded = loaded.unload()
    assert "_Added" not in {type(module).__name__ for module in unloaded.modules()}


def test_answers_do_not_depend_on_the_batch(apt: LocalEngine, tuned: Tuned) -> None:
    asked = [[{"role": "user", "content": "red code " * (1 + i % 4) + str(i)}] for i in range(9)]
    prompts = [apt.encode(messages) for messages in asked]

    def answers(size: int | None) -> dict[int, list[int]]:
        assert isinstance(tuned.engine, LocalEngine)
        return {c.index: c.tokens for c in tuned.engine.generate(prompts, 12, size)}

    together = answers(None)
    assert answers(1) == answers(4) == together
    assert together != {c.index: c.tokens for c in apt.generate(prompts, 12)}
