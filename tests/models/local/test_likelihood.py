"""How probable texts are, against plain forward passes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from transformers import PreTrainedModel

from harness.models.local import likelihood
from harness.models.local.engine import LocalEngine
from harness.tuning.adapter import Adapter
from tests.conftest import plan

SYSTEM = {"role": "system", "content": "red blue code note ticket " * 4}
ASKED = [[SYSTEM, {"role": "user", "content": text}] for text in ("red", "a blue code", "red code")]
TEXTS = ["red", "red ticket", "red ticket blue", "blue", "blue", "red note"]


@pytest.fixture(scope="module")
def reference(tiny: LocalEngine) -> PreTrainedModel:
    """The same weights as transformers has them."""
    return tiny.fresh(torch.float32)


@torch.no_grad()
def summed(model: PreTrainedModel, prompt: Sequence[int], answer: Sequence[int]) -> float:
    logs = model(torch.tensor([[*prompt, *answer]])).logits[0].log_softmax(-1)
    return sum(float(logs[len(prompt) + i - 1, token]) for i, token in enumerate(answer))


@pytest.mark.parametrize("ended", [True, False])
def test_answers_that_share_a_prompt_and_beginnings_are_as_probable_as_alone(
    tiny: LocalEngine, reference: PreTrainedModel, ended: bool
) -> None:
    found = tiny.log_probabilities(ASKED, [TEXTS] * len(ASKED), ended=ended)
    for conversation, values in zip(ASKED, found, strict=True):
        prompt = tiny.encode(conversation)
        written = [tiny.encode_answer(conversation, text) for text in TEXTS]
        expected = [summed(reference, prompt, w if ended else w[:-1]) for w in written]
        assert values == pytest.approx(expected, abs=1e-4)


def test_one_question_alone_is_what_it_is_among_others(tiny: LocalEngine) -> None:
    together = tiny.log_probabilities(ASKED, [TEXTS, [], TEXTS[:1]])
    alone = tiny.log_probabilities(ASKED[:1], [TEXTS])
    assert together[0] == pytest.approx(alone[0], abs=1e-4)
    assert [len(values) for values in together] == [6, 0, 1]
    assert tiny.log_probabilities([], []) == []


def test_the_tree_and_padded_batches_say_the_same(
    tiny: LocalEngine, reference: PreTrainedModel
) -> None:
    prompt = tiny.encode(ASKED[0])
    written = [tiny.encode_answer(ASKED[0], f"{text} {i}") for i in range(5) for text in TEXTS]
    assert len(written) > likelihood.SIDE_BY_SIDE
    with torch.inference_mode():
        (tree,) = likelihood.answers(reference, [prompt], [written])
        batches = likelihood.answers_in_batches(reference, prompt, written)
    assert tree == pytest.approx(batches, abs=1e-4)


def test_an_architecture_with_a_short_window_is_asked_in_batches(
    tiny: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    (expected,) = tiny.log_probabilities(ASKED[:1], [TEXTS])
    monkeypatch.setattr("harness.models.local.engine._fits_shared_prefix", lambda *_: False)
    monkeypatch.setattr(likelihood, "answers", None)
    (found,) = tiny.log_probabilities(ASKED[:1], [TEXTS])
    assert found == pytest.approx(expected, abs=1e-4)


def test_the_cross_entropy_of_a_text_is_the_loss_that_transformers_computes(
    tiny: LocalEngine, reference: PreTrainedModel
) -> None:
    texts = ["red blue code note. ticket 7!", "a much longer text about assistants " * 3]
    found = tiny.text_log_probabilities(texts, 1000)
    for text, values in zip(texts, found, strict=True):
        ids = torch.tensor([tiny.tokenizer(text).input_ids])
        with torch.no_grad():
            loss = float(reference(ids, labels=ids).loss)
        assert -sum(values) / len(values) == pytest.approx(loss, abs=1e-4)


def test_of_a_text_only_the_first_tokens_count_and_the_first_one_has_no_condition(
    tiny: LocalEngine,
) -> None:
    whole, cut, single = (
        tiny.text_log_probabilities(["red blue code note"], n)[0] for n in (1000, 5, 1)
    )
    assert cut == pytest.approx(whole[:4], abs=1e-4)
    assert single == []


def test_distributions_hold_the_probability_of_the_answer_that_was_given(
    tiny: LocalEngine,
) -> None:
    found = tiny.distributions(ASKED[0], "red ticket")
    tokens = tiny.encode_answer(ASKED[0], "red ticket")
    assert found.shape == (len(tokens), tiny.config.vocab_size)
    assert torch.tensor(found).exp().sum(-1).tolist() == pytest.approx([1.0] * len(tokens))
    (value,) = tiny.log_probabilities(ASKED[:1], [["red ticket"]])[0]
    assert found[range(len(tokens)), tokens].sum() == pytest.approx(value, abs=1e-4)


def test_an_adapter_in_front_of_the_weights_counts_from_the_end(
    apt: LocalEngine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Virtual tokens stand before the prompt."""
    from peft import PromptTuningConfig

    method = Adapter(PromptTuningConfig(num_virtual_tokens=3, task_type="CAUSAL_LM"), plan())
    pairs = [(ASKED[0], "red"), (ASKED[1], "blue")]
    folder = tmp_path_factory.mktemp("prompt_tuning")
    tuned = method.fit(apt, pairs, pairs, 0, folder).engine
    assert isinstance(tuned, LocalEngine) and tuned.adapter is not None
    (values,) = tuned.log_probabilities(ASKED[:1], [["red"]])
    tokens = tuned.encode_answer(ASKED[0], "red")
    found = tuned.distributions(ASKED[0], "red")
    assert found[range(len(tokens)), tokens].sum() == pytest.approx(values[0], abs=1e-4)
    assert len(tuned.text_log_probabilities(["red blue"], 9)[0]) == len(
        apt.text_log_probabilities(["red blue"], 9)[0]
    )
    assert tuned.text_log_probabilities(["red blue"], 9) != apt.text_log_probabilities(
        ["red blue"], 9
    )
