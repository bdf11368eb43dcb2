"""A batch without padding teaches what the padded one teaches."""

from __future__ import annotations

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from harness.tuning import flat_batches
from harness.tuning.flat_batches import IGNORED, Encoded, flat_batch, padded_batch

EXAMPLES = [
    Encoded([5, 6, 7, 8, 20, 21], [30, 31, 1]),
    Encoded([5, 6, 7, 8, 22], [32, 1]),
    Encoded([5, 6, 7, 8, 23, 24, 25, 26], [33, 34, 35, 1]),
]


def model(kv_heads: int) -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=50,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=kv_heads,
            initializer_range=0.3,
        )
    ).double()


def test_a_flat_batch_holds_the_prefix_once_and_no_padding() -> None:
    batch = flat_batch(EXAMPLES)
    assert batch["input_ids"].tolist() == [
        [5, 6, 7, 8, 20, 21, 30, 31, 22, 32, 23, 24, 25, 26, 33, 34, 35]
    ]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 4, 5, 6, 7, 8, 9, 10]]
    assert batch["labels"].tolist() == [30, 31, 1, 32, 1, 33, 34, 35, 1]
    predecessors = batch["input_ids"][0, batch["logits_to_keep"]].tolist()
    assert predecessors == [21, 30, 31, 22, 32, 26, 33, 34, 35]


def test_the_stop_token_bears_loss_even_where_it_is_the_pad_token() -> None:
    batch = padded_batch(EXAMPLES, pad=1)
    assert (batch["labels"] == 1).sum() == 3
    assert batch["labels"][1].tolist() == [IGNORED] * 5 + [32, 1] + [IGNORED] * 5
    assert batch["attention_mask"].sum(1).tolist() == [9, 7, 12]


@pytest.mark.parametrize("kv_heads", [4, 2])
@pytest.mark.parametrize("examples", [EXAMPLES, EXAMPLES[:1]])
def test_loss_and_gradient_equal_those_of_the_padded_batch(
    kv_heads: int, examples: list[Encoded]
) -> None:
    flat_batches.register()
    ours, theirs = model(kv_heads), model(kv_heads)
    ours.set_attn_implementation(flat_batches.NAME)
    batch = flat_batch(examples)
    labels = batch.pop("labels")
    logits = ours(**batch, use_cache=False).logits[0]
    loss = torch.nn.functional.cross_entropy(logits, labels)
    loss.backward()

    padded = padded_batch(examples, pad=1)
    wanted = padded.pop("labels")[:, 1:]
    scored = theirs(**padded).logits[:, :-1]
    bears_loss = wanted != IGNORED
    expected = torch.nn.functional.cross_entropy(scored[bears_loss], wanted[bears_loss])
    expected.backward()
    torch.testing.assert_close(loss, expected, atol=1e-6, rtol=1e-6)
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, atol=1e-7, rtol=1e-5, msg=name)


def test_the_attention_gradient_is_right_by_finite_differences() -> None:
    torch.manual_seed(0)
    layout = flat_batches.Layout(3, [2, 4])
    q = torch.randn(4, 9, 2, dtype=torch.double, requires_grad=True)
    k, v = (torch.randn(2, 9, 2, dtype=torch.double, requires_grad=True) for _ in range(2))
    torch.autograd.gradcheck(
        lambda q, k, v: flat_batches._PackedAttention.apply(q, k, v, layout, 0.7),
        (q, k, v),
    )  # fmt: skip
