"""Brier score, calibration error, risk and coverage: against values worked out by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from harness.analysis.calibration import brier, calibration_error, covered, resampled
from harness.analysis.findings import Findings, findings
from harness.analysis.runs import read_ladder
from harness.record.measurements import Measurement, keep
from harness.record.results import RunFolder
from harness.task import Example
from tests.record.conftest import complete_run


def test_brier_by_hand() -> None:
    p = np.array([[0.8, 0.2], [0.6, 0.4], [0.6, 0.4]])
    # 0.04 + 0.04, 0.36 + 0.36; a target that is no candidate adds its own 1.
    assert brier(p, np.array([0, 1, -1])).tolist() == pytest.approx([0.08, 0.72, 1.52])


def test_brier_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), 50)
    truth = rng.integers(0, 4, 50)
    expected = brier_score_loss(truth, p, labels=range(4), scale_by_half=False)
    assert brier(p, truth).mean() == pytest.approx(expected)


def test_calibration_error_by_hand() -> None:
    """Twenty questions, two in each bin: only one bin is off."""
    confidence = np.repeat(np.arange(1, 11) / 10 - 0.05, 2)
    right = confidence.copy()
    right[:2] = 0.45  # confident at 0.05, right at 0.45
    assert calibration_error(confidence, right) == pytest.approx(0.4 / 10)
    assert calibration_error(np.full(4, 0.7), np.array([1.0, 1, 0, 0])) == pytest.approx(0.5)


def test_the_interval_of_a_calibration_error_holds_it() -> None:
    """Of draws alone it would not: they are less calibrated than what they are drawn from."""
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.4, 0.6, 100)
    right = np.tile([1.0, 0.0], 50)[np.argsort(np.argsort(confidence))]
    (found,) = resampled(
        lambda rows: np.array([calibration_error(confidence[rows], right[rows])]), np.arange(100)
    )
    assert found.low is not None and found.high is not None
    assert found.low <= found.value <= found.high


def test_what_is_answered_first_is_what_is_most_certain() -> None:
    confidence = np.array([0.9, 0.1, 0.8, 0.7, 0.6])
    right = np.array([1.0, 0.0, 1.0, 1.0, 0.0])
    found = covered(confidence, right, np.array([1.0, 0.8, 0.6, 0.01]))
    assert found.tolist() == pytest.approx([0.6, 0.75, 1.0, 1.0]), "at least one is answered"


IDS = [f"eval-{i}" for i in range(40)]


def ladder(root: Path, choices: dict[str, Any], targets: dict[str, str]) -> Findings:
    folder: RunFolder = complete_run(root, "prompt", dict.fromkeys(IDS, "red"))
    keep(folder, Measurement("calibration", {}, [], {"choices": choices}, "2026-01-01", 1.0))
    examples = [Example(i, f"ticket {i}?", targets[i], i, (), {}, "") for i in IDS]
    folder.keep_eval(folder.manifest()["fingerprints"]["eval"], examples)
    return findings(read_ladder([folder]))


def test_a_rung_that_is_as_sure_as_it_is_right(tmp_path: Path) -> None:
    """Three in four are right at a confidence of 0.75; what is added to all logs is nothing."""
    logs = [math.log(0.75) - 3.0, math.log(0.25) - 3.0]
    asked = [{"id": i, "given": 0, "log_probabilities": logs} for i in IDS]
    targets = {i: "red" if place % 4 else "blue" for place, i in enumerate(IDS)}
    choices = {"label": {"candidates": ["red", "blue"], "questions": asked}}
    (one,) = ladder(tmp_path, choices, targets).calibration
    assert (one.rung, one.field, one.candidates, one.accuracy.n) == ("prompt", None, 2, 40)
    assert (one.accuracy.value, one.confidence) == (0.75, pytest.approx(0.75))
    assert one.brier.value == pytest.approx(0.75 * 0.125 + 0.25 * 1.125)
    assert one.error.value == pytest.approx(0.0, abs=1e-9)
    assert one.most_probable == 1.0
    assert one.accuracy.low is not None and one.accuracy.low < 0.75
    assert [point.coverage for point in one.curve][-1] == 1.0
    assert one.curve[-1].risk.value == pytest.approx(0.25)


def test_an_answer_that_is_no_candidate_is_wrong_and_has_no_confidence(tmp_path: Path) -> None:
    logs = [math.log(0.9), math.log(0.1)]
    asked = [
        {"id": i, "given": None if place < 10 else 0, "log_probabilities": logs}
        for place, i in enumerate(IDS)
    ]
    choices = {"label": {"candidates": ["red", "blue"], "questions": asked}}
    (one,) = ladder(tmp_path, choices, dict.fromkeys(IDS, "red")).calibration
    assert one.accuracy.value == pytest.approx(0.75)
    assert one.confidence == pytest.approx(0.9 * 0.75)
    assert one.covered.value == pytest.approx(30 / 32)
    assert one.brier.value == pytest.approx(0.02), "probabilities are those of the candidates"


def test_a_field_of_a_json_answer_is_held_against_that_field_of_the_target(tmp_path: Path) -> None:
    asked = [{"id": i, "given": 1, "log_probabilities": [-2.0, -1.0]} for i in IDS[:10]]
    choices = {"size": {"candidates": ["s", None], "questions": asked}}
    targets = {i: json.dumps({"size": None if n < 5 else "s"}) for n, i in enumerate(IDS)}
    (one,) = ladder(tmp_path, choices, targets).calibration
    assert (one.field, one.accuracy.n, one.accuracy.value) == ("size", 10, 0.5)


def test_without_the_sealed_questions_beside_the_runs_nothing_can_be_said(tmp_path: Path) -> None:
    asked = [{"id": i, "given": 0, "log_probabilities": [-1.0, -2.0]} for i in IDS]
    choices = {"label": {"candidates": ["red", "blue"], "questions": asked}}
    found = ladder(tmp_path, choices, dict.fromkeys(IDS, "red"))
    (sealed,) = found.ladder.folder.glob("eval-*.jsonl")
    sealed.unlink()
    assert findings(read_ladder([run.folder for run in found.runs])).calibration == []
