"""Under a constraint even a model of random weights writes nothing but valid answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch

from harness.answer import Answer, Json, Label, ToolCalls
from harness.answer.functions import calls_schema, declaring
from harness.constraint import Choices
from harness.errors import ConfigError
from harness.ladder.rung import Rung
from harness.models.embedder import Embedder
from harness.models.local import decode, engine, padded
from harness.models.local.constraint import compile_constraint
from harness.models.local.decode import TokenConstraint
from harness.models.local.engine import LocalEngine
from harness.task import Prediction, Question, Task
from tests.conftest import SCHEMA

LABELS = ("red", "red wine", "blue", "code", "colour code")
ASKED = [{"role": "user", "content": "Which?"}]
BUDGET = 120

Ask = Callable[..., list[Prediction]]


def json_answer(folder: Path, **properties: Any) -> Json:
    """The tickets' schema with some of its properties replaced or added."""
    schema = SCHEMA | {"properties": SCHEMA["properties"] | properties}  # type: ignore[operator]
    path = folder / "other.json"
    path.write_text(json.dumps(schema), encoding="utf-8")
    return Json(str(path))


@pytest.fixture
def bounded(tmp_path: Path) -> Json:
    """A schema whose longest answer fits the token budget, however it is cut into tokens."""
    return json_answer(tmp_path, note={"type": "string", "pattern": "^[a-z ]+$", "maxLength": 20})


@pytest.fixture
def ask(
    task: Task,
    tiny: LocalEngine,
    letters: Embedder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Ask:
    """Answer the task's questions in another format, constrained or not."""

    def call(answer: Answer, held: bool, budget: int = BUDGET, jump: bool = True) -> Any:
        materials = replace(task.materials, answer=answer, max_new_tokens=budget)
        monkeypatch.setattr(
            engine, "compile_constraint", partial(compile_constraint, jump_forward=jump)
        )
        constraint = answer.constraint if held else None
        predictor = Rung("some", "full").fit(materials, tiny, letters, 0, tmp_path, constraint)
        return sorted(predictor(task.questions), key=lambda p: p.id)

    return call


def begin(answer: Answer, model: LocalEngine, jump_forward: bool = False) -> TokenConstraint:
    return compile_constraint(answer.constraint, model, jump_forward=jump_forward)()


def write(constraint: TokenConstraint, tokens: list[int]) -> None:
    """Write an answer token by token, each of which must be allowed."""
    for position, token in enumerate(tokens):
        assert constraint.allowed()[token], f"token {position} of {tokens}"
        constraint.advance(token)


def test_every_json_answer_is_valid_although_the_model_is_random(ask: Ask, bounded: Json) -> None:
    free, constrained = ask(bounded, False), ask(bounded, True)
    assert not any(bounded.parse(p.text).value for p in free), "else the test shows nothing"
    for p in constrained:
        assert p.finish == "stop"
        value = bounded.parse(p.text).value
        assert bounded.violation(value) is None
        assert p.text == bounded.write(value), "written as a target would be"


def test_every_label_is_one_of_the_set_although_the_model_is_random(ask: Ask) -> None:
    answer = Label(LABELS)
    assert not any(p.text in LABELS for p in ask(answer, False))
    answers = ask(answer, True)
    assert {p.text for p in answers} <= set(LABELS)
    assert {p.finish for p in answers} == {"stop"}


def test_an_answer_beyond_the_budget_is_cut_off_and_says_so(ask: Ask, bounded: Json) -> None:
    for p in ask(bounded, True, budget=12):
        assert (p.finish, p.completion_tokens) == ("length", 12)
        assert bounded.parse(p.text).value is None


@pytest.mark.parametrize("kind", ["json", "label"])
def test_jump_forward_saves_passes_and_changes_no_text(
    kind: str, ask: Ask, bounded: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []
    forward = decode._Batch._forward

    def counted(batch: Any, tokens: Any, *rest: Any) -> torch.Tensor:
        passes.append(len(tokens))
        return forward(batch, tokens, *rest)

    monkeypatch.setattr(decode._Batch, "_forward", counted)
    answer = bounded if kind == "json" else Label(LABELS)
    slow, slow_passes = ask(answer, True, jump=False), len(passes)
    passes.clear()
    fast, fast_passes = ask(answer, True), len(passes)
    assert [(p.text, p.finish, p.completion_tokens) for p in fast] == [
        (p.text, p.finish, p.completion_tokens) for p in slow
    ]
    assert fast_passes < (0.8 if kind == "json" else 1.0) * slow_passes


def test_every_target_can_be_written_in_the_tokens_that_are_learned(
    task: Task, tiny: LocalEngine
) -> None:
    for example in task.materials.train:
        tokens = tiny.encode_answer(ASKED, example.target)
        write(begin(task.materials.answer, tiny), tokens)
    for label in LABELS:
        write(begin(Label(LABELS), tiny), tiny.encode_answer(ASKED, label))


@pytest.mark.parametrize(
    "extra",
    [
        {"integer": {"type": "integer"}},
        {"list": {"type": "array", "items": {"enum": ["é", "a/b", "{,}"]}}},
        {"object": {"type": "object", "properties": {"a": {"type": "boolean"}}}},
        {"free": {"type": "string"}},
    ],
)
def test_json_is_written_one_way_whatever_the_schema(
    extra: dict[str, Any], tmp_path: Path, tiny: LocalEngine
) -> None:
    answer = json_answer(tmp_path, **extra)
    values = {"integer": -12, "list": ["é", "{,}", "a/b"], "object": {"a": True}, "free": 'ü"\n\\'}
    (name,) = extra
    target = {"colour": "red", "code": None, "note": "fine"}
    for full in (target, target | {name: values[name]}):
        tokens = tiny.encode_answer(ASKED, answer.write(full))
        write(begin(answer, tiny), tokens)
        spaced = tiny.encode_answer(ASKED, json.dumps(full))
        with pytest.raises(AssertionError):
            write(begin(answer, tiny), spaced)


def test_behind_the_answer_comes_nothing_but_the_stop_token(
    bounded: Json, tiny: LocalEngine
) -> None:
    for answer, text in (
        (bounded, '{"colour":"red","code":null,"note":"a"}'),
        (Label(LABELS), "blue"),
    ):
        constraint = begin(answer, tiny)
        write(constraint, tiny.encode_answer(ASKED, text)[:-1])
        assert set(constraint.allowed().nonzero().flatten().tolist()) <= tiny.stop


def test_a_label_that_begins_another_leaves_the_choice_to_the_model(tiny: LocalEngine) -> None:
    constraint = begin(Label(LABELS), tiny, jump_forward=True)
    *tokens, stop = tiny.encode_answer(ASKED, "red")
    assert stop not in constraint.advance(tokens[0])
    assert constraint.allowed()[stop]
    assert constraint.allowed().sum() == 2


def test_each_question_begins_anew(bounded: Json, tiny: LocalEngine) -> None:
    for answer in (bounded, Label(LABELS)):
        start = compile_constraint(answer.constraint, tiny)
        first, second = start(), start()
        before = second.allowed()
        first.advance(int(first.allowed().nonzero()[0]))
        assert torch.equal(second.allowed(), before)


def test_a_token_that_is_not_allowed_is_a_fault_and_not_an_end(
    bounded: Json, tiny: LocalEngine
) -> None:
    for answer, error in ((bounded, RuntimeError), (Label(LABELS), KeyError)):
        constraint = begin(answer, tiny)
        forbidden = (~constraint.allowed()).nonzero()[-1]
        with pytest.raises(error):
            constraint.advance(int(forbidden))


def test_a_schema_that_makes_no_grammar_is_refused(ask: Ask, tmp_path: Path) -> None:
    odd = json_answer(tmp_path, note={"type": "array", "uniqueItems": True})
    with pytest.raises(
        ConfigError, match=r"makes no grammar \(.*uniqueItems.*\); say decoding=free"
    ):
        ask(odd, True)


def test_a_label_may_hold_the_name_of_a_stop_token(tiny: LocalEngine) -> None:
    start = compile_constraint(Choices(("fine", "a</s>b")), tiny, jump_forward=False)
    tokens = tiny.encode_answer(ASKED, "a</s>b")
    write(start(), tokens)
    assert tiny.decode(tokens) == "a</s>b"


def test_all_of_many_labels_can_be_written(tiny: LocalEngine) -> None:
    labels = ["a", "a.", '"a"', "né 🙂", "1", "*"] + [f"card {i}" for i in range(151)]
    start = compile_constraint(Choices(tuple(labels)), tiny, jump_forward=False)
    for label in labels:
        write(start(), tiny.encode_answer(ASKED, label))


def test_nested_json_is_written_as_it_is_learned(tmp_path: Path, tiny: LocalEngine) -> None:
    slot = {"type": "object", "properties": {"value": {"type": "string"}, "name": {"enum": ["é"]}}}
    answer = json_answer(tmp_path, slots={"type": "array", "items": slot})
    slots = [{"name": "é", "value": "x"}, {"name": "é"}]
    target = {"slots": slots, "note": "a", "code": None, "colour": "red"}
    write(begin(answer, tiny), tiny.encode_answer(ASKED, answer.write(target)))


def test_each_answer_may_be_held_to_a_constraint_of_its_own(tiny: LocalEngine) -> None:
    texts = dict(enumerate(("red", "blue", "colour code")))
    held = [Choices((text,)) for text in texts.values()]
    found = tiny.answer([ASKED] * 3, BUDGET, held)
    assert {one.index: one.text for one in found} == texts
    begins = [compile_constraint(one, tiny) for one in held]
    reference = tiny.fresh(tiny.model.dtype)
    prompts = [tiny.encode(ASKED)] * 3
    done = padded.generate(reference, prompts, tiny.stop, BUDGET, 2, 1, constraint=begins)
    assert {one.index: tiny.decode(one.tokens) for one in done} == texts


def test_calls_are_of_the_functions_that_each_question_declares(
    task: Task, tiny: LocalEngine, letters: Embedder, tmp_path: Path
) -> None:
    colour = {"type": "object", "properties": {"colour": {"enum": ["red", "blue"]}}}
    functions = [{"name": name, "parameters": colour} for name in ("paint", "mix", "sell")]
    questions = [Question(f["name"], declaring(f"{i} times", [f])) for i, f in enumerate(functions)]
    materials = replace(task.materials, answer=ToolCalls(), max_new_tokens=BUDGET)
    constraint = ToolCalls.constraint
    predictor = Rung("some", "full").fit(materials, tiny, letters, 0, tmp_path, constraint)
    found = {p.id: p for p in predictor(questions)}
    for function in functions:
        answer = found[function["name"]]
        begun = f'[{{"name":"{function["name"]}","arguments":{{'
        assert answer.text == "[]" or answer.text.startswith(begun)
        if answer.finish == "stop":
            jsonschema.validate(json.loads(answer.text), calls_schema([function]))
    with pytest.raises(ValueError, match="what it resolves to"):
        compile_constraint(constraint, tiny)
