"""What one ladder shows, found once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.analysis.findings import Findings, findings
from harness.analysis.runs import read_ladder
from harness.evidence.statistics import Interval, expected_optimism
from harness.record.results import RunFolder, find_runs
from tests.record.conftest import complete_run, judge


def found_of(*folders: RunFolder) -> Findings:
    return findings(read_ladder(folders))


def test_rungs_and_controls_stand_apart_and_the_runs_of_both_together(tmp_path: Path) -> None:
    found = found_of(
        complete_run(tmp_path, "majority", control={"kind": "majority", "of": None}),
        complete_run(tmp_path, "lora", seed=0),
        complete_run(tmp_path, "lora", seed=1),
        complete_run(tmp_path, "prompt"),
    )
    assert [rung.key for rung in found.rungs] == ["prompt", "lora"]
    assert [one.control.key for one in found.controls] == ["majority"]
    assert [run.label for run in found.runs] == ["prompt", "lora seed=0", "lora seed=1", "majority"]


def test_measures_are_those_of_the_manifests_that_were_measured_without_the_primary(
    tmp_path: Path,
) -> None:
    other = {"macro_f1": Interval(0.5, None, None, 4, "none")}
    told = ["readable", "accuracy", "never_measured", "macro_f1"]
    found = found_of(
        complete_run(tmp_path, "prompt", measures=told[:2]),
        complete_run(tmp_path, "rag", more=other, measures=told),
    )
    assert found.measures == ["readable", "macro_f1"]


def test_older_results_show_the_measures_that_they_showed(tmp_path: Path) -> None:
    other = {"macro_f1": Interval(0.5, None, None, 4, "none")}
    assert found_of(complete_run(tmp_path, more=other)).measures == ["macro_f1"]


def test_all_that_was_judged_is_counted_with_what_chance_gives_the_best(tmp_path: Path) -> None:
    found = found_of(*judge(tmp_path, "prompt", "rag", "few_shot"))
    assert found.judged == 3
    assert found.optimism == expected_optimism(3, found.rungs[0].primary)


def test_deleted_runs_have_judged_too(tmp_path: Path) -> None:
    gone, _ = judge(tmp_path, "rag", "prompt")
    shutil.rmtree(gone.path)
    assert found_of(*find_runs(tmp_path)).judged == 2


def test_runs_that_are_older_than_the_ledger_are_counted_too(tmp_path: Path) -> None:
    old = complete_run(tmp_path, "lora", seed=0), complete_run(tmp_path, "lora", seed=1)
    control = complete_run(tmp_path, "majority", control={"kind": "majority", "of": None})
    assert found_of(*old, control, *judge(tmp_path, "prompt")).judged == 2


@pytest.mark.parametrize(("rungs", "judged"), [((), 0), (("prompt",), 1)])
def test_without_a_ledger_or_a_choice_chance_gives_nothing(
    tmp_path: Path, rungs: tuple[str, ...], judged: int
) -> None:
    folders = judge(tmp_path, *rungs) or [complete_run(tmp_path, r) for r in ("prompt", "rag")]
    found = found_of(*folders)
    assert (found.judged, found.optimism) == (judged, None)


def test_files_about_a_ladder_stand_beside_its_rungs_under_its_eval_set(tmp_path: Path) -> None:
    found = found_of(complete_run(tmp_path))
    name = f"findings-{found.ladder.eval_set[:8]}.json"
    assert found.path("findings", "json") == tmp_path / "tickets" / name
