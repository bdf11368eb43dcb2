"""Seeds of one rung are one result."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis.rungs import RungResult, rung_results
from harness.analysis.runs import read_ladder
from harness.evidence.statistics import Interval, mean_over_seeds
from harness.record.results import RunFolder
from harness.task import Example
from tests.record.conftest import ANSWERS, complete_run

RIGHT, WRONG = dict.fromkeys(ANSWERS, "red"), dict.fromkeys(ANSWERS, "blue")
MIXED = {**RIGHT, "eval-0": "blue", "eval-1": "blue"}


def results(*folders: RunFolder) -> list[RungResult]:
    return rung_results(read_ladder(folders))


@pytest.fixture
def lora(tmp_path: Path) -> list[RunFolder]:
    return [
        complete_run(tmp_path, "lora", answers, seed=seed)
        for seed, answers in ((10, WRONG), (0, RIGHT), (2, MIXED))
    ]


def test_seeds_of_a_rung_are_one_result_with_their_mean(lora: list[RunFolder]) -> None:
    (rung,) = results(*lora)
    assert (rung.key, rung.label, rung.seeds) == ("lora", "lora", 3)
    assert [run.manifest["seed"] for run in rung.runs] == [0, 2, 10]
    values = [[1, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0]]
    assert rung.primary == mean_over_seeds(values, list(ANSWERS))


def test_a_slice_is_averaged_over_its_questions(lora: list[RunFolder]) -> None:
    examples = [
        Example(name, "", "red", name, (), {"odd": str(place % 2 == 1)}, "")
        for place, name in enumerate(ANSWERS)
    ]
    lora[0].keep_eval(lora[0].read("manifest.json")["fingerprints"]["eval"], examples)
    (rung,) = results(*lora)
    expected = mean_over_seeds([[1, 1], [0, 1], [0, 0]], ["eval-1", "eval-3"])
    assert rung.metric("accuracy", "odd=True") == expected


def test_a_slice_without_the_questions_beside_it_has_no_interval(lora: list[RunFolder]) -> None:
    (rung,) = results(*lora)
    found = rung.metric("accuracy", "odd=True")
    assert found == Interval(0.5, None, None, 2, "mean of seeds")


def test_a_metric_of_the_whole_set_is_averaged_without_an_interval(tmp_path: Path) -> None:
    runs = [
        complete_run(
            tmp_path, "lora", seed=s, more={"macro_f1": Interval(v, 0.1, 0.9, 4, "percentile")}
        )
        for s, v in ((0, 0.5), (1, 0.7))
    ]
    (rung,) = results(*runs)
    found = rung.metric("macro_f1")
    assert found is not None and found.value == pytest.approx(0.6)
    assert found.low is found.high is None


def test_one_seed_keeps_the_interval_that_its_run_measured(tmp_path: Path) -> None:
    run = complete_run(tmp_path, "lora", seed=0)
    (rung,) = results(run)
    assert rung.primary == Interval(**run.read("metrics.json")["all"]["accuracy"])


def test_one_seed_of_something_random_is_marked(tmp_path: Path) -> None:
    prompt, lora = results(complete_run(tmp_path), complete_run(tmp_path, "lora", seed=0))
    assert (prompt.label, prompt.seeds, lora.label, lora.seeds) == ("prompt", None, "lora*", 1)


def test_seeds_of_other_settings_are_other_results(tmp_path: Path) -> None:
    """The YAML was edited between two seeds: nothing that was typed differs."""
    runs = [complete_run(tmp_path, "lora", seed=s, weights=w * 64) for s, w in ((0, "1"), (1, "2"))]
    found = results(*runs)
    assert [len(rung.runs) for rung in found] == [1, 1]
    assert len({rung.key for rung in found}) == 2
