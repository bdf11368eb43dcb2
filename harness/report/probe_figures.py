"""What probes found, as pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.analysis.calibration import Calibration
from harness.report.figures import INK, WIDTH, as_written, brief

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["risk_charts"]

COVERAGE = 80
"""In percent; where the tables read the curve."""


def risk_charts(found: Sequence[Calibration], labels: Mapping[str, str]) -> list[Figure]:
    """Risk against coverage: one figure for each field (or the label), one line for each rung."""
    fields = dict.fromkeys(one.field for one in found)
    return [_risk([one for one in found if one.field == field], labels) for field in fields]


@as_written
def _risk(found: Sequence[Calibration], labels: Mapping[str, str]) -> Figure:
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
    axes = figure.add_subplot()
    colours = colormaps["viridis"]
    for place, one in enumerate(found):
        coverage = [100 * point.coverage for point in one.curve]
        colour = colours(0.85 * place / max(1, len(found) - 1))
        risk = [100 * point.risk.value for point in one.curve]
        axes.plot(coverage, risk, color=colour, label=brief(labels[one.rung]))
        if len(found) == 1 and all(point.risk.low is not None for point in one.curve):
            low = [100 * (point.risk.low or 0.0) for point in one.curve]
            high = [100 * (point.risk.high or 0.0) for point in one.curve]
            axes.fill_between(coverage, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.axvline(COVERAGE, color=INK, linewidth=0.6, linestyle=":")
    axes.set(
        title=f"risk and coverage: {found[0].field or 'label'}",
        xlabel="answered, the most confident first, %",
        ylabel="wrong among them, %",
        xlim=(0, 100),
        ylim=(0, None),
    )
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
