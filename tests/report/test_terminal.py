"""What the terminal says about a ladder."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.evidence.statistics import Interval
from harness.report.findings import findings
from harness.report.ladder import Row, ladders
from harness.report.terminal import show
from tests.record.conftest import ANSWERS, TRAINING, complete_run

RIGHT = dict.fromkeys(ANSWERS, "red")


def printed(rows: list[Row], width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    show(rows, findings(rows), console)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def rows_of(root: Path, **lora: Any) -> list[Row]:
    folders = [
        complete_run(root, "prompt"),
        complete_run(root, "few_shot", dict.fromkeys(ANSWERS, "blue")),
        complete_run(root, "lora", RIGHT, training=TRAINING, seed=0, **lora),
    ]
    (rows,) = ladders(folders)
    return rows


def test_each_rung_is_a_line_with_n_and_the_primary_metric_with_its_interval(
    tmp_path: Path,
) -> None:
    text = printed(rows_of(tmp_path))
    rungs = ("prompt", "few_shot", "lora*")
    cells = [line.split() for line in text.splitlines()]
    lines = {row[0]: row for row in cells if row and row[0] in rungs and row[1] == "4"}
    assert list(lines) == ["prompt", "few_shot", "lora*"]
    assert lines["prompt"][1:5] == ["4", "-", "75.0", "(30.1–95.4)"]
    assert lines["lora*"][1:3] == ["4", "1"]


def test_costs_tell_what_training_took(tmp_path: Path) -> None:
    (line,) = [row for row in printed(rows_of(tmp_path)).splitlines() if "1,536" in row]
    assert line.split()[:5] == ["lora", "4", "4,000", "1,536", "100,000"]  # 3.5 s, rounded


def test_contrasts_say_how_large_how_sure_and_what_could_have_been_seen(tmp_path: Path) -> None:
    text = printed(rows_of(tmp_path))
    (line,) = [row for row in text.splitlines() if "lora* – prompt" in row]
    assert "25.0" in line
    assert "no detectable difference" in line
    assert "* one seed: the noise of training or of drawing is not measured" in text
    assert "No detectable difference is not equality." in " ".join(text.split())


@pytest.mark.parametrize("width", [80, 120])
def test_no_column_is_cut_off(tmp_path: Path, width: int) -> None:
    text = printed(rows_of(tmp_path), width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width


def test_a_limit_and_leaks_that_were_allowed_are_shouted(tmp_path: Path) -> None:
    leaky = {"decision": "allowed", "leaks": [{}, {}]}
    folder = complete_run(tmp_path, limit=4, isolation=leaky)
    (rows,) = ladders([folder])
    text = printed(rows)
    assert "! limit=4: only the first 4 eval examples were asked" in text
    assert "! NOT ISOLATED: 2 leaks into eval were allowed; scores are inflated" in text


def test_failed_predictions_are_counted_aloud(tmp_path: Path) -> None:
    failed = {"failed": Interval(0.25, 0.0, 0.7, 4, "wilson")}
    (rows,) = ladders([complete_run(tmp_path, more=failed)])
    assert "! prompt: 1 predictions failed and count as wrong" in printed(rows)


def test_what_all_runs_were_started_with_stands_above_the_table_once(tmp_path: Path) -> None:
    variant = "training.epochs=1"
    folders = [complete_run(tmp_path, rung, variant=variant) for rung in ("prompt", "lora")]
    (rows,) = ladders(folders)
    assert printed(rows).count(variant) == 1


def test_the_verdict_stands_above_the_tables_a_line_for_each_contrast(tmp_path: Path) -> None:
    text = printed(rows_of(tmp_path))
    verdict = "• no detectable difference between lora* and prompt: 25.0"
    assert text.index(verdict) < text.index("scores, %")


def test_a_verdict_against_a_rung_that_failed_a_check_is_blocked(tmp_path: Path) -> None:
    cut = {"truncated": Interval(0.75, 0.3, 0.95, 4, "wilson")}
    (rows,) = ladders([complete_run(tmp_path, "prompt", more=cut), complete_run(tmp_path, "lora")])
    text = " ".join(printed(rows).split())
    assert "blocked: prompt cut off 75% of its answers" in text
    assert "✗ prompt cut off 75% of its answers." in text
