"""The ladder as a chart."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.image import imread
from numpy.typing import NDArray

from harness.analysis.rungs import RungResult, rung_results
from harness.analysis.runs import read_ladder
from harness.evidence.statistics import Interval, mean_interval
from harness.record.results import RunFolder
from harness.report.figures import TUNED, UNTUNED, ladder_chart, save, training_chart
from harness.report.formatting import FOOTNOTE
from tests.record.conftest import ANSWERS, TRAINING, complete_run


def results(*folders: RunFolder) -> list[RungResult]:
    return rung_results(read_ladder(folders))


def one(root: Path, whole: Interval) -> RungResult:
    """A rung whose primary metric has no value for single questions."""
    return results(complete_run(root, more={"macro_f1": whole}, primary="macro_f1"))[0]


def error_bars(shown: list[RungResult]) -> list[NDArray[np.float64]]:
    """The two ends of each error bar, in percent."""
    (axes,) = ladder_chart(shown).axes
    found = [c for c in axes.containers if isinstance(c, ErrorbarContainer)]
    return [np.asarray(c.lines[2][0].get_segments())[0][:, 0] for c in found]


def test_each_rung_is_a_bar_with_its_interval(tmp_path: Path) -> None:
    runs = [complete_run(tmp_path, "prompt"), complete_run(tmp_path, "lora", training=TRAINING)]
    rows = results(*runs)
    (axes,) = ladder_chart(rows).axes
    assert [bar.get_width() for bar in axes.patches] == [75, 75]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["prompt", "lora"]
    expected = mean_interval([1, 0, 1, 1])
    assert expected.low is not None and expected.high is not None
    for ends in error_bars(rows):
        assert ends == pytest.approx([100 * expected.low, 100 * expected.high])
    assert len(error_bars(rows)) == 2


def test_a_tuned_rung_has_another_colour(tmp_path: Path) -> None:
    from matplotlib.colors import to_hex

    runs = [complete_run(tmp_path, "prompt"), complete_run(tmp_path, "lora", training=TRAINING)]
    (axes,) = ladder_chart(results(*runs)).axes
    assert [to_hex(bar.get_facecolor()) for bar in axes.patches] == [UNTUNED, TUNED]


def test_a_long_label_leaves_room_for_the_picture(tmp_path: Path) -> None:
    rows = results(complete_run(tmp_path, "lora-" + 150 * "x"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns where nothing is left for the axes
        figure = ladder_chart(rows)
        save(figure, tmp_path / "ladder.svg")
    (axes,) = figure.axes
    assert axes.get_position().width > 0.3


def test_metric_task_and_n_are_named(tmp_path: Path) -> None:
    (axes,) = ladder_chart(results(complete_run(tmp_path))).axes
    assert axes.get_xlabel() == "accuracy, % (95% interval)"
    assert axes.get_title(loc="left") == "tickets, n=4"


def test_a_value_without_an_interval_has_a_bar_alone(tmp_path: Path) -> None:
    alone = one(tmp_path, Interval(0.5, None, None, 4, "none"))
    assert error_bars([alone]) == []
    assert len(ladder_chart([alone]).axes[0].patches) == 1


@pytest.mark.parametrize("right", [0.0, 1.0])
def test_nothing_right_and_everything_right_can_be_drawn(tmp_path: Path, right: float) -> None:
    """Wilson's interval then misses the value by a rounding error at some n."""
    for n in (7, 9, 28):
        (ends,) = error_bars([one(tmp_path, mean_interval([right] * n))])
        assert ends[0] == pytest.approx(0.0, abs=1e-9) or ends[1] == pytest.approx(100.0)


def test_an_interval_that_leaves_out_its_value_is_drawn_where_it_is(tmp_path: Path) -> None:
    """The percentile bootstrap of macro-F1 can lie above the value."""
    (ends,) = error_bars([one(tmp_path, Interval(0.4, 0.45, 0.6, 4, "percentile bootstrap"))])
    assert ends == pytest.approx([45, 60])


def test_a_chart_is_saved_as_png(tmp_path: Path) -> None:
    path = tmp_path / "ladder.png"
    save(ladder_chart(results(complete_run(tmp_path))), path)
    pixels = imread(path)
    assert pixels.ndim == 3 and pixels.std() > 0


def test_seeds_are_dots_around_their_mean(tmp_path: Path) -> None:
    runs = [
        complete_run(tmp_path, "lora", dict.fromkeys(ANSWERS, text), seed=seed, training=TRAINING)
        for seed, text in enumerate(("red", "blue"))
    ]
    chart = ladder_chart(results(*runs))
    (axes,) = chart.axes
    assert [bar.get_width() for bar in axes.patches] == [50]
    dots = [one for one in axes.lines if one.get_marker() == "o"]
    assert [list(one.get_xdata()) for one in dots] == [[100, 0]]
    assert chart.get_supxlabel() == ""


def test_a_single_seed_of_something_random_is_marked(tmp_path: Path) -> None:
    runs = [complete_run(tmp_path, "prompt"), complete_run(tmp_path, "lora", seed=0)]
    chart = ladder_chart(results(*runs))
    assert [tick.get_text() for tick in chart.axes[0].get_yticklabels()] == ["prompt", "lora*"]
    assert chart.get_supxlabel() == FOOTNOTE


def test_training_has_a_line_for_each_seed(tmp_path: Path) -> None:
    runs = [complete_run(tmp_path, "lora", training=TRAINING, seed=seed) for seed in (0, 1, 2)]
    (axes,) = training_chart(results(*runs)[0]).axes
    assert len(axes.lines) == 6
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["train", "dev"]
