"""Chat templates, stop tokens and answers."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from harness.answer import Label
from harness.constraint import Choices
from harness.errors import ConfigError, WeightsError
from harness.models.local import ModelSpec, engine
from harness.models.local.attention import has_sinks
from harness.models.local.constraint import compile_constraint
from harness.models.local.engine import LocalEngine
from harness.models.local.load import load_engine
from harness.models.weights import Folder

ASK = [{"role": "system", "content": "JSON."}, {"role": "user", "content": "red"}]


def test_a_prompt_is_the_chat_template_with_one_bos(tiny: LocalEngine) -> None:
    ids = tiny.encode(ASK)
    assert tiny.tokenizer.decode(ids) == "<s>system\nJSON.</s>\n<s>user\nred</s>\n<s>assistant\n"
    assert ids[0] == tiny.tokenizer.bos_token_id != ids[1]


def test_an_answer_ends_with_the_stop_token_even_where_pad_is_eos(tiny: LocalEngine) -> None:
    assert tiny.tokenizer.pad_token_id == tiny.tokenizer.eos_token_id
    ids = tiny.encode_answer(ASK, "blue")
    assert tiny.tokenizer.decode(ids) == "blue</s>"
    assert ids[-1] in tiny.stop


def test_prompt_and_answer_together_are_the_closed_conversation(tiny: LocalEngine) -> None:
    whole = tiny.tokenizer.apply_chat_template(
        [*ASK, {"role": "assistant", "content": "blue"}], tokenize=False
    )
    ids = tiny.encode(ASK) + tiny.encode_answer(ASK, "blue")
    assert tiny.tokenizer.decode(ids) + "\n" == whole


def test_a_template_without_a_system_turn_gets_the_system_text_in_front(
    tiny_spec: ModelSpec, tiny_folder: Path
) -> None:
    model = LocalEngine(tiny_spec, tiny_folder, "x")
    model.tokenizer.chat_template = (
        "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no') }}"
        "{% endif %}[{{ m['content'] }}]{% endfor %}"
    )
    assert model.tokenizer.decode(model.encode(ASK)) == "[JSON.\n\nred]"


def test_a_template_that_breaks_is_not_taken_for_one_that_refuses_a_system_turn(
    tiny_spec: ModelSpec, tiny_folder: Path
) -> None:
    model = LocalEngine(tiny_spec, tiny_folder, "x")
    model.tokenizer.chat_template = "{{ 1 + messages[0]['content'] }}"
    with pytest.raises(TypeError, match="unsupported operand"):
        model.encode(ASK)


def test_a_model_without_a_chat_template_is_refused(tiny_spec: ModelSpec, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, LlamaForCausalLM

    source = Path(tiny_spec.weights.path)  # type: ignore[attr-defined]
    LlamaForCausalLM.from_pretrained(source).save_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(source)
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match="has no chat template; choose an instruct model"):
        load_engine(replace(tiny_spec, weights=Folder(str(tmp_path))))


def test_weights_that_are_used_twice_count_once(tiny: LocalEngine) -> None:
    from transformers import LlamaForCausalLM

    plain = LlamaForCausalLM.from_pretrained(tiny.folder)
    assert tiny.parameters == sum(p.numel() for p in plain.parameters())


@pytest.mark.parametrize(
    ("change", "complaint"),
    [({"dtype": "float8"}, r"model\.dtype=float8"), ({"device": "cuda"}, r"model\.device=cuda")],
)
def test_a_precision_or_device_that_is_not_there_is_refused(
    tiny_spec: ModelSpec, change: dict[str, str], complaint: str
) -> None:
    if torch.cuda.is_available() and "device" in change:
        pytest.skip("there is a GPU")
    with pytest.raises(ConfigError, match=complaint):
        _ = load_engine(replace(tiny_spec, **change)).model  # type: ignore[arg-type]


def test_mixed_precision_needs_a_processor_with_bfloat16(
    tiny_spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_multiplies_in_bfloat16", lambda device: False)
    with pytest.raises(ConfigError, match=r"model\.dtype=mixed: needs a CPU with bfloat16"):
        load_engine(replace(tiny_spec, dtype="mixed"))


@pytest.mark.skipif(
    not engine._multiplies_in_bfloat16(torch.device("cpu")), reason="no bfloat16 here"
)
def test_mixed_precision_says_the_same_at_every_batch_size(tiny_spec: ModelSpec) -> None:
    model = load_engine(replace(tiny_spec, dtype="mixed"))
    assert model.model.dtype == torch.float32
    prompts = [model.encode([{"role": "user", "content": f"red ticket {i}" * i}]) for i in range(9)]
    found = [{c.index: c.tokens for c in model.generate(prompts, 8, size)} for size in (None, 1, 4)]
    assert found[0] == found[1] == found[2]


def test_an_architecture_with_a_short_window_answers_through_plain_generate(
    tiny_spec: ModelSpec, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = LocalEngine(tiny_spec, tiny_folder, "x")
    prompts = [model.encode(ASK), model.encode(ASK[1:])]
    labels = compile_constraint(Label(["red", "red wine", "blue"]).constraint, model)

    def answers() -> list[dict[int, list[int]]]:
        asked = [model.generate(prompts, 6, constraint=begin) for begin in (None, labels)]
        return [{c.index: c.tokens for c in done} for done in asked]

    shared = answers()
    # The very last token is never attended to, so this window cuts nothing off.
    model.model.config.sliding_window = max(map(len, prompts)) + 5
    monkeypatch.setattr(engine, "generate", None)
    assert answers() == shared


@pytest.mark.parametrize("window", [4096, 8], ids=["shared prefixes", "plain generate"])
def test_a_model_that_caps_its_scores_answers_as_plain_forward_passes_do(
    capped: LocalEngine, window: int
) -> None:
    model = capped.with_weights(capped.fresh(torch.float32), "x")
    reference = capped.fresh(torch.float32)
    for one in (model.model, reference):
        one.config.sliding_window = window
    prompts = [model.encode(ASK), model.encode(ASK[1:])]
    for done in model.generate(prompts, 6):
        tokens = list(prompts[done.index])
        for _ in done.tokens:
            with torch.no_grad():
                tokens.append(int(reference(torch.tensor([tokens])).logits[0, -1].argmax()))
        assert tokens[len(prompts[done.index]) :] == done.tokens


def test_weights_are_let_go_where_they_can_be_read_again_and_the_memory_is_a_gpus(
    tiny_spec: ModelSpec, tiny_folder: Path
) -> None:
    model = LocalEngine(tiny_spec, tiny_folder, "x")
    weights = model.model
    model.release()
    assert model.model is weights, "a CPU keeps them"
    tuned = model.with_weights(model.fresh(torch.float32), "tuned")
    tuned_weights = tuned.model
    for one in (model, tuned):
        one.device = torch.device("cuda")
        one.release()
        one.device = torch.device("cpu")
    assert model.model is not weights
    assert tuned.model is tuned_weights, "they are nowhere else"


def test_an_answer_is_a_text_with_what_it_took(tiny: LocalEngine) -> None:
    choices = Choices(("red", "blue wine"))
    done = {c.index: c for c in tiny.answer([ASK, ASK[1:]], 16, choices)}
    assert {c.text for c in done.values()} <= set(choices.texts)
    for index, conversation in enumerate((ASK, ASK[1:])):
        usage = done[index].usage
        assert usage.prompt_tokens == len(tiny.encode(conversation))
        assert usage.completion_tokens == tiny.count_answers([done[index].text])[0] - 1
        assert (done[index].finish, usage.batch) == ("stop", 2)
    assert tiny.count([ASK]) == [len(tiny.encode(ASK))]


@pytest.mark.parametrize("name", ["tiny", "capped"])
def test_the_probabilities_of_answers_are_those_of_their_tokens_one_by_one(
    request: pytest.FixtureRequest, name: str
) -> None:
    model: LocalEngine = request.getfixturevalue(name)
    texts = ["red", "a blue code", "red ticket " * 3]
    asked = [ASK, ASK[1:]]
    found = model.log_probabilities(asked, [texts, texts[:2]])
    reference = model.fresh(torch.float32)
    for conversation, values in zip(asked, found, strict=True):
        for text, value in zip(texts, values, strict=False):
            prompt, answer = model.encode(conversation), model.encode_answer(conversation, text)
            with torch.no_grad():
                logits = reference(torch.tensor([prompt + answer])).logits[0].log_softmax(-1)
            expected = sum(
                float(logits[len(prompt) + i - 1, token]) for i, token in enumerate(answer)
            )
            assert value == pytest.approx(expected, abs=1e-3)
    assert [len(values) for values in found] == [3, 2]


def test_all_choices_and_what_is_none_of_them_share_one_certainty(tiny: LocalEngine) -> None:
    """Answers that exclude each other cannot be more probable than certain together."""
    (values,) = tiny.log_probabilities([ASK], [[f"red {i}" for i in range(40)]])
    assert 0 < sum(math.exp(v) for v in values) < 1


def test_what_determines_texts_is_told_without_loading_anything(tiny_spec: ModelSpec) -> None:
    exact = tiny_spec.identity()
    assert exact["dtype"] == "float32" and exact["device"] == "cpu"
    assert replace(tiny_spec, batch_size=3).identity() == exact
    rounded = replace(tiny_spec, dtype="bfloat16").identity()
    assert rounded["torch"] == torch.__version__ and "torch" not in exact


def test_learned_sinks_keep_a_model_from_our_attention() -> None:
    layer = nn.Module()
    assert not has_sinks(layer)
    layer.self_attn = nn.Module()
    layer.self_attn.sinks = nn.Parameter(torch.zeros(2))
    assert has_sinks(layer)
