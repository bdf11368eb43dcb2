"""Cost against quality."""

from __future__ import annotations

from itertools import combinations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

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


@pytest.mark.parametrize("ladder", ["five", "sixteen"])
def test_all_that_is_written_stands_inside_and_apart(
    ladder: str, request: pytest.FixtureRequest
) -> None:
    figure = pareto_chart(request.getfixturevalue(ladder))
    assert figure is not None
    FigureCanvasAgg(figure).draw()
    (axes,) = figure.axes
    written = (*axes.texts, axes.xaxis.label, axes.title)
    boxes = [Text.get_window_extent(text) for text in written]  # without an annotation's line
    assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in boxes)
    assert not [1 for one, other in combinations(boxes, 2) if one.overlaps(other)]


def test_labels_that_would_cover_each_other_are_moved_apart() -> None:
    assert apart([1.0, 5.0, 9.0], 1.0, 10.0) == [1.0, 5.0, 9.0]
    assert apart([5.0, 5.0, 5.5], 1.0, 10.0) == [5.0, 6.0, 7.0]
    assert apart([0.0, 0.0, 9.5], 1.0, 9.0) == [0.0, 1.0, 9.0]
    assert apart([8.0, 9.0, 9.0], 1.0, 9.0) == [7.0, 8.0, 9.0]
