"""What would fix what fails, as a chart."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from harness.report.diagnosis_figure import COLOURS, diagnosis_chart
from tests.repaired import RAG, RAG_LORA, World


@pytest.fixture
def chart(tmp_path: Path) -> Figure:
    world = World(tmp_path)
    world.run("rag", range(10), RAG, found=range(15))
    world.control("oracle_passages", "rag", {10, 15, 16}, RAG)
    world.run("rag_lora", {17, 18, 19}, RAG_LORA)
    world.control("shuffled_targets", "rag_lora", {19}, RAG_LORA)
    found = world.findings().diagnosis
    assert found is not None
    return diagnosis_chart(found)


def test_each_row_is_a_bar_of_its_net_share_with_what_chance_repairs_behind(chart: Figure) -> None:
    (axes,) = chart.axes
    assert [tick.get_text().replace("\n", " ") for tick in axes.get_yticklabels()] == [
        "knowledge: missed by retrieval", "knowledge: retrieved, not read",
        "behaviour: tuning", "more than one of these", "none of these",
    ]  # fmt: skip
    plain = [bar.get_width() for bar in axes.patches if not bar.get_hatch()]
    hatched = [bar.get_width() for bar in axes.patches if bar.get_hatch()]
    assert plain == pytest.approx([20, 10, 20, 0, 50])
    assert hatched == pytest.approx([30]), "three by tuning, one of them by chance"
    hatching, missing = chart.get_supxlabel().splitlines()
    assert hatching == "hatched: what a placebo repairs too"
    assert missing == "not measured: the constraint"


def test_every_share_has_its_interval_and_says_of_what_it_is_one(chart: Figure) -> None:
    (axes,) = chart.axes
    assert len([c for c in axes.containers if isinstance(c, ErrorbarContainer)]) == 5
    assert axes.get_xlabel() == "% of 10 wrong questions of 20 (95% interval)"
    assert chart.get_suptitle() == "What repairs the errors of rag"
    assert len(set(COLOURS.values())) == len(COLOURS)
