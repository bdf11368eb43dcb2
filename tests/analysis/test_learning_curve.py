"""How much data: curves, the size that is held out, and where tuning passes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.export import as_json, record
from harness.analysis.findings import Findings, findings
from harness.analysis.learning_curve import REACH, LearningCurve
from harness.analysis.runs import read_ladder
from harness.evidence.statistics import Interval
from tests.record.conftest import TRAINING, complete_run
from tests.sized_ladders import FEW_SHOT, LORA, SIZES, N, sized_ladder, sized_run


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    return findings(read_ladder(sized_ladder(tmp_path_factory.mktemp("sized"))))


def curve_of(*folders: Any) -> LearningCurve:
    curve = findings(read_ladder(folders)).curve
    assert curve is not None
    return curve


def test_a_curve_has_a_point_for_each_size(found: Findings) -> None:
    assert found.curve is not None
    few_shot, lora = found.curve.curves
    assert (few_shot.key, few_shot.tuned, lora.key, lora.tuned) == ("few_shot", False, "lora", True)
    assert [(p.size, round(p.score.value * N)) for p in few_shot.points] == list(FEW_SHOT.items())
    assert [(p.size, round(p.score.value * N)) for p in lora.points] == list(LORA.items())
    assert [p.seeds for p in lora.points] == [3] * 6
    assert [p.seeds for p in few_shot.points] == [None] * 6
    assert {p.steps for p in lora.points} == {2.0}
    assert found.curve.levels == ["prompt"]
    assert found.curve.sizes == list(SIZES)


def test_the_ordinary_tables_have_the_largest_size_alone_under_its_usual_name(
    found: Findings,
) -> None:
    assert [rung.key for rung in found.rungs] == ["prompt", "few_shot", "lora"]
    assert [rung.manifest["train_size"] for rung in found.rungs] == [None, 400, 400]
    assert [one.control.key for one in found.controls] == ["majority"]
    assert {run.key for run in found.runs} >= {"lora train=15", "few_shot train=202", "lora"}
    assert len(found.runs) == 1 + 6 * 5


def test_the_largest_size_is_predicted_from_the_others(found: Findings) -> None:
    assert found.curve is not None
    held = found.curve.curves[1].held_out
    assert held is not None
    assert (held.size, held.measured) == (400, pytest.approx(148 / N))
    assert abs(held.miss) < 0.03 and abs(held.in_errors) < 2
    assert held.in_errors == pytest.approx((held.predicted - held.measured) / held.error)


def test_a_miss_is_told_where_the_law_does_not_hold(tmp_path: Path) -> None:
    folders = [sized_run(tmp_path, "few_shot", right, size)
               for size, right in zip(SIZES, (60, 80, 95, 106, 114, 180), strict=True)]  # fmt: skip
    held = curve_of(*folders).curves[0].held_out
    assert held is not None
    assert held.miss < -0.2 and held.in_errors < -5


def test_tuning_passes_the_untuned_rung_that_is_best_on_dev(found: Findings) -> None:
    assert found.curve is not None
    (one,) = found.curve.crossings
    assert (one.tuned, one.untuned, one.first, one.last) == ("lora", "few_shot", 15, REACH * 400)
    assert one.at is not None
    assert 52 < one.at.n < 101
    assert one.at.low < one.at.n < one.at.high
    assert one.at.n < one.at.certain < 400


def test_a_rung_that_reads_no_train_is_a_level_to_pass(tmp_path: Path) -> None:
    folders = sized_ladder(tmp_path)
    kept = [f for f in folders if f.path.parent.name != "few_shot"]
    (one,) = curve_of(*kept).crossings
    assert one.untuned == "prompt" and one.at is not None
    assert 15 < one.at.n < 26


def test_what_is_never_passed_is_not_within_reach(tmp_path: Path) -> None:
    folders = sized_ladder(tmp_path)
    (one,) = curve_of(sized_run(tmp_path, "prompt", 190, None), *folders[1:]).crossings
    assert one.untuned == "prompt" and one.at is not None
    assert one.at.n == one.at.high == one.at.certain == float("inf")


def test_questions_or_seeds_bind(found: Findings) -> None:
    assert found.curve is not None
    parts = found.curve.crossings[0].parts
    assert parts is not None
    assert parts.binds == "questions"
    contrast = next(c for c in found.contrasts if (c.rung, c.baseline) == ("lora", "few_shot"))
    assert parts.error == pytest.approx(contrast.error.value, rel=0.1)


def test_without_answers_on_dev_no_untuned_rung_is_chosen(tmp_path: Path) -> None:
    silent = sized_run(tmp_path, "rag", 100, 400, dev=None)
    (one,) = curve_of(*sized_ladder(tmp_path), silent).crossings
    assert (one.untuned, one.at, one.parts) == (None, None, None)


def test_fewer_than_four_sizes_are_points_without_a_law(tmp_path: Path) -> None:
    curve = curve_of(*sized_ladder(tmp_path, sizes=(101, 202, 400)))
    assert [one.law for one in curve.curves] == [None, None]
    assert [len(one.points) for one in curve.curves] == [3, 3]
    assert curve.crossings[0].at is None and curve.crossings[0].parts is not None


def test_a_metric_of_the_whole_set_has_points_alone(tmp_path: Path) -> None:
    def run(size: int) -> Any:
        whole = {"macro_f1": Interval(size / 1000, None, None, N, "none")}
        return sized_run(tmp_path, "lora", 100, size, training=TRAINING, more=whole,
                         primary="macro_f1")  # fmt: skip

    (one,) = curve_of(*map(run, SIZES)).curves
    assert [p.score.value for p in one.points] == [size / 1000 for size in SIZES]
    assert (one.law, one.held_out) == (None, None)


def test_one_size_is_no_learning_curve(tmp_path: Path) -> None:
    assert findings(read_ladder(sized_ladder(tmp_path, sizes=(400,)))).curve is None


def test_it_stands_in_the_json(found: Findings) -> None:
    told = json.loads(as_json(record(found)))["learning_curve"]
    assert told["sizes"] == list(SIZES)
    assert told["levels"] == ["prompt"]
    lora = told["curves"][1]
    assert lora["points"][0]["key"] == "lora train=15"
    assert lora["law"].keys() == {"a", "b", "c"}
    assert lora["held_out"].keys() == {
        "size", "predicted", "measured", "error", "miss", "in_errors",
    }  # fmt: skip
    assert lora["fitted"][-1]["size"] <= REACH * 400
    assert told["crossings"][0]["at"].keys() == {"n", "low", "high", "certain"}
    assert told["crossings"][0]["parts"]["binds"] == "questions"


def test_without_sizes_the_json_has_none(tmp_path: Path) -> None:
    found = findings(read_ladder([complete_run(tmp_path)]))
    assert record(found)["learning_curve"] is None
