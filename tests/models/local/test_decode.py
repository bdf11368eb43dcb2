"""Shared-prefix decoding gives what transformers' plain `generate` gives."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from harness.models.local import attention, decode
from harness.models.local.decode import Decoded, generate
from harness.models.local.packed_linear import pack
from harness.models.local.prefix_tree import build

STOP = frozenset({1})


def reference(model: LlamaForCausalLM, prompt: list[int], new: int) -> list[int]:
    """One prompt at a time through transformers' own generate."""
    model.set_attn_implementation("sdpa")
    output = model.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        max_new_tokens=new,
        do_sample=False,
        eos_token_id=1,
        pad_token_id=1,
    )
    tokens = output[0, len(prompt) :].tolist()
    return tokens[: tokens.index(1)] if 1 in tokens else tokens


def prompt_forest(rng: random.Random, count: int) -> list[list[int]]:
    """Prompts from a random tree of prefixes, of ragged lengths."""

    def run(low: int, high: int) -> list[int]:
        return [rng.randrange(2, 200) for _ in range(rng.randrange(low, high))]

    trunks = [run(30, 80) for _ in range(2)]
    branches = [rng.choice(trunks) + run(10, 40) for _ in range(4)]
    return [rng.choice([*trunks, *branches, []]) + run(1, 25) for _ in range(count)]


@pytest.fixture(params=["gqa", "mha"])
def model(request: pytest.FixtureRequest) -> LlamaForCausalLM:
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=200,
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=6,
        num_key_value_heads=2 if request.param == "gqa" else 6,
        max_position_embeddings=512,
        eos_token_id=1,
        initializer_range=0.4,
    )
    return LlamaForCausalLM(config).eval()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("batch_size", [None, 1, 3])
def test_texts_equal_plain_generate(
    model: LlamaForCausalLM, seed: int, batch_size: int | None
) -> None:
    prompts = prompt_forest(random.Random(seed), 12)
    expected = [reference(model, p, 12) for p in prompts]
    assert any(len(tokens) < 12 for tokens in expected) or seed, "some sequence should stop early"
    done = list(generate(model, prompts, stop=STOP, max_new_tokens=12, batch_size=batch_size))
    assert {c.index: c.tokens for c in done} == dict(enumerate(expected))
    for c in done:
        assert c.finish == ("stop" if len(c.tokens) < 12 else "length")


def test_logits_equal_those_of_the_full_prompt(
    model: LlamaForCausalLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []
    choose = decode._choose

    def spy(logits: torch.Tensor, sequences: list[object]) -> list[int]:
        seen.extend(logits[: len(sequences)].clone())
        return choose(logits, sequences)  # type: ignore[arg-type]

    monkeypatch.setattr(decode, "_choose", spy)
    prompts = prompt_forest(random.Random(9), 8)
    order = [i for i, _ in build(prompts, decode.MIN_SAVING)]
    list(generate(model, prompts, stop=STOP, max_new_tokens=1))
    model.set_attn_implementation("sdpa")
    with torch.no_grad():
        for logits, i in zip(seen, order, strict=True):
            whole = model(torch.tensor([prompts[i]])).logits[0, -1]
            torch.testing.assert_close(logits, whole, atol=2e-5, rtol=1e-4)


def test_an_adapter_in_front_of_the_weights_makes_no_difference_to_the_method(
    model: LlamaForCausalLM,
) -> None:
    from peft import LoraConfig, get_peft_model

    adapted = get_peft_model(
        model, LoraConfig(target_modules="all-linear", init_lora_weights=False)
    )
    prompts = prompt_forest(random.Random(4), 6)
    expected = [reference(adapted.get_base_model(), p, 8) for p in prompts]
    done = generate(adapted.get_base_model(), prompts, stop=STOP, max_new_tokens=8)
    assert {c.index: c.tokens for c in done} == dict(enumerate(expected))


def test_packed_weights_make_no_difference(model: LlamaForCausalLM) -> None:
    prompts = prompt_forest(random.Random(5), 6)
    expected = [reference(model, p, 8) for p in prompts]
    pack(model)
    done = generate(model, prompts, stop=STOP, max_new_tokens=8)
    assert {c.index: c.tokens for c in done} == dict(enumerate(expected))


def test_shared_tokens_are_computed_once(model: LlamaForCausalLM) -> None:
    prefix = list(range(2, 102))
    prompts = [[*prefix, 110 + i] for i in range(10)]
    done = list(generate(model, prompts, stop=frozenset(), max_new_tokens=2))
    assert sum(c.computed for c in done) == len(prefix) + len(prompts)


def test_running_out_of_memory_halves_the_batch_and_loses_nothing(
    model: LlamaForCausalLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = prompt_forest(random.Random(6), 9)
    expected = {i: reference(model, p, 6) for i, p in enumerate(prompts)}
    empty = attention.SuffixCache.empty
    asked: list[int] = []

    def small_machine(
        layers: int, shape: tuple[int, ...], like: torch.Tensor
    ) -> attention.SuffixCache:
        asked.append(shape[0])
        if shape[0] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return empty(layers, shape, like)  # type: ignore[arg-type]

    monkeypatch.setattr(attention.SuffixCache, "empty", small_machine)
    done = list(generate(model, prompts, stop=STOP, max_new_tokens=6, batch_size=8))
    assert asked == [8, 4, 2]
    assert {c.index: c.tokens for c in done} == expected
    assert {c.batch for c in done} == {2}


def test_less_memory_than_one_answer_takes_is_an_error(
    model: LlamaForCausalLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_machine(*arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr(attention.SuffixCache, "empty", no_machine)
    with pytest.raises(MemoryError):
        list(generate(model, [[2, 3]] * 4, stop=STOP, max_new_tokens=6))


def test_slots_are_filled_before_answering_goes_on(
    model: LlamaForCausalLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small passes use the cores badly: however little one pass takes in, none stays empty."""
    steps: list[int] = []
    advance = decode._Batch._advance

    def spy(self: decode._Batch, sequences: list[decode._Sequence]) -> Iterator[Decoded]:
        steps.append(len(sequences))
        return advance(self, sequences)

    monkeypatch.setattr(decode, "PREFILL_ROWS", 50)
    monkeypatch.setattr(decode._Batch, "_advance", spy)
    prompts = [[2 + i] * 20 for i in range(10)]
    list(generate(model, prompts, stop=frozenset(), max_new_tokens=3, batch_size=5))
    assert steps == [3, 2, 5, 5] * 2


def test_turns_are_of_equal_size(model: LlamaForCausalLM, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "MOST_SLOTS", 8)
    prompts = [[2 + i] for i in range(9)]
    done = list(generate(model, prompts, stop=frozenset(), max_new_tokens=2))
    assert {c.batch for c in done} == {5}


class Countdown:
    """Allows one token, then the one below it, down to the stop token; every other is forced."""

    def __init__(self) -> None:
        self.next = 9

    def allowed(self) -> torch.Tensor:
        return torch.arange(100) == self.next  # the model has 200 tokens

    def advance(self, token: int) -> list[int]:
        assert token == self.next
        self.next -= 2
        return [token - 1] if token > 1 else []


def test_a_constraint_decides_and_forced_tokens_take_no_pass(model: LlamaForCausalLM) -> None:
    prompts = prompt_forest(random.Random(7), 5)
    done = list(generate(model, prompts, stop=STOP, max_new_tokens=12, constraint=Countdown))
    assert [c.tokens for c in done] == [[9, 8, 7, 6, 5, 4, 3, 2]] * 5
    assert {c.finish for c in done} == {"stop"}


def test_a_constraint_begins_anew_when_memory_ran_out_on_the_way(
    model: LlamaForCausalLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []
    forward = decode._Batch._forward

    def failing_once(*arguments: object) -> torch.Tensor:
        passes.append(1)
        if len(passes) == 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(decode._Batch, "_forward", failing_once)
    prompts = prompt_forest(random.Random(7), 5)
    done = list(generate(model, prompts, stop=STOP, max_new_tokens=12, constraint=Countdown))
    assert [c.tokens for c in done] == [[9, 8, 7, 6, 5, 4, 3, 2]] * 5


def test_other_errors_are_not_taken_for_a_lack_of_memory(
    model: LlamaForCausalLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(attention.SuffixCache, "empty", broken)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        list(generate(model, [[5, 6]], stop=STOP, max_new_tokens=2))


def test_garbage_beyond_a_sequence_does_not_reach_it(model: LlamaForCausalLM) -> None:
    """SuffixCache are reused by the next sequence: what the last one left must not matter."""
    long_first = [[5] * 60, [6] * 3, [7] * 2]
    expected = {i: reference(model, p, 5) for i, p in enumerate(long_first)}
    done = generate(model, long_first, stop=STOP, max_new_tokens=5, batch_size=1)
    assert {c.index: c.tokens for c in done} == expected


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_texts_equal_plain_generate_on_a_gpu(model: LlamaForCausalLM) -> None:
    prompts = prompt_forest(random.Random(8), 12)
    model.to("cuda").double()  # float64: the comparison is about the method, not about rounding
    model.set_attn_implementation("sdpa")
    done = list(generate(model, prompts, stop=STOP, max_new_tokens=12))
    for c in done:
        ids = torch.tensor([prompts[c.index]], device="cuda")
        model.set_attn_implementation("sdpa")
        out = model.generate(ids, max_new_tokens=12, do_sample=False, pad_token_id=1)[0]
        tokens = out[ids.shape[1] :].tolist()
        assert c.tokens == (tokens[: tokens.index(1)] if 1 in tokens else tokens)


@pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="this processor has no bfloat16"
)
@pytest.mark.parametrize("seed", range(3))
def test_with_products_in_bfloat16_the_last_bit_does_not_depend_on_what_stands_beside(
    model: LlamaForCausalLM, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    prompts = prompt_forest(random.Random(seed), 24)
    pack(model, torch.bfloat16)
    seen: dict[tuple[int, int], torch.Tensor] = {}
    choose = decode._choose

    def spy(logits: torch.Tensor, sequences: list[decode._Sequence]) -> list[int]:
        for row, s in zip(logits, sequences, strict=False):
            place = (s.index, len(s.output))
            assert torch.equal(seen.setdefault(place, row.clone()), row)
        return choose(logits, sequences)

    monkeypatch.setattr(decode, "_choose", spy)
    found = []
    for size in (None, 1, 3, 8):
        done = generate(model, prompts, stop=STOP, max_new_tokens=12, batch_size=size, steady=True)
        found.append({c.index: c.tokens for c in done})
    assert found.count(found[0]) == len(found)


@pytest.mark.parametrize("seed", range(3))
def test_steady_sums_are_those_of_plain_generate_in_float32(
    model: LlamaForCausalLM, seed: int
) -> None:
    prompts = prompt_forest(random.Random(seed), 12)
    expected = [reference(model, p, 12) for p in prompts]
    done = generate(model, prompts, stop=STOP, max_new_tokens=12, batch_size=3, steady=True)
    assert {c.index: c.tokens for c in done} == dict(enumerate(expected))
