"""Weights in four bits: which ones, what they are worth, and that nothing changes them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from harness.models.local import four_bit
from harness.models.local.engine import LocalEngine
from harness.models.local.packed_linear import pack

pytest.importorskip("bitsandbytes", reason="has no wheel for every machine")
PROJECTIONS = 7
"""Linear layers in each of the tiny model's two layers."""


def layers(model: nn.Module) -> dict[str, nn.Linear]:
    return {name: m for name, m in model.named_modules() if four_bit.is_four_bit(m)}  # type: ignore[misc]


def codes(model: nn.Module) -> list[Tensor]:
    return [layer.weight.data.clone() for layer in layers(model).values()]


def test_linear_layers_are_quantized_and_the_embeddings_are_not(tiny: LocalEngine) -> None:
    full, quantized = tiny.fresh(torch.float32), tiny.fresh(torch.float32, quantized=True)
    found = layers(quantized)
    assert len(found) == 2 * PROJECTIONS
    for name, layer in found.items():
        assert layer.weight.dtype == torch.uint8
        weight = full.get_submodule(name).weight
        error = (four_bit.dequantized(layer.weight) - weight).abs().max() / weight.abs().max()
        assert 0 < error < 0.2, "half of the widest gap between NF4's values is 0.15"
        assert layer.weight.quant_state.nested, "the scales are quantized too"  # type: ignore[union-attr]
    embeddings = (model.get_input_embeddings().weight for model in (full, quantized))
    torch.testing.assert_close(*embeddings, atol=0, rtol=0)
    assert quantized.get_output_embeddings().weight is quantized.get_input_embeddings().weight


def test_the_codes_do_not_depend_on_the_precision_that_training_computes_in(
    tiny: LocalEngine,
) -> None:
    exact, rounded = (tiny.fresh(d, quantized=True) for d in (torch.float32, torch.bfloat16))
    for a, b in zip(codes(exact), codes(rounded), strict=True):
        assert torch.equal(a, b)
    assert rounded.get_input_embeddings().weight.dtype == torch.bfloat16
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        assert (exact(ids).logits - rounded(ids).logits).abs().max() < 0.5
        assert rounded(ids).logits.dtype == torch.bfloat16


def test_a_look_at_dev_leaves_codes_and_gradients_as_they_were(tiny: LocalEngine) -> None:
    """On CPUs with bfloat16 bitsandbytes would lay the weights out anew in evaluation."""
    model = tiny.fresh(torch.float32, quantized=True)
    before, ids = codes(model), torch.tensor([[5, 6, 7, 8]])

    def gradient() -> Tensor:
        model.train()
        embedding = model.get_input_embeddings().weight
        embedding.grad = None
        model(ids).logits.square().sum().backward()
        assert embedding.grad is not None
        return embedding.grad.clone()

    first = gradient()
    model.eval()
    with torch.no_grad():
        model(ids)
    for a, b in zip(codes(model), before, strict=True):
        assert torch.equal(a, b)
    assert torch.equal(gradient(), first)


@torch.inference_mode()
def test_a_layer_that_is_laid_out_gives_the_same_and_row_by_row(tiny: LocalEngine) -> None:
    plain, packed = (tiny.fresh(torch.float32, quantized=True) for _ in range(2))
    pack(packed)
    name = "model.layers.1.mlp.down_proj"
    ours, theirs = packed.get_submodule(name), plain.get_submodule(name)
    assert type(ours) is not type(theirs)
    x = torch.randn(300, 96, generator=torch.Generator().manual_seed(1))
    whole = ours(x)
    torch.testing.assert_close(whole, theirs(x), atol=1e-4, rtol=1e-4)
    for count in (2, 16, 33, 128):
        assert torch.equal(ours(x[5 : 5 + count]), whole[5 : 5 + count])


def test_texts_of_four_bits_do_not_depend_on_the_batch(tiny: LocalEngine) -> None:
    engine = tiny.with_weights(tiny.fresh(torch.float32, quantized=True), "four bits")
    prompts = [[0, 5, 6, 7, *range(20, 20 + n), 40 + n] for n in range(1, 9)]

    def texts(batch: int | None) -> dict[int, list[int]]:
        return {done.index: done.tokens for done in engine.generate(prompts, 12, batch)}

    assert texts(1) == texts(3) == texts(None)
    assert texts(None) != {d.index: d.tokens for d in tiny.generate(prompts, 12)}
