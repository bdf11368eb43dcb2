"""What a student learns of a teacher's answers, and what is told of the rest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.errors import ConfigError, RungUnavailableError
from harness.ladder.distillation import Distilled, Graded, Spent, Teaching
from harness.ladder.retrieval import Retrieval
from harness.ladder.rung import Rung
from harness.ladder.search import Search
from harness.ladder.transform import ShuffledTargets
from harness.task import Materials, Task
from tests.conftest import fixed, similar

FEW_SHOT = Rung("few_shot", "full", shots=fixed(2))
SPENT = Spent(100, 40, 20, 3.5)
ANSWERS = {
    "train-0": Graded('{"a":1}', 1.0),
    "train-1": Graded(None, 0.0),
    "train-2": Graded('{"a":2}', 0.25),
    "train-5": Graded('{"a":5}', 0.5),
    "train-6": Graded('{"a":6}', 1.0),
}


def distilled(**changes: Any) -> Distilled:
    settings: dict[str, Any] = {
        "teacher": FEW_SHOT,
        "answers": None,
        "min_score": 0.5,
        "targets": "teacher",
        "leaked": ["train-6"],
        "teaching": Teaching(ANSWERS, SPENT),
    }
    return Distilled(**(settings | changes))


def learned(materials: Materials) -> dict[str, str]:
    return {e.id: e.target for e in materials.train}


def test_the_student_learns_the_answers_that_can_be_read_and_score_enough(task: Task) -> None:
    before = task.materials
    after = distilled().apply(before, 0)
    assert learned(after) == {"train-0": '{"a":1}', "train-5": '{"a":5}'}
    assert after == replace(before, train=after.train)
    inputs = {e.id: e.input for e in before.train}
    assert all(e.input == inputs[e.id] for e in after.train)


def test_without_a_threshold_whatever_can_be_read_is_learned(task: Task) -> None:
    after = distilled(min_score=None).apply(task.materials, 0)
    assert list(learned(after)) == ["train-0", "train-2", "train-5"]


def test_gold_targets_are_those_of_train_of_the_very_same_examples(task: Task) -> None:
    gold = learned(distilled(targets="gold").apply(task.materials, 0))
    assert list(gold) == list(learned(distilled().apply(task.materials, 0)))
    assert gold.items() <= learned(task.materials).items()


def test_all_answers_are_counted_and_each_that_was_left_out_is_named(task: Task) -> None:
    told = distilled().told(task.materials)
    counts = {"asked": 16, "answered": 5, "unparsed": 1, "below": 1, "leaked": 1, "kept": 2}
    assert told.items() >= counts.items()
    assert told["answered"] == sum(told[k] for k in ("unparsed", "below", "leaked", "kept"))
    assert (told["name"], told["prompt_tokens"], told["seconds"]) == ("few_shot", 100, 3.5)
    record = distilled().record(task.materials, 0)
    assert record["left_out"] == {"train-1": "unparsed", "train-2": "below", "train-6": "leaked"}
    assert record["teacher"] == told


def test_a_run_depends_on_what_the_teacher_reads() -> None:
    rag = replace(FEW_SHOT, name="rag", shots=similar(2), retrieval=Retrieval(1))
    assert (set(distilled().reads), distilled().embeds) == ({"train"}, False)
    assert (set(distilled(teacher=rag).reads), distilled(teacher=rag).embeds) == (
        {"train", "corpus"},
        True,
    )
    recorded = distilled(teacher=None, answers="large.jsonl")
    assert (set(recorded.reads), recorded.name) == ({"train", "answers"}, "large.jsonl")


def test_a_task_that_cannot_have_the_teacher_cannot_have_its_student(task: Task) -> None:
    rag = replace(FEW_SHOT, name="rag", retrieval=Retrieval(1))
    distilled(teacher=rag).check(task.materials)
    with pytest.raises(RungUnavailableError, match=r"its teacher rag .*: it retrieves, but"):
        distilled(teacher=rag).check(replace(task.materials, corpus=()))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"teacher": None}, r"rung\.transform\.teacher: name .* rung\.transform\.answers=FILE"),
        ({"answers": "large.jsonl"}, r"rung\.transform\.teacher: name"),
        ({"min_score": 1.5}, r"rung\.transform\.min_score=1\.5: must be"),
        ({"targets": "best"}, r"rung\.transform\.targets=best: must be"),
        (
            {"teacher": replace(FEW_SHOT, transform=ShuffledTargets())},
            r"rung\.transform\.teacher=few_shot: .* without a transform",
        ),
        (
            {"teacher": replace(FEW_SHOT, search=Search(questions=4, examples=[0]))},
            r"rung\.transform\.teacher=few_shot: its prompt is searched for",
        ),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        distilled(**changes)
