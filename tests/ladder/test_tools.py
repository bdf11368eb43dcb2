"""Tools: calls and answers under one grammar, results fed back, everything kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from harness.answer import Label, Text, ToolCalls
from harness.errors import ConfigError, LeakError, RungUnavailableError
from harness.evidence.isolation import Isolation
from harness.ladder.rung import Rung
from harness.ladder.tools import Tools
from harness.models.embedder import Embedder
from harness.models.engine import Capabilities
from harness.models.grammar import matcher
from harness.models.local import ModelSpec
from harness.models.local.engine import LocalEngine
from harness.run import run
from harness.task import Prediction, Task
from harness.tool import ToolError, ToolUse
from harness.toolbox import Search, Sql
from tests.conftest import fixed
from tests.ladder.test_retry import RIGHT, Scripted
from tests.test_run import LORA, job_of

TOOLS = Tools(times=2, call_tokens=40, seconds=1.0, characters=60)
RUNG = Rung("tools", "short", dialogue=TOOLS)
CALL = '{"tool":"code","arguments":{"page":"P1"}}'
FOUND = '{"code":"C1"}'


def database(folder: Path, *rows: str) -> Sql:
    lines = [f"INSERT INTO codes VALUES {row};" for row in rows]
    (folder / "codes.sql").write_text("CREATE TABLE codes (page TEXT, code TEXT);" + "".join(lines))
    page = {"type": "string", "pattern": "^P[0-9]$"}
    parameters = {"type": "object", "properties": {"page": page}, "required": ["page"],
                  "additionalProperties": False}  # fmt: skip
    query = "SELECT code FROM codes WHERE page = :page"
    return Sql("The code of a page.", str(folder / "codes.sql"), query, parameters)


@pytest.fixture
def equipped(task: Task, task_folder: Path) -> Task:
    """The task with a database and a search of its corpus."""
    sql = database(task_folder, "('P0','C0')", "('P1','C1')")
    tools = {"code": sql, "pages": Search("The pages.", k=1)}
    return replace(task, materials=replace(task.materials, tools=tools))


@pytest.fixture
def ask(equipped: Task, tiny: LocalEngine, letters: Embedder) -> Any:
    def call(*texts: str, rung: Rung = RUNG) -> tuple[Prediction, Scripted]:
        engine = Scripted(tiny, texts)
        made = rung.prepare(equipped.materials, engine, letters, 0)
        return next(iter(made(equipped.questions[:1]))), engine

    return call


def test_a_call_is_made_and_its_result_fed_back_until_the_model_answers(ask: Any) -> None:
    search = '{"tool":"pages","arguments":{"query":"birch"}}'
    p, engine = ask(CALL, search, RIGHT)
    assert p.text == RIGHT
    first, second = (a.call for a in p.attempts)
    assert (first.tool, first.arguments, first.result, first.failed) == (
        "code", {"page": "P1"}, FOUND, False,
    )  # fmt: skip
    assert second.result.startswith("[P1] Page 1\nThings of birch")
    assert list(engine.rounds[-1][0][2:4]) == [
        {"role": "assistant", "content": CALL},
        {"role": "user", "content": f"code: {FOUND}"},
    ]
    assert p.seconds >= 1.5
    assert Prediction.of_record(json.loads(json.dumps(p.record()))) == p


def test_an_answer_without_a_call_counts_at_once(ask: Any) -> None:
    p, engine = ask(RIGHT)
    assert (p.text, p.attempts, len(engine.rounds)) == (RIGHT, (), 1)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ('{"tool":"nothing","arguments":{}}', "there is no tool 'nothing'; there are code, pages"),
        ('{"tool":"code","arguments":{"page":"x"}}', "page: 'x' does not match '^P[0-9]$'"),
        ('{"tool":"code","arg', "this is no call"),
        ('{"tool":"code","arguments":{"page":"\\ud800"}}', "this is no call"),
        ('{"tool":"code"}', "None is not of type 'object'"),
    ],
)
def test_an_error_is_told_to_the_model_as_the_result(ask: Any, call: str, told: str) -> None:
    p, engine = ask(call, RIGHT)
    (attempt,) = p.attempts
    assert attempt.call.failed
    assert told in attempt.problem
    assert attempt.call.result in engine.rounds[1][0][-1]["content"]
    assert p.text == RIGHT


def test_a_result_is_cut_to_the_limit(ask: Any, task_folder: Path, equipped: Task) -> None:
    long = database(task_folder, f"('P1','{'x' * 500}')")
    m = replace(equipped.materials, tools={"code": long})
    caller = TOOLS.partner(_engine(tool_turns=False), m, None)
    result = caller.call("code", {"page": "P1"}).result
    assert len(result) == TOOLS.characters
    assert result.endswith("(cut)")


def test_after_the_last_call_only_an_answer_is_admitted(equipped: Task, tiny: LocalEngine) -> None:
    m = equipped.materials
    caller = TOOLS.partner(tiny, m, m.answer.constraint)
    assert caller.held(2, last=True) == m.answer.constraint
    assert caller.held(1, last=False) != m.answer.constraint
    assert caller.budget(last=True) == m.max_new_tokens


def test_the_model_under_the_grammar_writes_calls_or_answers(
    equipped: Task, tiny: LocalEngine, letters: Embedder, tmp_path: Path
) -> None:
    """A random model: whatever it says is a call that can be made, or an answer of the schema."""
    m = replace(equipped.materials, max_new_tokens=120)
    made = RUNG.fit(m, tiny, letters, 0, tmp_path, m.answer.constraint)
    for p in made(equipped.questions):
        for attempt in p.attempts:
            assert attempt.call is not None
        if p.finish == "stop":
            assert m.answer.parse(p.text).value["colour"] in ("red", "blue")


def test_calls_that_are_required_come_before_an_answer(
    equipped: Task, tiny: LocalEngine, letters: Embedder, tmp_path: Path
) -> None:
    """A random model, which never calls a tool twice by chance."""
    m = replace(equipped.materials, max_new_tokens=120)
    must = replace(RUNG, dialogue=replace(TOOLS, required=2, call_tokens=120))
    for p in must.fit(m, tiny, letters, 0, tmp_path, m.answer.constraint)(equipped.questions[:3]):
        assert [a.call is not None for a in p.attempts] == [True, True]


@pytest.mark.parametrize(
    ("answer", "text", "admitted"),
    [
        (Label(["red", "blue"]), "red", True),
        (Label(["red", "blue"]), "pink", False),
        (Text(), "no object\nat all", True),
        (Text(), '{"tool":"other"}', False),
        (Text(), CALL, True),
        (Label(["red", "blue"]), CALL, True),
        (Label(["red", "blue"]), '{"tool":"code","arguments":{"page":"PP"}}', False),
    ],
)
def test_one_grammar_has_calls_and_answers_of_every_format(
    equipped: Task, tiny: LocalEngine, answer: Any, text: str, admitted: bool
) -> None:
    from llguidance import LLTokenizer

    m = replace(equipped.materials, answer=answer)
    held = TOOLS.partner(tiny, m, answer.constraint).held(0, last=False)
    tokenizer = LLTokenizer("byte")
    tokens = [*text.encode(), tokenizer.eos_token]
    passed = matcher(held, tokenizer).validate_tokens(tokens)  # type: ignore[arg-type]
    assert (passed == len(tokens)) == admitted


def test_free_decoding_of_a_format_with_a_grammar_leaves_calls_free_too(
    equipped: Task, tiny: LocalEngine
) -> None:
    caller = TOOLS.partner(tiny, equipped.materials, None)
    assert caller.held(0, last=False) is None


def test_worked_examples_show_their_calls_with_results_made_again(
    equipped: Task, tiny: LocalEngine, letters: Embedder
) -> None:
    m = equipped.materials
    use = ToolUse("code", {"page": "P1"})
    m = replace(m, train=tuple(replace(e, calls=(use,)) for e in m.train))
    made = replace(RUNG, shots=fixed(1)).prepare(m, tiny, letters, 0)
    system, asked, called, told, answered, _ = made.render(equipped.questions[:1])[0].messages
    assert "code: The code of a page." in system["content"]
    assert called == {"role": "assistant", "content": CALL}
    assert told == {"role": "user", "content": f"code: {FOUND}"}
    assert answered["content"] in {e.target for e in m.train}
    assert asked["role"] == "user"


def test_a_worked_call_that_fails_is_said(
    equipped: Task, tiny: LocalEngine, letters: Embedder, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(arguments: Any, seconds: float) -> str:
        raise ToolError("no such page")

    m = equipped.materials
    m = replace(
        m, train=tuple(replace(e, calls=(ToolUse("code", {"page": "P1"}),)) for e in m.train)
    )
    with patch.object(Sql, "opened", lambda *_: broken):
        replace(RUNG, shots=fixed(1)).prepare(m, tiny, letters, 0).render(equipped.questions[:1])
    said = "its call of code fails when it is made again (error: no such page)"
    assert said in capsys.readouterr().err


def test_a_template_with_a_place_for_results_gets_a_tool_turn(equipped: Task) -> None:
    told = {
        place: TOOLS.partner(_engine(tool_turns=place), equipped.materials, None).told(
            TOOLS.partner(_engine(tool_turns=place), equipped.materials, None).call(
                "code", {"page": "P1"}
            )
        )
        for place in (True, False)
    }
    assert told[True] == {"role": "tool", "content": FOUND}
    assert told[False]["role"] == "user"


@pytest.mark.parametrize(
    ("template", "place"),
    [
        ("{% for m in messages %}{{ m.role }}{{ m.content }}{% endfor %}", False),
        (
            "{% for m in messages %}{% if m.role == 'tool' %}[{{ m.content }}]{% else %}"
            "{{ m.content }}{% endif %}{% endfor %}",
            True,
        ),
        (
            "{% for m in messages %}{% if m.role == 'tool' %}{{ raise_exception('no call') }}"
            "{% endif %}{% endfor %}",
            False,
        ),
    ],
)
def test_the_chat_template_says_whether_it_has_that_place(
    tiny_spec: ModelSpec, monkeypatch: pytest.MonkeyPatch, template: str, place: bool
) -> None:
    from harness.models.local.load import load_engine

    engine = load_engine(tiny_spec)
    monkeypatch.setattr(engine.tokenizer, "chat_template", template)
    assert engine._has_tool_turns() == place
    assert not engine.capabilities.tool_turns


def test_a_task_without_tools_or_with_a_field_of_that_name_cannot_have_it(
    task: Task, equipped: Task
) -> None:
    with pytest.raises(RungUnavailableError, match=r"declares none; add task\.tools"):
        RUNG.check(task.materials)
    m = equipped.materials
    with pytest.raises(ConfigError, match="needs a corpus"):
        RUNG.check(replace(m, corpus=()))
    with pytest.raises(RungUnavailableError, match="ToolCalls has one for each"):
        RUNG.check(replace(m, answer=ToolCalls()))
    tuned = replace(RUNG, tuning=LORA.tuning)
    with pytest.raises(RungUnavailableError, match="no training conversation shows it"):
        tuned.check(m)


def test_tools_are_part_of_a_run_that_may_call_them_and_of_no_other(
    task: Task, equipped: Task, tiny_spec: ModelSpec, tmp_path: Path
) -> None:
    folder = run(job_of(equipped, tiny_spec, tmp_path, RUNG))
    identity = folder.read("manifest.json")["identity"]["task"]
    assert {"tools", "corpus"} <= set(identity)
    plain = [
        run(job_of(one, tiny_spec, tmp_path, replace(RUNG, dialogue=None, name="prompt")))
        for one in (task, equipped)
    ]
    assert plain[0].path == plain[1].path


@pytest.mark.parametrize("leaks", ["stop", "drop"])
def test_a_database_that_holds_what_eval_asks_stops_the_run(
    equipped: Task, task_folder: Path, leaks: str
) -> None:
    asked = "My lamp went out on the ferry to Rum and nobody there had a battery that would fit it"
    sealed = (*equipped.eval[:3], replace(equipped.eval[3], input=asked))
    equipped = replace(equipped, eval=sealed)
    tools: Mapping[str, Any] = {"code": database(task_folder, f"('P1','{asked}')")}
    leaky = replace(equipped, materials=replace(equipped.materials, tools=tools))
    with pytest.raises(LeakError, match=r"codes\.sql codes:1"):
        Isolation(0.6, 0.9, leaks).certify(leaky)
    _, certificate = Isolation(0.6, 0.9, leaks).certify(equipped)
    assert certificate.compared["tools"] == 2


def test_rows_name_calls_that_the_task_has(load: Callable[..., Task], task_folder: Path) -> None:
    from harness.errors import TaskError

    lines = (task_folder / "train.jsonl").read_text().splitlines()
    row = json.loads(lines[0]) | {"calls": [{"tool": "code", "arguments": {"page": "P1"}}]}
    (task_folder / "train.jsonl").write_text("\n".join([json.dumps(row), *lines[1:]]) + "\n")
    with pytest.raises(TaskError, match=r"train\.jsonl:1: calls 'code', but the task's tools"):
        load()
    sql = database(task_folder, "('P1','C1')")
    loaded = load(tools={"code": sql})
    assert loaded.materials.train[0].calls == (ToolUse("code", {"page": "P1"}),)
    assert loaded.materials.train[0].record()["calls"] == row["calls"]
    assert "calls" not in loaded.materials.train[1].record()
    with pytest.raises(TaskError, match=r"task\.tools\.code='x': is no tool"):
        load(tools={"code": "x"})


def _engine(*, tool_turns: bool) -> Any:
    class Named:
        capabilities = Capabilities(True, True, True, tool_turns)

    return Named()
