"""The waterfall from the bare prompt to everything on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer

from harness.analysis.ablation import ablation
from harness.analysis.findings import Findings
from harness.report.ablation_figure import waterfall_chart
from harness.report.figures import save
from harness.report.page import page
from tests.factorial import Value, additive, cells, world

UP = additive(0.05, spread=0.002, constraint=0.3, shots=0.2, retrieval=0.15, tuning=0.1)
DOWN = additive(0.4, spread=0.002, constraint=0.3, shots=-0.1, retrieval=0.1, tuning=-0.05)


def drawn(five: Findings, value: Value = UP, on: Iterable[Iterable[str]] = tuple(cells())) -> Axes:
    (axes,) = waterfall_chart(replace(five, ablation=ablation(world(value, on)))).axes
    return axes


def ends(axes: Axes) -> list[tuple[float, float]]:
    """Where each bar begins and ends, from the top."""
    return [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches]  # type: ignore[attr-defined]


def bars(axes: Axes) -> list[tuple[float, float]]:
    """The two totals, and the steps between them."""
    first, last, *steps = ends(axes)
    return [first, *steps, last]


@pytest.mark.parametrize("value", [UP, DOWN], ids=["up", "down"])
def test_each_step_begins_where_the_one_before_ended(five: Findings, value: Value) -> None:
    first, *steps, last = bars(drawn(five, value))
    reached = first[1]
    for begin, end in steps:
        assert begin == pytest.approx(reached)
        reached = end
    assert last == (0, pytest.approx(reached))


def test_rows_are_named_from_the_bare_prompt_to_everything(five: Findings) -> None:
    axes = drawn(five)
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [
        "bare prompt", "constraint", "worked examples", "passages", "tuning", "everything on",
    ]  # fmt: skip
    assert {"+30.0", "+20.0", "+15.0", "+10.0"} <= {text.get_text() for text in axes.texts}
    under = [on | {"constraint"} for on in cells(["shots", "tuning"])]
    axes = drawn(five, on=under)
    assert axes.get_yticklabels()[0].get_text() == "constraint"


def test_a_step_has_its_interval_and_a_mark_where_everything_would_be_without_it(
    five: Findings,
) -> None:
    axes = drawn(five)
    found = [c for c in axes.containers if isinstance(c, ErrorbarContainer)]
    assert len(found) == 4
    marks = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "D"]  # type: ignore[index]
    _, *steps, last = bars(axes)
    lost = [last[1] - mark for mark in marks]
    assert lost == pytest.approx([end - begin for begin, end in steps]), "effects add up here"


def test_everything_drawn_is_within_the_axes(five: Findings) -> None:
    for value in (UP, DOWN):
        axes = drawn(five, value)
        low, high = axes.get_xlim()
        assert all(low <= x <= high for pair in bars(axes) for x in pair)


def test_without_a_complete_design_there_is_nothing_to_draw(five: Findings) -> None:
    with pytest.raises(ValueError, match="no complete design"):
        waterfall_chart(five)


def test_the_page_shows_it_and_it_can_be_saved(five: Findings, tmp_path: Path) -> None:
    shown = replace(five, ablation=ablation(world(UP)))
    html = page(shown)
    assert html.count('<a href="#ablation">') == 1
    assert "what each slot adds" in html.partition('id="ablation"')[2].partition("</svg>")[0]
    save(waterfall_chart(shown), tmp_path / "waterfall.png")
    assert (tmp_path / "waterfall.png").stat().st_size > 1000
