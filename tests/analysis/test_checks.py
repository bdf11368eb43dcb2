"""Badges that need the rest of the ladder."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis.findings import findings
from harness.analysis.runs import read_ladder
from tests.analysis.conftest import right
from tests.record.conftest import TRAINING, complete_run


def test_a_tuned_rung_that_is_not_above_its_controls_fails_a_badge(tmp_path: Path) -> None:
    folders = [
        complete_run(tmp_path, "prompt", right(10)),
        complete_run(tmp_path, "lora", right(30), training=TRAINING),
        complete_run(tmp_path, "majority", right(10), control={"kind": "majority", "of": None}),
        complete_run(
            tmp_path, "shuffled", right(29), training=TRAINING,
            control={"kind": "shuffled_targets", "of": "lora"},
        ),
    ]  # fmt: skip
    found = findings(read_ladder(folders))
    judged = {b.name: b for b in found.checks["lora"]}["above controls"]
    assert (judged.passed, judged.text) == (False, "is not detectably above shuffled")
    assert set(found.checks) == {"prompt", "lora"}
    assert "above controls" not in {b.name for b in found.checks["prompt"]}


@pytest.mark.parametrize("judges", [True, False])
def test_only_controls_that_judge_must_be_beaten(tmp_path: Path, judges: bool) -> None:
    control = {"kind": "rules", "of": None, "judges": judges, "shows": "rules written by hand"}
    folders = [
        complete_run(tmp_path, "lora", right(30), training=TRAINING),
        complete_run(tmp_path, "rules", right(30), control=control),
    ]
    names = {badge.name for badge in findings(read_ladder(folders)).checks["lora"]}
    assert ("above controls" in names) == judges
