"""bfcl out of its wheel, and real weights that answer it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hydra.utils import instantiate

from bench.bfcl_checker import CHECKER, CHECKER_SHA256, checker, compare
from harness.answer.functions import declared
from harness.errors import WeightsError
from harness.evidence.isolation import Isolation
from harness.experiment import JobSpec, compose
from harness.models.weights import Wheel
from harness.run import run
from harness.task import Task
from tests.conftest import ROOT


def configured(*words: str) -> JobSpec:
    return compose(["+task=bfcl", *words])[0]


@pytest.fixture(scope="module")
def bfcl() -> Task:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)  # the shipped configuration names its folders relative to it
        try:
            task: Task = configured().build("task")
        except WeightsError as error:
            pytest.skip(str(error))
    return task


def test_the_splits_are_sealed_and_have_all_categories(bfcl: Task) -> None:
    _, certificate = Isolation(near_duplicate=0.6, contained=0.9, leaks="stop").certify(bfcl)
    assert certificate.decision == "sealed"
    for part in (bfcl.materials.train, bfcl.eval):
        counts = Counter(e.tags["category"] for e in part)
        assert len(counts) == 4
        assert min(counts.values()) >= len(part) / 6


def test_every_target_is_right_for_its_own_scorer(bfcl: Task) -> None:
    scorer = bfcl.materials.answer.scorer()
    for example in bfcl.eval:
        values = scorer.each(example.target, example.reference)
        assert values["calls"] == values["valid"] == 1.0, example.id


def test_where_the_leaderboards_own_checker_decides_otherwise_is_known(bfcl: Task) -> None:
    """Of every eighth question; tasks/bfcl/README.md has the figures of all, and the reasons."""
    source = instantiate(configured().config.task.source)
    path = Wheel(source.data.requirement, CHECKER, CHECKER_SHA256).resolve()
    counted, found = compare(source.data.resolve(), checker(path), every=8)
    assert {(d.edit, "ours" if d.ours else "theirs") for d in found} <= {
        ("integer as 5.0", "ours"),
        ("list with other numbers' types", "ours"),
        ("the target", "ours"),
        ("text in capitals", "ours"),
        ("text without blanks and hyphens", "ours"),
        ("calls in reverse", "ours"),
        ("unreadable", "theirs"),
    }
    assert counted["another value"]["wrong, wrong"] > 250
    assert counted["the target"]["right, right"] > 125


def test_a_model_answers_in_calls_of_declared_functions(bfcl: Task, tmp_path: Path) -> None:
    shortest = sorted(bfcl.materials.train, key=lambda e: len(e.input))[:8]
    asked = sorted(bfcl.eval, key=lambda e: len(e.input))[:3]
    few = replace(bfcl.materials, train=tuple(shortest), dev=tuple(shortest[:2]), max_new_tokens=32)
    task = replace(bfcl, materials=few, eval=tuple(asked))
    made = configured("rung=prompt").job(task)
    folder = run(replace(made, root=tmp_path, controls=False, dev_questions=0))
    answers = {p.id: p for p in folder.predictions()}
    for example in asked:
        [function] = declared(example.input)
        begun = f'[{{"name":"{function["name"]}","arguments":{{'
        answer = answers[example.id]
        assert answer.text == "[]" or answer.text.startswith(begun)
        assert (
            answer.finish == "length" or bfcl.materials.answer.parse(answer.text).value is not None
        )
