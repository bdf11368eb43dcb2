"""Answers to questions that are put otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.answer import Label
from harness.evidence import scoring
from harness.ladder.retrieval import Retrieval
from harness.ladder.rung import Predictor, Rung
from harness.models.embedder import Embedder
from harness.models.local.engine import LocalEngine
from harness.probe.consistency import Consistency, _differences
from harness.probe.perturb import applicable, perturbed, reordered
from harness.record.measurements import measured
from harness.run import run
from harness.task import Prediction, Question, Task
from tests.conftest import fixed, similar
from tests.probe.conftest import MakeJob
from tests.test_run import PROMPT

RAG = replace(PROMPT, name="rag", retrieval=Retrieval(2), shots=similar(3))


def probe(**changes: Any) -> Consistency:
    values: dict[str, Any] = {
        "enabled": True, "questions": 4, "perturbations": ["case", "blank_lines"], "seed": 0,
    }  # fmt: skip
    return Consistency(**(values | changes))


def asked(text: str, name: str = "q1") -> Question:
    return Question(name, text)


def test_case_typos_and_blank_lines_change_the_wording_and_no_number() -> None:
    long = asked("Where is parcel LF-12345?\nIt should have arrived, I believe. " * 9)
    (small,) = perturbed("case", [long], 0)
    assert small.input == long.input.lower()
    (blank,) = perturbed("blank_lines", [asked("one\ntwo")], 0)
    assert blank.input == "\n\none\n\ntwo\n\n"
    (typos,) = perturbed("typos", [long], 0)
    before, after = long.input.split(), typos.input.split()
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert 0 < len(changed) < len(before) / 4
    assert all(sorted(a) == sorted(b) and (a[0], a[-1]) == (b[0], b[-1]) for a, b in changed)
    assert "LF-12345?" in typos.input


def test_typos_are_the_same_every_time_and_others_with_another_seed_or_question() -> None:
    text = "several longer words that can have some typos inside " * 9
    (first,) = perturbed("typos", [asked(text)], 0)
    assert perturbed("typos", [asked(text)], 0) == [first]
    assert perturbed("typos", [asked(text)], 1) != [first]
    assert perturbed("typos", [asked(text, "q2")], 0)[0].input != first.input


def test_a_question_that_a_change_leaves_as_it_is_is_not_asked() -> None:
    assert perturbed("case", [asked("all small")], 0) == []
    assert len(perturbed("shot_order", [asked("all small")], 0)) == 1


@pytest.mark.parametrize(
    ("rung", "possible"),
    [
        (PROMPT, set()),
        (replace(PROMPT, shots=fixed(1)), set()),
        (replace(PROMPT, shots=fixed(2)), {"shot_order"}),
        (RAG, {"shot_order", "passage_order"}),
        (replace(RAG, retrieval=Retrieval(1)), {"shot_order"}),
    ],
)
def test_an_order_can_be_changed_where_there_is_more_than_one(
    rung: Rung, possible: set[str]
) -> None:
    orders = ("shot_order", "passage_order")
    assert {one for one in orders if applicable(one, rung)} == possible
    assert applicable("case", rung)


def predictor(task: Task, engine: LocalEngine, embedder: Embedder, rung: Rung) -> Predictor:
    return rung.fit(task.materials, engine, embedder, 0, Path())


def test_examples_stand_the_other_way_round(
    task: Task, tiny: LocalEngine, letters: Embedder
) -> None:
    before = predictor(task, tiny, letters, replace(PROMPT, shots=similar(3)))
    (one,) = before.render(task.questions[:1])
    (other,) = reordered("shot_order", before).render(task.questions[:1])
    turns = [(a, b) for a, b in zip(one.messages[1:-1:2], one.messages[2:-1:2], strict=True)]
    expected = [message for pair in turns[::-1] for message in pair]
    assert list(other.messages) == [one.messages[0], *expected, one.messages[-1]]


def test_passages_stand_the_other_way_round_and_are_the_same(
    task: Task, tiny: LocalEngine, letters: Embedder
) -> None:
    before = predictor(task, tiny, letters, replace(PROMPT, retrieval=Retrieval(3)))
    (one,) = before.render(task.questions[:1])
    (other,) = reordered("passage_order", before).render(task.questions[:1])
    *shown, question = one.messages[-1]["content"].split("\n\n")
    assert other.messages[-1]["content"].split("\n\n") == [*shown[::-1], question]
    assert one.passages == other.passages, "what was found is what it was"


def test_answers_to_changed_questions_stand_beside_those_to_the_questions(
    job: MakeJob, task: Task
) -> None:
    """The letters' embedder and the model see other text, and nothing else differs."""
    upper = replace(
        task, eval=tuple(replace(e, input=e.input.upper()) for e in task.eval)
    )  # so that lower case makes a difference
    folder = run(job(task=upper, probes=(probe(),), decoding="constrained"))
    one = measured(folder, "consistency")
    assert one is not None
    told = one.found["perturbations"]
    assert set(told) == {"case", "blank_lines"}
    mine = {p.id: p for p in folder.predictions()}
    (kept,) = folder.path.glob("probe-consistency-case-*.jsonl")
    new = {p.id: p for p in folder.predictions(kept.name)}
    assert len(told["case"]) == 4
    assert any(line["changed"] for line in told["case"]), "the model does not read case at all"
    scored = {s.id: s.values["fields"] for s in scoring.score(upper, list(mine.values()))}
    for line in told["case"]:
        old, other = (p[line["id"]].text for p in (mine, new))
        assert line["changed"] == (line["extent"] > 0)
        assert not line["changed"] or old != other
        assert line["before"] == scored[line["id"]]


@pytest.mark.parametrize(
    ("before", "after", "changed", "extent"),
    [
        ('{"colour":"red","code":"C1","note":"a"}', '{"colour":"red","code":"C1","note":"b c"}', False, 0),
        ('{"colour":"red","code":"C1","note":"a"}', '{"colour":"blue","code":"C1","note":"a"}', True, 1 / 3),
        ('{"colour":"red","code":"C1","note":"a"}', "nothing to read", True, 1),
        ("nothing to read", "nothing to read ", False, 0),
        ('{"colour":"green"}', '{"colour":"red","code":"C1","note":"a"}', True, 1),
    ],
)  # fmt: skip
def test_an_answer_changes_if_it_would_be_wrong_were_the_old_one_the_target(
    task: Task, before: str, after: str, changed: bool, extent: float
) -> None:
    """The words of a note are not scored."""
    found = _differences(task.materials.answer, "fields", before, after)
    assert found == {"changed": changed, "extent": pytest.approx(extent)}


def test_a_label_is_the_same_or_not_and_a_measure_of_whole_sets_says_nothing() -> None:
    label = Label(["red", "blue"])
    assert _differences(label, "accuracy", "red.", "red") == {"changed": False, "extent": 0.0}
    assert _differences(label, "accuracy", "red", "blue") == {"changed": True, "extent": 1.0}
    assert _differences(label, "macro_f1", "red", "blue") == {"changed": True, "extent": 1.0}


def test_an_interrupted_probe_goes_on_with_the_answers_that_are_left(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(job(probes=(probe(),), decoding="constrained"))
    one = measured(whole, "consistency")
    (whole.path / "probe-consistency.json").unlink()
    (kept,) = whole.path.glob("probe-consistency-blank_lines-*.jsonl")
    lines = kept.read_text().splitlines(keepends=True)
    whole.write(kept.name, "".join(lines[:3]))
    answered: list[str] = []
    answer = Predictor.__call__

    def told(predictor: Predictor, questions: Any) -> Iterator[Prediction]:
        answered.extend(q.id for q in questions)
        return answer(predictor, questions)

    monkeypatch.setattr(Predictor, "__call__", told)
    again = measured(run(job(probes=(probe(),), decoding="constrained")), "consistency")
    assert len(answered) == 1
    assert one and again and one.found == again.found
