"""Agreement between seeds, and under changes that leave targets alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis.findings import Findings, findings
from harness.analysis.runs import read_ladder
from harness.record.measurements import Measurement, keep
from tests.record.conftest import TRAINING, complete_run


def test_seeds_agree_in_text_and_in_score(tmp_path: Path) -> None:
    said = (
        {"eval-0": "red", "eval-1": "blue", "eval-2": "red"},
        {"eval-0": "red", "eval-1": "green", "eval-2": "blue"},
        {"eval-0": "red", "eval-1": "blue", "eval-2": "blue"},
    )
    folders = [
        complete_run(tmp_path, "lora", answers, training=TRAINING, seed=seed)
        for seed, answers in enumerate(said)
    ]
    (one,) = findings(read_ladder(folders)).consistency.seeds
    assert one.seeds == 3
    # Of three pairs each: all, one, one.
    assert one.answers.value == pytest.approx((1 + 1 / 3 + 1 / 3) / 3)
    # Blue and green are both wrong.
    assert one.scores is not None
    assert one.scores.value == pytest.approx((1 + 1 + 1 / 3) / 3)


def test_one_seed_has_nobody_to_agree_with(five: Findings) -> None:
    assert (five.consistency.seeds, five.consistency.perturbed) == ([], [])


def test_the_share_of_answers_that_change_and_what_it_costs(tmp_path: Path) -> None:
    folder = complete_run(tmp_path, "prompt")
    lines = [
        {"id": "eval-0", "changed": True, "extent": 0.5, "before": 1.0, "after": 0.5},
        {"id": "eval-1", "changed": False, "extent": 0.0, "before": 1.0, "after": 1.0},
        {"id": "eval-2", "changed": True, "extent": 1.0, "before": 1.0, "after": 0.0},
        {"id": "eval-3", "changed": False, "extent": 0.0, "before": 0.5, "after": 0.5},
    ]
    found = {"perturbations": {"typos": lines, "case": []}}
    keep(folder, Measurement("consistency", {}, [], found, "2026-01-01", 1.0))
    (one,) = findings(read_ladder([folder])).consistency.perturbed
    assert (one.perturbation, one.changed.value, one.changed.n) == ("typos", 0.5, 4)
    assert one.extent.value == pytest.approx(0.375)
    assert one.difference is not None and one.difference.value == pytest.approx(-0.375)
    assert one.changed.low is not None and one.changed.low < 0.5
