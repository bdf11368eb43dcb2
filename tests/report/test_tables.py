"""What stands in the tables about settings and about decoding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.analysis.findings import findings
from harness.analysis.runs import read_ladder
from harness.record.results import RunFolder
from harness.report.formatting import Table
from harness.report.tables import tables
from tests.record.conftest import TRAINING, complete_run


def trial(value: float, settings: str = "") -> dict[str, Any]:
    return {"settings": settings, "value": value, "n": 64, "seconds": 1.0, "tokens": 100.0}


def table(title: str, *folders: RunFolder) -> Table | None:
    found = [t for t in tables(findings(read_ladder(folders))) if t.title.startswith(title)]
    return found[0] if found else None


def badges(*folders: RunFolder) -> dict[str, dict[str, bool]]:
    found = findings(read_ladder(folders)).checks
    return {key: {badge.name: badge.passed for badge in each} for key, each in found.items()}


def test_effort_tells_how_many_settings_were_tried_and_which_was_chosen(tmp_path: Path) -> None:
    tried = [trial(0.25), trial(0.75, "rung.shots.k=2"), trial(0.5, "rung.shots.k=8")]
    made = table(
        "effort",
        complete_run(tmp_path, "prompt", dev={"n": 64, "value": 0.4}),
        complete_run(tmp_path, "few_shot", trials=tried, chosen=1),
    )
    assert made is not None
    assert made.title == "effort: accuracy on 64 dev questions, %"
    assert made.lines == [
        ["prompt", "1", "40.0", "40.0", "40.0", "as in its YAML"],
        ["few_shot", "3", "25.0", "75.0", "75.0", "rung.shots.k=2"],
    ]


def test_one_trial_tells_the_settings_that_were_chosen_for_the_task(tmp_path: Path) -> None:
    dev = {"n": 64, "value": 0.4}
    made = table("effort", complete_run(tmp_path, "few_shot", dev=dev, settings="rung.shots.k=2"))
    assert made is not None
    assert made.lines == [["few_shot", "1", "40.0", "40.0", "40.0", "rung.shots.k=2"]]


def test_without_dev_there_is_no_effort_to_tell_of(tmp_path: Path) -> None:
    folders = complete_run(tmp_path, "prompt"), complete_run(tmp_path, "rag")
    assert table("effort", *folders) is None
    assert all("effort" not in each for each in badges(*folders).values())


def test_a_rung_that_tried_less_than_another_fails_the_badge(tmp_path: Path) -> None:
    two = {"trials": [trial(0.25), trial(0.5, "rung.role=user")], "chosen": 1}
    passed = badges(
        complete_run(tmp_path, "prompt", **two),
        complete_run(tmp_path, "rag", **two),
        complete_run(tmp_path, "lora", dev={"n": 64, "value": 0.4}, training=TRAINING),
    )
    assert {key: each["effort"] for key, each in passed.items()} == {
        "prompt": True, "rag": True, "lora": False,
    }  # fmt: skip


def test_format_by_grammar_or_by_tuning_is_a_table_over_the_same_dev_questions(
    tmp_path: Path,
) -> None:
    """The bare prompt answers a sample without the constraint, and is compared on it alone."""
    delta = {"value": 0.5, "low": 0.25, "high": 0.75, "n": 16, "method": "bootstrap (BCa)"}
    sample = {"n": 16, "value": 0.125, "difference": delta, "p": 0.01}
    level = {"value": 0.0, "low": None, "high": None, "n": 64, "method": "none"}
    tuned = {"n": 64, "value": 0.75, "difference": level, "p": 1.0}
    held: dict[str, Any] = {"decoding": "constrained", "dev": {"n": 64, "value": 0.75}}
    made = table(
        "format by grammar or by tuning?",
        complete_run(tmp_path, "prompt", dev_free=sample, **held),
        complete_run(tmp_path, "rag", **held),
        complete_run(tmp_path, "lora", dev_free=tuned, training=TRAINING, **held),
    )
    assert made is not None
    assert made.lines == [
        ["prompt", "16", "62.5", "12.5", "50.0 (25.0–75.0)"],
        ["lora", "64", "75.0", "75.0", "0.0"],
    ]


def test_where_nothing_was_decoded_freely_there_is_no_such_table(tmp_path: Path) -> None:
    assert table("format by", complete_run(tmp_path, "prompt")) is None
