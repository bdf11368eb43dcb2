"""What a prompt-learning adapter has learned stands in front of every prompt, in every batch."""

from __future__ import annotations

import peft
import pytest
import torch
from peft import get_peft_model

from harness.answer import Label
from harness.models.local import padded
from harness.models.local.constraint import compile_constraint
from harness.models.local.decode import Decoded
from harness.models.local.engine import LocalEngine
from harness.models.local.learned_prefix import learned_prefix

VIRTUAL = 5
LABELS = ("red", "red wine", "blue", "code", "colour code")
KINDS = {
    "prefix": peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=VIRTUAL),
    "prompt": peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=VIRTUAL),
    "p_tuning": peft.PromptEncoderConfig(
        task_type="CAUSAL_LM", num_virtual_tokens=VIRTUAL, encoder_hidden_size=16
    ),
}


@pytest.fixture(scope="module", params=KINDS)
def engine(request: pytest.FixtureRequest, tiny: LocalEngine) -> LocalEngine:
    torch.manual_seed(3)
    adapted = get_peft_model(tiny.fresh(torch.float32), KINDS[request.param])
    for p in adapted.prompt_encoder.parameters():
        torch.nn.init.normal_(p, std=0.5)
    return tiny.with_adapter(adapted.eval(), request.param)


@pytest.fixture
def prompts(tiny: LocalEngine) -> list[list[int]]:
    """Of several lengths, with a beginning that is worth sharing."""
    words = ("red", "a blue one", "red ticket", "code", "which colour is it")
    system = {"role": "system", "content": "red blue code note ticket " * 8}
    return [tiny.encode([system, {"role": "user", "content": word}]) for word in words]


def said(done: list[Decoded]) -> list[tuple[list[int], str]]:
    return [(c.tokens, c.finish) for c in sorted(done, key=lambda c: c.index)]


@pytest.mark.parametrize("held", [False, True], ids=["free", "constrained"])
def test_texts_are_those_of_peft_for_one_prompt_at_a_time(
    tiny: LocalEngine, engine: LocalEngine, prompts: list[list[int]], held: bool
) -> None:
    constraint = Label(LABELS).constraint
    begin = compile_constraint(constraint, tiny) if held and constraint else None
    assert len({len(p) for p in prompts}) > 1
    engine.model.set_attn_implementation("sdpa")
    alone = padded.generate(engine.adapter, prompts, engine.stop, 12, 1, 1, constraint=begin)
    expected = said(list(alone))
    for size in (None, 1, 3):
        assert said(list(engine.generate(prompts, 12, size, begin))) == expected
    if not held:
        assert expected != said(list(tiny.generate(prompts, 12)))


def test_virtual_tokens_are_computed_for_nobody(
    tiny: LocalEngine, engine: LocalEngine, prompts: list[list[int]]
) -> None:
    behind = sum(c.computed for c in engine.generate(prompts, 2))
    assert behind == sum(c.computed for c in tiny.generate(prompts, 2))


@torch.no_grad()
def test_a_model_that_caps_its_scores_reads_it_too(capped: LocalEngine) -> None:
    config = peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=VIRTUAL)
    adapted = get_peft_model(capped.fresh(torch.float32), config)
    engine = capped.with_adapter(adapted.eval(), "prompt")
    prompt = capped.encode([{"role": "user", "content": "red ticket"}])
    (done,) = engine.generate([prompt], 6)
    engine.model.set_attn_implementation("eager")
    tokens = list(prompt)
    for _ in done.tokens:
        ids = torch.tensor([tokens])
        tokens.append(int(adapted(ids, attention_mask=torch.ones_like(ids)).logits[0, -1].argmax()))
    assert tokens[len(prompt) :] == done.tokens


def test_it_has_the_keys_and_values_of_every_layer(engine: LocalEngine) -> None:
    learned = learned_prefix(engine.adapter)
    assert len(learned.keys) == len(learned.values) == 2
    assert {t.shape for t in (*learned.keys, *learned.values)} == {(2, VIRTUAL, 8)}
    node = learned.node(waiting=1)
    node.release()
    assert node.keys == [] and len(learned.keys) == 2, "it outlives the prompts of one call"
