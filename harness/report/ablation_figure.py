"""What each slot adds, as a waterfall from the bare prompt to everything on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.analysis.ablation import Ablation, Effect
from harness.analysis.findings import Findings
from harness.report.ablation import called, signed
from harness.report.figures import INK, TUNED, UNTUNED, WIDTH, as_written

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["waterfall_chart"]

TOTAL = "#8794a0"
"""Of the two bars that are scores; the steps between them are differences."""
HEIGHT = 0.62
LEGEND = (
    "Steps: each slot's share of the gain (Shapley, 95% interval).\n"
    "◇ everything without this slot: its distance from the line is what is lost."
)


@as_written
def waterfall_chart(found: Findings) -> Figure:
    """The primary metric from the base to everything on, a step for each factor.

    Raises ValueError without a complete design.
    """
    from matplotlib.figure import Figure

    ablation, first = found.ablation, found.manifest
    if ablation is None or not ablation.cells:
        raise ValueError("there is no complete design to draw")
    rows = len(ablation.effects) + 2
    figure = Figure(figsize=(WIDTH, 1.6 + 0.5 * rows), layout="constrained")
    axes = figure.add_subplot()
    low, high = ablation.cells[0].value.value, ablation.cells[-1].value.value
    names = [called(ablation.always), *(called([e.factor]) for e in ablation.effects)]
    left, right = _extent(ablation, low)
    room = 0.14 * (right - left)
    _total(axes, 0, low)
    _total(axes, rows - 1, high)
    reached = low
    for y, effect in enumerate(ablation.effects, start=1):
        _step(axes, y, reached, effect, high, room)
        reached += effect.share.value
    axes.axvline(100 * high, color=INK, linewidth=0.8, linestyle=":", zorder=0)
    axes.set_yticks(range(rows), [*names, "everything on"])
    axes.invert_yaxis()
    axes.set_xlim(left, right + room)
    axes.set_xlabel(f"{found.primary}, %")
    limit = f"\nLIMIT: only a sample of {first['n']}" if first["limit"] is not None else ""
    axes.set_title(f"{first['task']}: what each slot adds{limit}", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(LEGEND, x=0.01, ha="left", fontsize=8)
    return figure


def _total(axes: Axes, y: int, value: float) -> None:
    axes.barh(y, 100 * value, height=HEIGHT, color=TOTAL)
    _say(axes, y, 100 * value, f"{100 * value:.1f}")


def _step(axes: Axes, y: int, reached: float, effect: Effect, high: float, room: float) -> None:
    """One factor's share, from where the last one ended; a number needs so much `room`."""
    share = effect.share
    colour = TUNED if effect.factor == "tuning" else UNTUNED
    axes.barh(y, 100 * share.value, left=100 * reached, height=HEIGHT, color=colour)
    end = 100 * max(reached, reached + share.value)
    if share.low is not None and share.high is not None:
        middle, half = 50 * (share.high + share.low), 50 * (share.high - share.low)
        axes.errorbar(100 * reached + middle, y, xerr=half, color=INK, capsize=4, fmt="none")
        end = max(end, 100 * (reached + share.high))
    without = 100 * (high - effect.last.value)
    axes.plot([without], [y], "D", color="white", mec=INK, ms=5, zorder=3)
    in_the_way = end < without < end + room
    _say(axes, y, without if in_the_way else end, signed(share.value))


def _say(axes: Axes, y: int, end: float, text: str) -> None:
    axes.annotate(text, (end, y), (7, 0), textcoords="offset points", va="center")


def _extent(ablation: Ablation, low: float) -> tuple[float, float]:
    """Of everything that is drawn, in percent; zero is in it."""
    high = ablation.cells[-1].value.value
    seen, reached = [0.0, low, high], low
    for effect in ablation.effects:
        share = effect.share
        bounds = [b for b in (share.value, share.low, share.high) if b is not None]
        seen += [high - effect.last.value, *(reached + bound for bound in bounds)]
        reached += share.value
    return 100 * min(seen), 100 * max(seen)
