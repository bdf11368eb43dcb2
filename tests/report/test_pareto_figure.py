"""Cost against quality."""

from __future__ import annotations

from itertools import pairwise

from harness.analysis.findings import Findings
from harness.report.pareto_figure import Point, apart, front, pareto_chart, points


def point(label: str, cost: float, value: float) -> Point:
    return Point(label, cost, value, None, None, tuned=False)


def test_the_front_is_what_no_other_beats_in_both() -> None:
    cheap, good, beaten, same = (
        point("cheap", 1, 0.2), point("good", 3, 0.9), point("beaten", 2, 0.1), point("same", 4, 0.9),
    )  # fmt: skip
    assert front([same, beaten, good, cheap]) == [cheap, good]


def test_money_is_the_cost_where_every_rung_has_its_price(five: Findings) -> None:
    unit, drawn = points(five)
    assert unit == "USD for 1,000 answers"
    assert [p.label for p in drawn] == ["prompt", "few_shot", "rag", "lora*", "rag_lora*"]


def test_every_rung_is_named_in_the_picture(five: Findings) -> None:
    figure = pareto_chart(five)
    assert figure is not None
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert all(any(rung.label in text for text in texts) for rung in five.rungs)


def test_labels_that_would_cover_each_other_are_moved_apart() -> None:
    assert apart([1.0, 5.0, 9.0], 1.0) == [1.0, 5.0, 9.0]
    moved = apart([5.0, 5.0, 5.2], 1.0)
    assert [round(b - a, 6) for a, b in pairwise(moved)] == [1.0, 1.0]
