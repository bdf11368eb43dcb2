"""The learning curves as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.analysis.findings import Findings
from harness.analysis.learning_curve import Crossing, Curve, LearningCurve
from harness.report.figures import INK, TUNED, UNTUNED, WIDTH, as_written, brief

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["learning_curve_chart"]

MARKERS = "osD^v"
"""Of the first, second, … tuned curve, and of the untuned ones."""
DASHES = (":", "-.", (0, (1, 4)))
"""Of rungs that read no train."""


@as_written
def learning_curve_chart(found: Findings) -> Figure:
    """The primary metric by train examples: points with 95% intervals, fitted curves with theirs,
    dashed beyond the data, and where tuned rungs pass."""
    from matplotlib.figure import Figure

    curve = found.curve
    assert curve is not None, "a ladder without several sizes of train has no learning curve"
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for tuned in (True, False):
        for place, one in enumerate(c for c in curve.curves if c.tuned == tuned):
            _draw(axes, one, MARKERS[place % len(MARKERS)])
    levels = [rung for rung in found.rungs if rung.key in curve.levels]
    for place, rung in enumerate(levels):
        level = 100 * rung.primary.value
        axes.axhline(level, color=INK, ls=DASHES[place % len(DASHES)], label=brief(rung.label))
    for crossing in curve.crossings:
        _mark(axes, crossing, curve)
    axes.set_xscale("log")
    axes.set_xticks(curve.sizes, [f"{size:,}" for size in curve.sizes])
    axes.minorticks_off()
    axes.set(xlabel="train examples", ylabel=f"{found.primary}, % (95% interval)")
    axes.set_title(f"{found.manifest['task']}, n={found.manifest['n']}", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def _draw(axes: Axes, curve: Curve, marker: str) -> None:
    """Points with intervals; the fit with its band."""
    colour = TUNED if curve.tuned else UNTUNED
    sizes = [point.size for point in curve.points]
    scores = [100 * point.score.value for point in curve.points]
    joined = "none" if curve.drawn else "--"
    axes.plot(
        sizes,
        scores,
        marker=marker,
        ls=joined,
        color=colour,
        mec="white",
        ms=7,
        label=brief(curve.label),
    )
    for point in curve.points:
        if point.score.low is not None and point.score.high is not None:
            ends = [100 * point.score.low, 100 * point.score.high]
            axes.plot([point.size, point.size], ends, color=colour, lw=1)
    if not curve.drawn:
        return
    at = [size for size, _ in curve.drawn]
    axes.fill_between(
        at,
        [100 * (score.low or 0.0) for _, score in curve.drawn],
        [100 * (score.high or 0.0) for _, score in curve.drawn],
        color=colour, alpha=0.12, lw=0,
    )  # fmt: skip
    fitted = [(size, 100 * score.value) for size, score in curve.drawn]
    known = sum(size <= sizes[-1] for size in at)
    axes.plot(*zip(*fitted[:known], strict=True), color=colour, lw=1.4)
    axes.plot(*zip(*fitted[known - 1 :], strict=True), color=colour, lw=1.4, ls="--")


def _mark(axes: Axes, crossing: Crossing, curve: LearningCurve) -> None:
    """Where a tuned rung passes, on the curve itself, with the interval along the axis."""
    at = crossing.at
    if at is None or at.n == float("inf"):
        return
    tuned = next(one for one in curve.curves if one.key == crossing.tuned)
    if tuned.law is None:
        return
    import numpy as np

    score = 100 * (1.0 - float(tuned.law.error(np.array([at.n]))[0]))
    ends = [at.low, min(at.high, crossing.last)]
    axes.plot(ends, [score, score], color=INK, lw=1.2, marker="|", ms=7, zorder=4)
    axes.plot([at.n], [score], marker="X", color=INK, mec="white", ms=9, zorder=5)
