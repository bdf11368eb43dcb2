"""Which controls run beside a rung, and what each of them changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.answer import Label, Text
from harness.ladder.controls import Wanted, controls
from harness.ladder.retrieval import Retrieval
from harness.ladder.rung import Rung
from harness.models.embedder import Embedder
from harness.models.local.engine import LocalEngine
from harness.task import Task
from harness.tuning.adapter import Adapter
from tests.conftest import fixed, lora, plan

PROMPT = Rung("prompt", "full")
RAG = Rung("rag", "full", retrieval=Retrieval(2))
LORA = Rung("lora", "short", tuning=Adapter(lora(), plan()))
RAG_LORA = replace(LORA, name="rag_lora", retrieval=Retrieval(2))


def kinds(rung: Rung, task: Task, wanted: Wanted) -> list[tuple[str, str | None]]:
    return [(c.kind, c.of) for c in controls(rung, task, wanted)]


WITHOUT_MODEL = [("majority", None), ("nearest_answer", None)]


def test_by_default_controls_run_that_need_no_language_model(task: Task) -> None:
    for rung in (PROMPT, RAG, LORA, RAG_LORA):
        assert kinds(rung, task, None) == WITHOUT_MODEL


def test_controls_can_be_switched_off(task: Task) -> None:
    assert all(kinds(rung, task, False) == [] for rung in (PROMPT, RAG, LORA, RAG_LORA))


def test_each_slot_has_controls_of_its_own(task: Task) -> None:
    assert kinds(PROMPT, task, True) == [*WITHOUT_MODEL, ("unconstrained", "prompt")]
    assert kinds(RAG, task, True) == [
        *WITHOUT_MODEL, ("unconstrained", "rag"), ("random_passages", "rag"), ("oracle_passages", "rag"),
    ]  # fmt: skip
    assert kinds(LORA, task, True) == [*WITHOUT_MODEL, ("shuffled_targets", "lora")]
    assert kinds(RAG_LORA, task, True) == [
        *WITHOUT_MODEL, ("random_passages", "rag_lora"), ("oracle_passages", "rag_lora"),
        ("shuffled_targets", "rag_lora"),
    ]  # fmt: skip


def test_a_list_names_kinds_or_the_control_of_one_rung(task: Task) -> None:
    wanted = ["majority", "rag_oracle_passages", "shuffled_targets"]
    assert kinds(RAG, task, wanted) == [("majority", None), ("oracle_passages", "rag")]
    assert kinds(RAG_LORA, task, wanted) == [("majority", None), ("shuffled_targets", "rag_lora")]


def test_free_text_has_no_constraint_to_do_without(task: Task) -> None:
    text = replace(task, materials=replace(task.materials, answer=Text()))
    assert kinds(PROMPT, text, True) == WITHOUT_MODEL


def test_a_linear_classifier_is_for_tasks_with_labels(task: Task) -> None:
    labels = replace(task, materials=replace(task.materials, answer=Label(["a"])))
    assert ("linear_classifier", None) in kinds(PROMPT, labels, None)


def test_without_named_sources_there_is_no_oracle(task: Task) -> None:
    unnamed = replace(task, eval=tuple(replace(e, gold_passages=()) for e in task.eval))
    assert ("oracle_passages", "rag") not in kinds(RAG, unnamed, True)


@pytest.mark.parametrize("kind", ["random_passages", "oracle_passages"])
def test_other_passages_are_for_training_where_those_of_the_rung_are(kind: str, task: Task) -> None:
    bolted = replace(RAG_LORA, retrieval=Retrieval(2, in_training=False))
    for rung, trained in ((RAG_LORA, True), (bolted, False)):
        (control,) = controls(rung, task, [kind])
        assert control.rung.retrieval is not None
        assert control.rung.retrieval.in_training is trained


def test_the_oracle_of_a_tuned_rung_is_trained_with_the_right_passages(
    task: Task, tiny: LocalEngine, letters: Embedder
) -> None:
    (control,) = controls(RAG_LORA, task, ["oracle_passages"])
    untrained = replace(control.rung, tuning=None).prepare(task.materials, tiny, letters, 0)
    m = task.materials
    titles = {p.id: f"[{p.id}]" for p in m.corpus}
    for part, examples in zip(untrained.lessons(), (m.train, m.dev), strict=True):
        for (messages, _), example in zip(part, examples, strict=True):
            shown = [i for i, title in titles.items() if title in messages[-1]["content"]]
            assert sorted(shown) == sorted(example.gold_passages) != []


@pytest.fixture
def rag_controls(
    task: Task, tiny: LocalEngine, letters: Embedder, tmp_path: Path
) -> dict[str, list[tuple[str, ...]]]:
    """The passages that each control of rag shows for each eval question."""
    shown = {}
    for control in controls(RAG, task, True):
        if control.of:
            fitted = control.rung.fit(task.materials, tiny, letters, 0, tmp_path)
            shown[control.kind] = [a.passages for a in fitted.render(task.questions)]
    return shown


def test_the_oracle_shows_the_passages_that_hold_the_answer(
    task: Task, rag_controls: dict[str, list[tuple[str, ...]]]
) -> None:
    assert rag_controls["oracle_passages"] == [e.gold_passages for e in task.eval]


def test_random_passages_are_as_many_as_retrieval_shows_and_know_nothing_of_the_question(
    rag_controls: dict[str, list[tuple[str, ...]]],
) -> None:
    (shown,) = set(rag_controls["random_passages"])
    assert len(shown) == len(set(shown)) == 2


def shown_by_shots(kind: str, task: Task, *parts: object) -> dict[str, list[str]]:
    """Which passages the worked examples of a control of rag show, by the examples' inputs."""
    rag = replace(RAG, shots=fixed(3))
    (control,) = [c for c in controls(rag, task, True) if c.kind == kind]
    predictor = control.rung.fit(task.materials, *parts)  # type: ignore[arg-type]
    (asked,) = predictor.render(task.questions[:1])
    turns = [m["content"].split("\n\n") for m in asked.messages[1:-1:2]]
    return {question: [page[1:3] for page in pages] for *pages, question in turns}


def test_worked_examples_show_what_the_questions_of_the_control_are_shown(
    task: Task, tiny: LocalEngine, letters: Embedder, tmp_path: Path
) -> None:
    parts = (tiny, letters, 0, tmp_path)
    sources = {e.input: list(e.gold_passages) for e in task.materials.train}
    right = shown_by_shots("oracle_passages", task, *parts)
    assert right == {question: sources[question] for question in right}
    drawn = shown_by_shots("random_passages", task, *parts)
    assert drawn.keys() == right.keys() and len(right) == 3
    (same,) = {tuple(pages) for pages in drawn.values()}
    assert len(same) == 2


def test_a_control_says_what_it_shows_and_whether_tuned_rungs_must_be_above_it(task: Task) -> None:
    found = {c.kind: c for c in controls(RAG_LORA, task, True)}
    assert [kind for kind, c in found.items() if c.judges] == ["majority", "shuffled_targets"]
    assert found["majority"].shows == "always the commonest answer"
    assert found["majority"].record() == {
        "kind": "majority", "of": None, "shows": "always the commonest answer", "judges": True
    }  # fmt: skip
