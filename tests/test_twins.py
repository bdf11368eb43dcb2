"""What looks the same and counts as two is said when a task is loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.answer import Label
from harness.progress import say_again
from harness.task import Task
from tests.conftest import example, write_lines

Load = Callable[..., Task]
Row = dict[str, object]


@pytest.fixture
def said(
    load: Load, task_folder: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., list[str]]:
    """What is said of a task with these labels, whose eval begins with rows with these changes."""

    def call(*changes: Row, labels: tuple[str, ...] = ("red", "blue")) -> list[str]:
        for split in ("train", "dev", "eval"):
            here = dict(enumerate(changes if split == "eval" else ()))
            rows = [example(split, i) | {"target": "red"} | here.get(i, {}) for i in range(4)]
            write_lines(task_folder / f"{split}.jsonl", rows)
        say_again()
        load(answer=Label(labels), primary="accuracy")
        lines = capsys.readouterr().err.splitlines()
        return [line.replace(f"{task_folder}/", "") for line in lines]

    return call


def test_labels_that_differ_in_case_alone(said: Callable[..., list[str]]) -> None:
    assert said(labels=("red", "blue", "Red")) == [
        "warning: labels 'red' and 'Red' differ in case alone and are two; write them alike if "
        "they are one"
    ]


def test_ids_that_differ_in_unicode_normalization_alone(said: Callable[..., list[str]]) -> None:
    (line,) = said({"id": "caf\u00e9"}, {"id": "cafe\u0301"})
    assert line == (
        r"warning: eval.jsonl:1 and eval.jsonl:2: ids 'caf\xe9' and 'cafe\u0301' look the same and "
        "are two; write them alike if they are one"
    )


def test_the_same_question_of_eval_with_two_targets(said: Callable[..., list[str]]) -> None:
    same = {"input": "x"}
    assert said({}, same, same, same | {"target": "blue"}) == [
        "warning: eval.jsonl:2 and eval.jsonl:4: the same input with different targets; no answer "
        "is right for both: fix or delete one"
    ]


def test_of_a_task_in_order_nothing_is_said(said: Callable[..., list[str]]) -> None:
    assert said() == []
