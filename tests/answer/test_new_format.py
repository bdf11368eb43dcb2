"""A new answer format is one class: here a number of stars, which harness has never heard of."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra.utils import instantiate

from harness.answer import Parsed
from harness.answer.format import Answer, Scorer, commonest
from harness.answer.length import longest
from harness.answer.metric import AnswerMetric
from harness.constraint import JsonSchema
from harness.errors import TaskError
from harness.evidence import scoring
from harness.ladder.rung import Rung
from harness.models.grammar import check_constraint, check_targets
from harness.models.local import ModelSpec
from harness.run import run
from harness.task import Prediction, Task
from tests.conftest import write_lines
from tests.test_run import job_of


class Integer:
    """A whole number from `low` to `high`."""

    labels = None
    measures = ("exact", "within_one")

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high

    @property
    def rules(self) -> Any:
        return [self.low, self.high]

    @property
    def constraint(self) -> JsonSchema:
        return JsonSchema({"type": "integer", "minimum": self.low, "maximum": self.high})

    @property
    def longest(self) -> int | None:
        return longest(self.constraint.schema)

    def write(self, target: Any) -> str:
        if not isinstance(target, int) or not self.low <= target <= self.high:
            raise ValueError(f"target {target!r} is not a number from {self.low} to {self.high}")
        return str(target)

    def parse(self, text: str) -> Parsed:
        found = re.search(r"-?\d+", text)
        return Parsed(int(found[0])) if found else Parsed(None, "no number")

    def describe(self, instructions: str) -> str:
        return instructions.replace("{range}", f"{self.low} to {self.high}")

    def fitted(self, targets: Iterable[str]) -> Answer:
        return self

    def majority(self, targets: Sequence[str]) -> str:
        return commonest(targets) or str(self.low)

    def scorer(self) -> Scorer:
        return AnswerMetric("how near whole numbers are", self._each)

    def _each(self, prediction: str, reference: str) -> dict[str, float]:
        value = self.parse(prediction).value
        distance = None if value is None else abs(value - int(reference))
        return {
            "exact": float(distance == 0),
            "within_one": float(distance in (0, 1)),
            "readable": float(distance is not None),
        }


@pytest.fixture
def stars(load: Callable[..., Task], task_folder: Path) -> Task:
    """Tickets of which every second has four stars, and eval's first three 1, 4 and 3."""
    for split in ("train", "dev", "eval"):
        path = task_folder / f"{split}.jsonl"
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        targets = [4 if i % 2 else 1 + i % 5 for i in range(len(rows))]
        write_lines(path, [row | {"target": t} for row, t in zip(rows, targets, strict=True)])
    (task_folder / "instructions.full.md").write_text("How many stars? Say {range}.\n")
    return load(name="stars", answer=Integer(1, 5), primary="exact", max_new_tokens=4)


def answered(task: Task, texts: Sequence[str]) -> list[Prediction]:
    return [
        Prediction(e.id, text, "stop", 9, 9, 1, 0.1)
        for e, text in zip(task.eval, texts, strict=True)
    ]


def test_a_yaml_names_it() -> None:
    described = "{_target_: tests.answer.test_new_format.Integer, low: 1, high: 5}"
    assert instantiate(yaml.safe_load(described)).rules == [1, 5]


def test_targets_and_instructions_are_written_by_it(
    stars: Task, load: Callable[..., Task], task_folder: Path
) -> None:
    assert [e.target for e in stars.eval[:3]] == ["1", "4", "3"]
    assert stars.materials.instructions["full"] == "How many stars? Say 1 to 5."
    with pytest.raises(TaskError, match=r"train\.jsonl:2: target 4 is not a number from 1 to 3"):
        load(answer=Integer(1, 3), primary="exact")


def test_it_is_scored(stars: Task) -> None:
    scoring.check(stars)
    texts = ["2", "It is 5.", "three", *(e.target for e in stars.eval[3:])]
    predictions = answered(stars, texts)
    scores = scoring.score(stars, predictions)
    found = scoring.metrics(stars, predictions, scores)
    assert {name: found[name].value for name in ("exact", "within_one", "readable")} == {
        "exact": 5 / 8, "within_one": 7 / 8, "readable": 7 / 8,
    }  # fmt: skip
    with pytest.raises(TaskError, match="primary metric 'fields' is not among exact, within_one"):
        scoring.check(replace(stars, primary="fields"))


def test_it_has_a_majority(stars: Task) -> None:
    assert stars.materials.answer.majority([e.target for e in stars.materials.train]) == "4"


def test_its_constraint_is_checked_against_the_targets(stars: Task) -> None:
    constraint = stars.materials.answer.constraint
    check_constraint(constraint)
    check_targets(constraint, (*stars.materials.train, *stars.eval))
    with pytest.raises(TaskError, match=r"eval\.jsonl:1: target '6' cannot be written"):
        check_targets(constraint, [replace(stars.eval[0], target="6")])


def test_its_rules_are_part_of_what_a_task_is(stars: Task) -> None:
    wider = replace(stars, materials=replace(stars.materials, answer=Integer(1, 9)))
    before, after = stars.fingerprints(), wider.fingerprints()
    assert {part for part in before if before[part] != after[part]} == {"scoring"}


def test_a_model_of_random_weights_answers_in_it(
    stars: Task, apt_spec: ModelSpec, tmp_path: Path
) -> None:
    job = job_of(stars, apt_spec, tmp_path / "results", Rung("prompt", "full"))
    folder = run(replace(job, decoding="constrained"))
    for prediction in folder.predictions():
        assert 1 <= int(prediction.text) <= 5
