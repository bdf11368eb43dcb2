"""transformers' own `generate`: constraints hold there as in the engine with shared prefixes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import peft
import pytest
from peft import get_peft_model

from harness.answer import Answer, Json, Label
from harness.models.local import padded
from harness.models.local.constraint import compile_constraint
from harness.models.local.decode import Decoded
from harness.models.local.engine import LocalEngine
from tests.conftest import SCHEMA

BUDGET = 120
LABELS = ("red", "red wine", "blue", "code", "colour code")


@pytest.fixture
def bounded(tmp_path: Path) -> Json:
    """The tickets' schema with a longest answer that fits the budget."""
    note = {"type": "string", "pattern": "^[a-z ]+$", "maxLength": 20}
    schema = SCHEMA | {"properties": SCHEMA["properties"] | {"note": note}}  # type: ignore[operator]
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(schema))
    return Json(str(path))


@pytest.fixture
def prompts(tiny: LocalEngine) -> list[list[int]]:
    """Of three lengths, so that batches are padded."""
    words = ("red", "a blue one", "red ticket", "code", "which colour is it")
    return [tiny.encode([{"role": "user", "content": word}]) for word in words]


Begin = Callable[[], object]


def by_generate(
    model: LocalEngine, prompts: list[list[int]], budget: int, size: int | None, begin: Begin
) -> list[Decoded]:
    reference = model.fresh(model.model.dtype)
    done = padded.generate(
        reference, prompts, model.stop, budget, size, 1, constraint=begin  # type: ignore[arg-type]
    )  # fmt: skip
    return sorted(done, key=lambda c: c.index)


def said(done: list[Decoded]) -> list[tuple[list[int], str]]:
    return [(c.tokens, c.finish) for c in sorted(done, key=lambda c: c.index)]


@pytest.mark.parametrize("jump_forward", [True, False])
@pytest.mark.parametrize("size", [1, None])
@pytest.mark.parametrize("kind", ["json", "label"])
def test_under_a_constraint_its_texts_are_those_of_the_engine(
    tiny: LocalEngine,
    prompts: list[list[int]],
    bounded: Json,
    kind: str,
    size: int | None,
    jump_forward: bool,
) -> None:
    answer: Answer = bounded if kind == "json" else Label(LABELS)
    begin = compile_constraint(answer.constraint, tiny, jump_forward=jump_forward)
    ours = by_generate(tiny, prompts, BUDGET, size, begin)
    assert said(ours) == said(list(tiny.generate(prompts, BUDGET, constraint=begin)))
    assert {c.finish for c in ours} == {"stop"}
    texts = [tiny.decode(c.tokens) for c in ours]
    assert all(answer.parse(text).problem is None for text in texts)
    assert len({len(c.tokens) for c in ours}) > 1, "all rows end at once: padding is not tested"


def test_a_forced_text_is_cut_off_at_the_budget_as_in_the_engine(
    tiny: LocalEngine, prompts: list[list[int]], bounded: Json
) -> None:
    begin = compile_constraint(bounded.constraint, tiny)
    for budget in range(1, 24):
        ours = said(by_generate(tiny, prompts, budget, None, begin))
        assert ours == said(list(tiny.generate(prompts, budget, constraint=begin)))
    assert ours[0][1] == "length"


def test_without_a_constraint_nothing_is_held_back(
    tiny: LocalEngine, prompts: list[list[int]]
) -> None:
    reference = tiny.fresh(tiny.model.dtype)
    done = padded.generate(reference, prompts, tiny.stop, 12, 1, 1)
    assert said(list(done)) == said(list(tiny.generate(prompts, 12)))


def test_an_adapter_in_front_of_the_weights_writes_valid_answers_too(
    tiny: LocalEngine, prompts: list[list[int]], bounded: Json
) -> None:
    config = peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4)
    adapted = get_peft_model(tiny.fresh(tiny.model.dtype), config).eval()
    model = tiny.with_adapter(adapted, "virtual tokens")
    begin = compile_constraint(bounded.constraint, tiny)
    texts = [tiny.decode(c.tokens) for c in model.generate(prompts, BUDGET, constraint=begin)]
    assert len(texts) == len(prompts)
    assert [bounded.violation(bounded.parse(text).value) for text in texts] == [None] * len(texts)
    free = [tiny.decode(c.tokens) for c in model.generate(prompts, BUDGET)]
    assert not any(bounded.parse(text).value for text in free), "else the test shows nothing"


def test_running_out_of_memory_halves_a_batch_and_changes_no_answer(
    tiny: LocalEngine, prompts: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, whole, sizes = tiny.fresh(tiny.model.dtype), padded._batch, []

    def small_machine(model: object, prompts: list[list[int]], *rest: object) -> list[list[int]]:
        sizes.append(len(prompts))
        if len(prompts) > 2:
            raise MemoryError
        return whole(model, prompts, *rest)  # type: ignore[arg-type]

    expected = said(list(padded.generate(model, prompts, tiny.stop, 8, None, 1)))
    monkeypatch.setattr(padded, "_batch", small_machine)
    done = list(padded.generate(model, prompts, tiny.stop, 8, None, 1))
    assert said(done) == expected
    assert sizes == [5, 2, 3, 1, 2]
