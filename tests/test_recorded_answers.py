"""Recorded answers to train: what is wrong with a line, and what of eval stands in one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import ConfigError, TaskError
from harness.evidence.isolation import Isolation
from harness.recorded_answers import leaks_into, read_answers
from harness.task import COUNTS, Example, Prediction, Task
from tests.conftest import write_lines

ALLOW = Isolation(near_duplicate=0.6, contained=0.9, leaks="allow")
NOTE = "a note that is long enough that nobody writes it twice by chance"


def test_a_csv_will_do_and_costs_are_read_if_they_are_there(task: Task, tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    path.write_text('id,text,seconds\ntrain-1,"red, I think",0.5\ntrain-0,blue,\n')
    predictions, places = read_answers(str(path), task)
    assert [(p.id, p.text, p.seconds) for p in predictions] == [
        ("train-1", "red, I think", 0.5),
        ("train-0", "blue", 0.0),
    ]
    assert predictions[1].unknown == COUNTS
    assert places["train-0"] == f"{path}:3"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([{"id": "eval-0", "text": "red"}], r":1: id 'eval-0' is a question of eval"),
        ([{"id": "train-99", "text": "red"}], r":1: id 'train-99' is not in train; fix the id"),
        ([{"id": "train-1", "text": "red"}] * 2, r":2: id 'train-1' stands at .*:1 too"),
        ([{"id": "train-1"}], r":1: has no 'text'"),
        ([{"text": "red"}], r":1: has no 'id'"),
        (
            [{"id": "train-1", "text": "red", "seconds": "-1"}],
            r':1: seconds is "-1"; give a number',
        ),
        ([{"id": "train-1", "text": 3}], r":1: text is 3; it must be text"),
    ],
)
def test_what_is_wrong_with_a_line_is_said_with_its_place(
    task: Task, tmp_path: Path, lines: list[dict[str, object]], said: str
) -> None:
    write_lines(tmp_path / "large.jsonl", lines)
    with pytest.raises((ConfigError, TaskError), match=r"large\.jsonl" + said):
        read_answers(str(tmp_path / "large.jsonl"), task)


def test_an_empty_text_is_an_answer_and_holds_nothing_of_eval(task: Task, tmp_path: Path) -> None:
    write_lines(tmp_path / "large.jsonl", [{"id": "train-1", "text": ""}])
    predictions, places = read_answers(str(tmp_path / "large.jsonl"), task)
    assert [p.text for p in predictions] == [""]
    assert leaks_into(task, ALLOW, predictions, places) == []


def test_of_a_share_of_train_answers_to_the_rest_are_no_mistake(task: Task, tmp_path: Path) -> None:
    write_lines(tmp_path / "large.jsonl", [{"id": "train-99", "text": "red"}])
    share = replace(task, materials=replace(task.materials, left_out=("red",)))
    assert len(read_answers(str(tmp_path / "large.jsonl"), share)[0]) == 1


def said(example: Example, note: str) -> Example:
    return replace(example, target=json.dumps(json.loads(example.target) | {"note": note}))


def test_a_long_text_of_an_eval_target_is_a_leak_unless_train_says_it_too(task: Task) -> None:
    sealed = replace(task, eval=(said(task.eval[0], NOTE), *task.eval[1:]))
    text = json.dumps({"colour": "red", "note": NOTE.upper()})
    answer = [Prediction("train-1", text, "stop", 0, 0, 0, 0.0)]
    places = {"train-1": "large.jsonl:7"}
    (leak,) = leaks_into(sealed, ALLOW, answer, places)
    assert (leak.kind, leak.split, leak.pair.where) == ("text", "answers", "large.jsonl:7")
    m = sealed.materials
    common = replace(sealed, materials=replace(m, train=(said(m.train[0], NOTE), *m.train[1:])))
    assert leaks_into(common, ALLOW, answer, places) == []
    short = [replace(answer[0], text=task.eval[0].target)]
    assert leaks_into(task, ALLOW, short, places) == [], "labels and short values repeat"
