"""Ladders with controls."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.analysis.control_comparisons import ControlComparison
from harness.analysis.findings import findings
from harness.analysis.runs import read_ladder
from harness.record.results import find_runs
from tests.ladders import five, sixteen
from tests.record.conftest import TRAINING, complete_run

__all__ = ["N", "five", "labels", "right", "shown", "sixteen"]

N = 40


def labels(root: Path) -> list[str]:
    """What the runs below a folder are called, in the ladder's order."""
    return [run.label for run in read_ladder(find_runs(root)).runs]


def right(count: int) -> dict[str, str]:
    """Answers of which the first `count` are right."""
    return {f"eval-{i}": "red" if i < count else "blue" for i in range(N)}


def shown(
    root: Path, rungs: Mapping[str, int], kind: str, score: int, of: str | None
) -> ControlComparison:
    """One control with `score` right answers beside rungs with theirs."""
    folders = [
        complete_run(root, rung, right(count), training=TRAINING if rung == "lora" else None)
        for rung, count in rungs.items()
    ]
    control = complete_run(root, kind, right(score), control={"kind": kind, "of": of})
    (one,) = findings(read_ladder([*folders, control])).controls
    return one
