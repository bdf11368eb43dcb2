"""Weights in four bits: which ones, what they are worth, and that nothing changes them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from harness.errors import RungUnavailableError
from harness.models.local import four_bit
from harness.models.local.engine import LocalEngine

bitsandbytes = pytest.importorskip("bitsandbytes", reason="has no wheel for every machine")
dequantize_4bit = bitsandbytes.functional.dequantize_4bit
PROJECTIONS = 7
"""Linear layers in each of the two layers of the model."""


def layers(model: nn.Module) -> dict[str, nn.Linear]:
    return {name: m for name, m in model.named_modules() if four_bit.is_four_bit(m)}  # type: ignore[misc]


def codes(model: nn.Module) -> list[Tensor]:
    return [layer.weight.data.clone() for layer in layers(model).values()]


def test_linear_layers_are_quantized_and_the_embeddings_are_not(even: LocalEngine) -> None:
    full, quantized = even.fresh(torch.float32), even.fresh(torch.float32, quantized=True)
    found = layers(quantized)
    assert len(found) == 2 * PROJECTIONS
    for name, layer in found.items():
        assert layer.weight.dtype == torch.uint8
        weight = full.get_submodule(name).weight
        values = dequantize_4bit(layer.weight.data, layer.weight.quant_state)  # type: ignore[arg-type]
        error = (values - weight).abs().max() / weight.abs().max()
        assert 0 < error < 0.16, "half of the widest gap between NF4's values is 0.152"
        assert layer.weight.quant_state.nested, "the scales are quantized too"  # type: ignore[union-attr]
    embeddings = (model.get_input_embeddings().weight for model in (full, quantized))
    torch.testing.assert_close(*embeddings, atol=0, rtol=0)
    assert quantized.get_output_embeddings().weight is quantized.get_input_embeddings().weight


def test_the_codes_do_not_depend_on_the_precision_that_training_computes_in(
    even: LocalEngine,
) -> None:
    exact, rounded = (even.fresh(d, quantized=True) for d in (torch.float32, torch.bfloat16))
    for a, b in zip(codes(exact), codes(rounded), strict=True):
        assert torch.equal(a, b)
    assert rounded.get_input_embeddings().weight.dtype == torch.bfloat16
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        assert (exact(ids).logits - rounded(ids).logits).abs().max() < 0.5
        assert rounded(ids).logits.dtype == torch.bfloat16


def test_a_look_at_dev_leaves_codes_and_gradients_as_they_were(even: LocalEngine) -> None:
    """On CPUs with bfloat16 bitsandbytes would lay the weights out anew in evaluation."""
    model = even.fresh(torch.float32, quantized=True)
    before, ids = codes(model), torch.tensor([[5, 6, 7, 8]])

    def gradient() -> Tensor:
        model.train()
        embedding = model.get_input_embeddings().weight.requires_grad_()
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


def test_layers_that_a_cpu_would_read_back_wrong_are_refused(tiny: LocalEngine) -> None:
    with pytest.raises(
        RungUnavailableError, match=r"layers of 48 inputs, .* take a GPU, or rung=lora"
    ):
        tiny.fresh(torch.float32, quantized=True)


def test_texts_of_four_bits_do_not_depend_on_the_batch(even: LocalEngine) -> None:
    engine = even.with_weights(even.fresh(torch.float32, quantized=True), "four bits")
    prompts = [[0, 5, 6, 7, *range(20, 20 + n), 40 + n] for n in range(1, 9)]

    def texts(batch: int | None) -> dict[int, list[int]]:
        return {done.index: done.tokens for done in engine.generate(prompts, 12, batch)}

    assert texts(1) == texts(3) == texts(None)
    assert texts(None) != {d.index: d.tokens for d in even.generate(prompts, 12)}
