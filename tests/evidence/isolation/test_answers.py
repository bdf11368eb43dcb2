"""Eval's answers, where they may stand and where they are suspected."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from harness.answer import Label
from harness.errors import LeakError
from harness.evidence.isolation import Certificate, long_texts
from harness.task import Materials, Task
from tests.evidence.isolation.planting import LONG, STOP, planted

NOTE = "the second zip was replaced on saturday by our own workshop in leeds"


def answering(task: Task, note: str = NOTE) -> Task:
    """A task whose first eval example has this note in its answer, and a source."""
    target = json.dumps({"colour": "red", "code": "C1", "note": note})
    sealed = replace(task.eval[0], input=LONG, target=target, gold_passages=("P0",), where="eval:1")
    return replace(task, eval=(sealed, *task.eval[1:]))


def told(task: Task, text: str) -> Task:
    m = task.materials
    return replace(task, materials=replace(m, instructions={**m.instructions, "full": text}))


def with_passage(task: Task, text: str, id: str = "P9") -> Task:
    m: Materials = task.materials
    page = replace(m.corpus[0], id=id, text=text, where="corpus:1")
    return replace(task, materials=replace(m, corpus=(page, *m.corpus[1:])))


def sealed(task: Task) -> Certificate:
    certificate = STOP.certify(task)[1]
    assert certificate.decision == "sealed"
    return certificate


def places(task: Task) -> list[tuple[str, str, str]]:
    return [(s.kind, s.pair.eval_where, s.pair.where) for s in sealed(task).suspects]


def test_an_answer_in_the_instructions_is_suspected(task: Task) -> None:
    leaky = told(answering(task), f"Answer in JSON. For instance: {NOTE.upper()}!")
    assert places(leaky) == [("answer", "eval:1", "instructions.full.md")]
    (suspect,) = sealed(leaky).concerning(()).suspects
    assert suspect.split == "instructions", "every rung reads them"


def test_an_answer_that_is_nearly_said_is_suspected_if_it_is_long(task: Task) -> None:
    leaky = told(answering(task), f"For instance: {NOTE.replace('zip', 'zips')}, or the like.")
    assert places(leaky) == [("answer", "eval:1", "instructions.full.md")]


@pytest.mark.parametrize("note", ["yes", "red", "in 1984", "nothing was wrong"])
def test_short_answers_may_stand_anywhere(task: Task, note: str) -> None:
    short = answering(task, note)
    assert places(told(short, f"Answer in JSON. The note may be: {note}")) == []
    assert places(with_passage(short, f"The answer is: {note}. {LONG[:60]}")) == []


def test_what_train_says_too_is_no_secret(task: Task) -> None:
    m = task.materials
    same = replace(m.train[0], target=json.dumps({"note": NOTE}))
    common = replace(answering(task), materials=replace(m, train=(same, *m.train[1:])))
    assert places(told(common, f"Say: {NOTE}")) == []


def test_labels_are_no_secret(task: Task) -> None:
    labelled = replace(task.materials, answer=Label([NOTE, "another"]))
    example = replace(task.eval[0], target=NOTE)
    assert places(told(replace(task, materials=labelled, eval=(example,)), NOTE)) == []


def test_a_corpus_may_hold_answers_but_not_with_their_questions(task: Task) -> None:
    asked = answering(task)
    assert places(with_passage(asked, f"Workshop log: {NOTE}.")) == []
    both = f"Log. A customer wrote: winter sleeping bag broke on the second night. So {NOTE}."
    assert places(with_passage(asked, both)) == [("answer", "eval:1", "corpus:1")]
    assert places(with_passage(asked, both, id="P0")) == [], "its source"


def test_an_answer_in_another_examples_input_is_suspected(task: Task) -> None:
    asked = answering(planted(task, f"Hello, {NOTE}, and what now?"))
    assert places(asked) == [("answer", "eval:1", "train.jsonl:1")]


def test_a_suspect_can_be_treated_as_a_leak_or_not_be_looked_for(task: Task) -> None:
    asked = answering(planted(task, f"Hello, {NOTE}, and what now?"))
    strict = replace(STOP, suspects="leak")
    with pytest.raises(LeakError, match=r"eval:1 and train\.jsonl:1 share a long answer"):
        strict.certify(asked)
    dropped, certificate = replace(strict, leaks="drop").certify(asked)
    assert (len(dropped.materials.train), certificate.suspects) == (15, ())
    assert replace(STOP, suspects="ignore").certify(asked)[1].suspects == ()
    with pytest.raises(LeakError, match="instructions cannot be left out"):
        replace(strict, leaks="drop").certify(told(answering(task), NOTE))


def test_the_long_texts_of_a_json_answer_are_those_of_its_values() -> None:
    assert list(long_texts(json.dumps({"a": NOTE, "b": ["x", {"c": NOTE[::-1]}]}))) == [
        NOTE, NOTE[::-1]
    ]  # fmt: skip
    assert list(long_texts("too short")) == []
