"""Train against dev, from recorded curves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.analysis.findings import Findings, findings
from harness.analysis.overfitting import overfitting
from harness.analysis.runs import read_ladder
from tests.record.conftest import TRAINING, complete_run

CURVE = [
    *({"step": s, "epoch": s / 4, "loss": 4.0 - s / 2} for s in (1, 2)),
    {"step": 2, "epoch": 0.5, "dev_loss": 3.0},
    *({"step": s, "epoch": s / 4, "loss": 4.0 - s / 2} for s in (3, 4)),
    {"step": 4, "epoch": 1.0, "dev_loss": 2.5},
    *({"step": s, "epoch": s / 4, "loss": 4.0 - s / 2} for s in (5, 6)),
    {"step": 6, "epoch": 1.5, "dev_loss": 2.75},
]


def test_the_gap_is_that_at_the_minimum_of_dev_and_the_rise_comes_after_it(tmp_path: Path) -> None:
    folder = complete_run(tmp_path, "lora", training=TRAINING)
    told = folder.read("training.json")
    told["curve"]["points"] = CURVE
    folder.write("training.json", json.dumps(told))
    (one,) = overfitting(findings(read_ladder([folder])).rungs)
    assert (one.dev, one.train) == (2.5, pytest.approx(2.25))  # steps 3 and 4
    assert one.gap == pytest.approx(0.25)
    assert one.rise == pytest.approx(0.25)
    assert (one.best_step, one.steps, one.seeds) == (4, 6, 1)


def test_only_tuned_rungs_have_one(five: Findings) -> None:
    assert [one.rung for one in five.overfitting] == ["lora", "rag_lora"]
