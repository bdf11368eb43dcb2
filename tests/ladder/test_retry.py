"""Retries: what the format refuses is asked for again, with the reason, in rounds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from harness.answer import Label, Text, ToolCalls
from harness.answer.functions import declaring
from harness.constraint import Constraint
from harness.errors import RungUnavailableError
from harness.job import identity
from harness.ladder.retry import Retry, verdict
from harness.ladder.rung import Predictor, Rung
from harness.models.embedder import Embedder
from harness.models.engine import Completion, Conversation, Usage
from harness.models.local import ModelSpec
from harness.models.local.engine import LocalEngine
from harness.run import run
from harness.task import Prediction, Task
from tests.test_run import job_of

RETRY = Rung("retry", "full", dialogue=Retry(times=2))
RIGHT = '{"colour":"red","code":"C1","note":"anvil"}'


@dataclass
class Scripted:
    """An engine that says what it is told to say, in the reverse order of asking."""

    engine: LocalEngine
    texts: Sequence[str]
    """By how many turns of the model a conversation has already."""
    rounds: list[list[Conversation]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def answer(
        self,
        conversations: Sequence[Conversation],
        max_tokens: int,
        constraint: Constraint | None = None,
    ) -> Iterator[Completion]:
        self.rounds.append(list(conversations))
        for index in reversed(range(len(conversations))):
            said = conversations[index]
            turn = sum(m["role"] == "assistant" for m in said)
            usage = Usage(10 * (turn + 1), 5, 2, 0.5)
            yield Completion(index, self.texts[turn], "stop", usage)


@pytest.fixture
def ask(task: Task, tiny: LocalEngine, letters: Embedder) -> Any:
    def call(*texts: str, rung: Rung = RETRY) -> tuple[dict[str, Prediction], Scripted]:
        engine = Scripted(tiny, texts)
        made: Predictor = rung.prepare(task.materials, engine, letters, 0)
        return {p.id: p for p in made(task.questions)}, engine

    return call


def test_an_answer_that_the_format_admits_counts_at_once(ask: Any) -> None:
    predictions, engine = ask(RIGHT)
    assert len(engine.rounds) == 1
    for p in predictions.values():
        assert (p.text, p.attempts, p.prompt_tokens) == (RIGHT, (), 10)
        assert "attempts" not in p.record()


def test_what_was_wrong_is_said_and_tokens_and_seconds_add_up(ask: Any) -> None:
    wrong = RIGHT.replace("red", "pink")
    predictions, engine = ask("I think so", wrong, RIGHT)
    assert len(engine.rounds) == 3
    (conversation, *_) = engine.rounds[-1]
    told = [m["content"] for m in conversation if m["role"] == "user"][1:]
    assert told[0].startswith("Your answer cannot be used: no JSON object.")
    assert "colour: 'pink' is not one of ['red', 'blue']" in told[1]
    for p in predictions.values():
        assert [a.text for a in p.attempts] == ["I think so", wrong]
        assert p.attempts[0].problem == "no JSON object"
        assert (p.prompt_tokens, p.computed_tokens, p.completion_tokens) == (60, 15, 6)
        assert p.seconds == 1.5
        assert Prediction.of_record(json.loads(json.dumps(p.record()))) == p


def test_after_the_last_retry_the_text_counts_as_it_is(ask: Any) -> None:
    predictions, engine = ask("a", "b", "c")
    assert len(engine.rounds) == 3
    assert {p.text for p in predictions.values()} == {"c"}


def test_open_conversations_are_asked_again_in_the_order_of_the_questions(
    ask: Any, task: Task
) -> None:
    _, engine = ask("a", RIGHT)
    asked = [one[1]["content"] for one in engine.rounds[1]]
    assert asked == [q.input for q in task.questions]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("yes", None),
        ("yes, because", "not a label"),
        ("", "empty"),
    ],
)
def test_a_label_is_held_against_the_set(text: str, problem: str | None) -> None:
    assert verdict(Label(["yes", "no"]), text) == problem


def test_broken_json_is_told_with_its_place(task: Task) -> None:
    said = verdict(task.materials.answer, '{"colour": "red" "code"')
    assert said == "broken JSON (Expecting ',' delimiter at character 18)"
    missing = verdict(task.materials.answer, '{"colour":"red","code":null}')
    assert missing == "breaks the schema: 'note' is a required property"


def test_calls_are_held_against_the_functions_that_the_question_declares() -> None:
    add = {
        "name": "add",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
    }
    question = declaring("Add.", [add])
    assert verdict(ToolCalls(), '[{"name":"add","arguments":{"a":1}}]', question) is None
    for text, said in {
        '[{"name":"sum","arguments":{}}]': "breaks what the question declares: 0.name: 'add' was",
        '[{"name":"add","arguments":{"a":"1"}}]': "0.arguments.a: '1' is not of type 'integer'",
    }.items():
        problem = verdict(ToolCalls(), text, question)
        assert problem is not None
        assert said in problem


def test_free_text_leaves_nothing_to_validate(task: Task) -> None:
    with pytest.raises(RungUnavailableError, match="free text leaves nothing to validate"):
        RETRY.check(replace(task.materials, answer=Text()))


def test_it_answers_freely_within_the_budget_of_the_ladder(
    task: Task, tiny_spec: ModelSpec, letters: Embedder, tmp_path: Path
) -> None:
    """The manifest says so, and both decodings of a sweep make the same run."""
    jobs = [
        job_of(task, tiny_spec, tmp_path, RETRY, embedder=letters, decoding=decoding)
        for decoding in ("constrained", "free")
    ]
    assert [job.constraint for job in jobs] == [None, None]
    assert jobs[0].ladder_constraint is not None
    assert {identity(job, task.fingerprints())["decoding"] for job in jobs} == {"free"}
    manifest = run(jobs[0]).read("manifest.json")
    assert (manifest["decoding"], manifest["declared_free"]) == ("free", True)


def test_texts_do_not_depend_on_the_batch(task: Task, tiny: LocalEngine, letters: Embedder) -> None:
    made = RETRY.prepare(task.materials, tiny, letters, 0)
    asked = task.questions[:3]
    together = {p.id: (p.text, [a.text for a in p.attempts]) for p in made(asked)}
    alone = {p.id: (p.text, [a.text for a in p.attempts]) for q in asked for p in made([q])}
    assert together == alone
    assert any(attempts for _, attempts in together.values()), "no retry was needed"
