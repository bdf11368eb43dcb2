"""What every report says of runs, whatever their scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.analysis.runs import read_ladder
from harness.analysis.warnings import warnings
from tests.record.conftest import complete_run, failing


def test_one_leak_is_no_plural(tmp_path: Path) -> None:
    dropped = {"decision": "dropped", "leaks": [{}], "suspects": [{}]}
    run = complete_run(tmp_path, isolation=dropped)
    assert warnings(read_ladder([run]).runs)[:2] == [
        "1 leak into eval was found and taken out of what rungs learn from",
        "1 text that rungs learn from looks like eval's and was left in",
    ]


def test_what_must_be_said_loudly_is_said_once(tmp_path: Path) -> None:
    leaky: dict[str, Any] = {"isolation": {"decision": "allowed", "leaks": [{}, {}]}, "limit": 4}
    fewer = {"isolation": {"decision": "allowed", "leaks": [{}]}}
    runs = [
        complete_run(tmp_path, "prompt", **leaky),
        complete_run(tmp_path, "rag", **leaky | fewer),
    ]
    runs.append(failing(complete_run(tmp_path, "lora", lowered=["k lowered"], **leaky)))
    assert warnings(read_ladder(runs).runs) == [
        "NOT ISOLATED: 2 leaks into eval were allowed; scores are inflated",
        "only 4 groups of questions: below ten, intervals are rough",
        "limit=4: only a sample of 4 eval examples was asked",
        "lora: k lowered",
        "lora: 1 prediction failed and counts as wrong",
    ]


def test_runs_that_other_versions_of_a_library_made_are_told_apart(tmp_path: Path) -> None:
    old, new = ({"harness": "0.1.0", "torch": version} for version in ("2.12.0", "2.13.0"))
    runs = [complete_run(tmp_path, "prompt", versions=old)]
    assert not any("versions" in line for line in warnings(read_ladder(runs).runs))
    runs.append(complete_run(tmp_path, "rag", versions=new))
    assert warnings(read_ladder(runs).runs)[-1] == (
        "runs were made with different versions of torch (2.12.0 and 2.13.0): what differs between "
        "them may come from that; force=true makes them again"
    )
