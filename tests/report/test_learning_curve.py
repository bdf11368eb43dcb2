"""How much data, in tables, sentences and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.analysis.findings import Findings, findings
from harness.analysis.runs import read_ladder
from harness.report.essence import essence
from harness.report.learning_curve import hidden, learning_curves, line, sentences
from harness.report.learning_curve_figure import learning_curve_chart
from harness.report.markdown import markdown
from harness.report.page import page
from tests.record.conftest import complete_run
from tests.sized_ladders import SIZES, sized_ladder, sized_run


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    return findings(read_ladder(sized_ladder(tmp_path_factory.mktemp("sized"))))


def show(*folders: Any) -> Findings:
    return findings(read_ladder(folders))


def test_the_points_stand_in_a_table_by_size(found: Findings) -> None:
    points, laws, crossings = learning_curves(found)
    assert points.headings == ["train examples", "few_shot", "lora"]
    assert [row[0] for row in points.lines] == [f"{size}" for size in SIZES]
    assert points.lines[-1][1].startswith("61.5 (")
    assert points.notes[0] == "Without train: prompt 45.0."
    assert points.notes[1] == "Steps of lora, by size: 2, 2, 2, 2, 2, 2."
    assert [row[0] for row in laws.lines] == ["few_shot", "lora"]
    assert [row[0] for row in crossings.lines] == ["lora – few_shot"]
    for table in (points, laws, crossings):
        assert all(len(row) == len(table.headings) for row in table.lines)


def test_the_sentences_have_the_numbers_of_the_findings(found: Findings) -> None:
    assert found.curve is not None
    (one,), (_, lora) = found.curve.crossings, found.curve.curves
    assert one.at is not None and one.parts is not None and lora.held_out is not None
    passes, binds, *held = sentences(found)
    assert passes == (
        f"lora passes few_shot at {one.at.n:.0f} train examples (95% interval {one.at.low:.0f} to "
        f"{one.at.high:.0f}); its lower bound does at {one.at.certain:.0f}."
    )
    assert binds.startswith("Questions bind at 400 examples: the standard error of lora – few_shot")
    assert f"is {100 * one.parts.error:.1f} points" in binds
    assert len(held) == 2
    assert held[1].startswith("lora at 400, held out: ")
    assert f"a miss of {100 * lora.held_out.miss:+.1f} points" in held[1]


def test_nothing_is_said_beyond_three_times_the_data(tmp_path: Path) -> None:
    _, *folders = sized_ladder(tmp_path)
    beaten = show(sized_run(tmp_path, "prompt", 195, None), *folders)
    assert sentences(beaten)[0] == (
        "lora does not pass prompt within 3x of the data, 1,200 train examples "
        "(95% interval over 1,200 to over 1,200)."
    )


def test_ahead_at_the_smallest_size_is_said_to_be_that(tmp_path: Path) -> None:
    folders = [f for f in sized_ladder(tmp_path) if f.path.parent.name == "lora"]
    found = show(sized_run(tmp_path, "prompt", 10, None), *folders)
    assert sentences(found)[0].startswith("lora passes prompt at 15 or fewer train examples")


def test_one_seed_leaves_open_what_binds(tmp_path: Path) -> None:
    said = sentences(show(*sized_ladder(tmp_path, seeds=1)))
    assert said[0].startswith("lora* passes few_shot at ")
    assert said[1].startswith("Whether questions or seeds bind is not known for lora* – few_shot")


def test_too_few_sizes_and_no_dev_are_said(tmp_path: Path) -> None:
    few = show(*sized_ladder(tmp_path / "few", sizes=(202, 400)))
    assert sentences(few)[0] == (
        "lora against few_shot: no curve is fitted, that needs 4 sizes of both."
    )
    (points,) = learning_curves(few)
    assert points.notes[-1] == sentences(few)[0]
    silent = sized_run(tmp_path / "dev", "rag", 100, 400, dev=None)
    assert sentences(show(*sized_ladder(tmp_path / "dev"), silent))[0] == (
        "lora: the best untuned rung is not known, as one did not answer dev."
    )


def test_the_first_screen_says_what_it_leaves_out_and_where_tuning_passes(found: Findings) -> None:
    scores, *_ = essence(found)
    assert [row[0] for row in scores.lines] == ["prompt", "few_shot", "lora"]
    assert hidden(found) in scores.notes and line(found) in scores.notes
    assert hidden(found) == (
        "few_shot, lora: on the largest train set (400 examples); smaller ones stand in the "
        "learning curve alone."
    )
    assert line(found).startswith("how much data: lora passes few_shot at ")


def test_page_and_markdown_have_it(found: Findings) -> None:
    text = page(found)
    assert '<h2 id="amount">How much data</h2>' in text
    assert all(said.split(",")[0] in text for said in sentences(found))
    assert f"- {sentences(found)[0]}" in "\n".join(markdown(found))


def test_a_ladder_of_one_size_shows_nothing_of_it(tmp_path: Path) -> None:
    plain = show(complete_run(tmp_path))
    assert (hidden(plain), line(plain), sentences(plain), learning_curves(plain)) == (
        "",
        "",
        [],
        [],
    )
    assert "How much data" not in page(plain)


def test_the_picture_has_points_fits_levels_and_the_crossing(found: Findings) -> None:
    chart = learning_curve_chart(found)
    (axes,) = chart.axes
    assert axes.get_xscale() == "log"
    assert axes.get_ylabel() == "accuracy, % (95% interval)"
    named = [one.get_label() for one in axes.lines if not str(one.get_label()).startswith("_")]
    assert named == ["lora", "few_shot", "prompt"]
    points = next(one for one in axes.lines if one.get_label() == "lora")
    assert list(points.get_xdata()) == list(SIZES)
    (cross,) = [one for one in axes.lines if one.get_marker() == "X"]
    assert found.curve is not None and found.curve.crossings[0].at is not None
    assert list(cross.get_xdata()) == [found.curve.crossings[0].at.n]
