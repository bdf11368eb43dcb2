"""The noise curve as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.analysis.data_quality import Cell, DataQuality
from harness.report.figures import INK, TUNED, UNTUNED, WIDTH, as_written

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["noise_chart"]

MARKS = "osD^v"


@as_written
def noise_chart(told: DataQuality, primary: str) -> Figure:
    """The primary metric by share of wrong targets in train, with 95% intervals: a line for each
    rung, broken where suspects were left out."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    axes = figure.add_subplot()
    rungs = list(dict.fromkeys(cell.rung for cell in told.cells))
    lines = dict.fromkeys((cell.rung, cell.without) for cell in told.cells)
    for place, (rung, without) in enumerate(lines):
        cells = [cell for cell in told.cells if (cell.rung, cell.without) == (rung, without)]
        # A little apart, so that intervals at the same share do not cover each other.
        shift = 0.4 * (place - (len(lines) - 1) / 2)
        shares = [100 * cell.planted + shift for cell in cells]
        colour = TUNED if cells[0].result.tuned else UNTUNED
        axes.plot(
            shares,
            [100 * cell.result.primary.value for cell in cells],
            color=colour,
            marker=MARKS[rungs.index(rung) % len(MARKS)],
            mfc=colour if without is None else "white",
            linestyle="-" if without is None else "--",
            label=rung if without is None else f"{rung}, without suspects ({without})",
        )
        for share, cell in zip(shares, cells, strict=True):
            _whiskers(axes, share, cell)
    axes.set_xlabel("wrong targets planted in train, %")
    axes.set_ylabel(f"{primary}, %")
    axes.set_xticks(sorted({100 * cell.planted for cell in told.cells}))
    axes.set_ylim(0, 100)
    figure.legend(frameon=False, fontsize=9, loc="outside upper left", ncols=1)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _whiskers(axes: Any, share: float, cell: Cell) -> None:
    value = cell.result.primary
    if value.low is not None and value.high is not None:
        axes.vlines(share, 100 * value.low, 100 * value.high, color=INK, lw=0.8)
