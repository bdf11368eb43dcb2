"""What the terminal says about a ladder."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.analysis.findings import Findings, findings
from harness.analysis.runs import read_ladder
from harness.evidence.statistics import Interval
from harness.report.tables import tables
from harness.report.terminal import show
from tests.record.conftest import ANSWERS, TRAINING, complete_run, failing

RIGHT = dict.fromkeys(ANSWERS, "red")


def printed(found: Findings, width: int = 120, *, full: bool = False) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    show(found, console, full=full)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def found_of(root: Path, **lora: Any) -> Findings:
    folders = [
        complete_run(root, "prompt"),
        complete_run(root, "few_shot", dict.fromkeys(ANSWERS, "blue")),
        complete_run(root, "lora", RIGHT, training=TRAINING, seed=0, **lora),
    ]
    return findings(read_ladder(folders))


def test_each_rung_is_a_line_with_n_and_the_primary_metric_with_its_interval(
    tmp_path: Path,
) -> None:
    text = printed(found_of(tmp_path))
    rungs = ("prompt", "few_shot", "lora*")
    cells = [line.split() for line in text.splitlines()]
    lines = {row[0]: row for row in cells if row and row[0] in rungs and row[1] == "4"}
    assert list(lines) == ["prompt", "few_shot", "lora*"]
    assert lines["prompt"][1:4] == ["4", "75.0", "(30.1–95.4)"]


def test_all_tables_tell_what_training_took(tmp_path: Path) -> None:
    (line,) = [row for row in printed(found_of(tmp_path), full=True).splitlines() if "1,536" in row]
    assert line.split()[:5] == ["lora", "4", "4,000", "1,536", "100,000"]  # 3.5 s, rounded


def test_contrasts_say_how_large_how_sure_and_what_could_have_been_seen(tmp_path: Path) -> None:
    text = printed(found_of(tmp_path), full=True)
    (line,) = [row for row in text.splitlines() if "lora* – prompt" in row]
    assert "25.0" in line
    assert "no detectable difference" in line
    assert "* one seed: the noise of training or of drawing is not measured" in text
    assert "No detectable difference is not equality." in " ".join(text.split())


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("width", [80, 120])
def test_no_column_is_cut_off(tmp_path: Path, width: int, full: bool) -> None:
    text = printed(found_of(tmp_path), width, full=full)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width


def test_a_limit_and_leaks_that_were_allowed_are_shouted(tmp_path: Path) -> None:
    leaky = {"decision": "allowed", "leaks": [{}, {}]}
    folder = complete_run(tmp_path, limit=4, isolation=leaky)
    text = printed(findings(read_ladder([folder])))
    assert "! limit=4: only a sample of 4 eval examples was asked" in text
    assert "! NOT ISOLATED: 2 leaks into eval were allowed; scores are inflated" in text


def test_failed_predictions_are_counted_aloud(tmp_path: Path) -> None:
    text = printed(findings(read_ladder([failing(complete_run(tmp_path))])))
    assert "! prompt: 1 prediction failed and counts as wrong" in text


def test_what_all_runs_were_started_with_stands_above_the_table_once(tmp_path: Path) -> None:
    variant = "training.epochs=1"
    folders = [complete_run(tmp_path, rung, variant=variant) for rung in ("prompt", "lora")]
    assert printed(findings(read_ladder(folders))).count(variant) == 1


def test_the_verdict_stands_above_the_tables_a_line_for_each_contrast(tmp_path: Path) -> None:
    text = printed(found_of(tmp_path))
    verdict = "• no detectable difference between lora* and prompt: 25.0"
    assert text.index(verdict) < text.index("scores, %")


def test_a_verdict_against_a_rung_that_failed_a_check_is_blocked(tmp_path: Path) -> None:
    cut = {"truncated": Interval(0.75, 0.3, 0.95, 4, "wilson")}
    folders = [complete_run(tmp_path, "prompt", more=cut), complete_run(tmp_path, "lora")]
    text = " ".join(printed(findings(read_ladder(folders))).split())
    assert "blocked: prompt cut off 75% of its answers" in text
    assert "✗ prompt cut off 75% of its answers." in text


def test_the_essence_of_five_rungs_is_one_screen_of_80_columns(five: Findings) -> None:
    text = printed(five, 80)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 50, text
    for what in ("scores, %", "declared contrasts", "cost of a question", "controls: majority"):
        assert what in text


def test_the_essence_leaves_out_what_the_page_has(five: Findings) -> None:
    essence, everything = printed(five), printed(five, full=True)
    for title in ("by odd", "kinds of field", "effort", "break-even", "badges: is a score"):
        assert title not in essence
        assert title in everything


def test_the_essence_says_which_badges_failed_and_why(tmp_path: Path) -> None:
    cut = {"truncated": Interval(0.75, 0.3, 0.95, 4, "wilson")}
    text = printed(findings(read_ladder([complete_run(tmp_path, more=cut)])))
    assert "✗ prompt cut off 75% of its answers." in text


def test_intervals_of_contrasts_say_their_level_and_what_they_have_to_do_with_p(
    five: Findings,
) -> None:
    for full in (False, True):
        text = " ".join(printed(five, full=full).split())
        assert "points (95% to 98.3% interval, by Holm)" in text
        assert "an interval leaves out 0 exactly if p (Holm) is below 5%" in text


@pytest.mark.parametrize("width", [80, 100])
def test_sixteen_rungs_with_large_numbers_fit_and_no_word_or_number_is_broken(
    sixteen: Findings, width: int
) -> None:
    text = printed(sixteen, width, full=True)
    assert max(map(len, text.splitlines())) <= width
    words = set(text.split())
    for table in tables(sixteen):
        for line in [table.headings, *table.lines]:
            assert set(" ".join(line).split()) <= words, table.title
        for line in table.lines:
            for heading, cell in zip(table.headings, line, strict=True):
                assert cell in text or heading in table.prose, f"{table.title}: {cell}"


def test_what_is_said_of_sixteen_rungs_first_fits_80_columns_too(sixteen: Findings) -> None:
    assert max(map(len, printed(sixteen, 80).splitlines())) <= 80
