"""Doubt by the losses of finished runs: which runs count, and how they are put together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.audit.losses import loss_suspects, read_losses, trained_runs
from harness.errors import ResultsError
from harness.files import EXAMPLE_LOSSES
from harness.record.results import RunFolder
from tests.record.conftest import TRAINING, complete_run, sha256


def trained(root: Path, losses: dict[str, list[float]], **changes: Any) -> RunFolder:
    """A complete tuned run that kept these losses."""
    folder = complete_run(root, **({"rung": "lora", "training": TRAINING, "seed": 0} | changes))
    lines = [
        json.dumps({"id": i, "where": f"train.jsonl:{i}", "loss": loss})
        for i, loss in losses.items()
    ]
    folder.write(EXAMPLE_LOSSES, "\n".join(lines) + "\n")
    return folder


def test_doubt_is_the_mean_over_epochs_and_runs(tmp_path: Path) -> None:
    first = trained(tmp_path, {"1": [1.0, 0.0], "2": [2.0, 1.0], "3": []})
    second = trained(tmp_path, {"1": [2.5], "2": [0.5]}, seed=1)
    assert read_losses(first) == {"1": 0.5, "2": 1.5}
    suspects = loss_suspects([first, second])
    assert suspects.doubt == {"1": 1.5, "2": 1.0}
    assert not suspects.flagged
    assert suspects.worst(0.5, 2) == ["1"]


def test_runs_on_this_very_train_count_and_no_others(tmp_path: Path) -> None:
    ours = trained(tmp_path, {"1": [1.0]})
    trained(tmp_path, {"1": [1.0]}, rung="other", train="another train")
    trained(
        tmp_path, {"1": [1.0]}, rung="placebo", control={"kind": "shuffled_targets", "of": "lora"}
    )
    complete_run(tmp_path, "untuned")
    found = trained_runs(tmp_path / "tickets", sha256("train"))
    assert [run.path for run in found] == [ours.path]


def test_without_any_results_there_are_no_losses(tmp_path: Path) -> None:
    assert trained_runs(tmp_path / "nothing", sha256("train")) == []


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    run = trained(tmp_path, {})
    run.write(EXAMPLE_LOSSES, '{"id": 1\n')
    with pytest.raises(ResultsError, match=EXAMPLE_LOSSES):
        read_losses(run)
