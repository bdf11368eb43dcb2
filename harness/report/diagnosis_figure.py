"""What would fix what fails, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from harness.analysis.diagnosis import Diagnosis
from harness.analysis.repairs import NONE, SEVERAL, Share
from harness.report.diagnosis import CHANGED, name, rows, whose
from harness.report.figures import INK, UNTUNED, WIDTH, as_written

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["diagnosis_chart"]

GREY = "#8d99a6"
COLOURS = {
    "format": "#7a6fae",
    "knowledge": UNTUNED,
    "behaviour": "#c8553d",
    "action": "#3f8f6b",
    SEVERAL: "#c79a3b",
    NONE: GREY,
}
LONGEST, WIDEST = 26, 58
"""Letters in one line of a name, and of the title."""


@as_written
def diagnosis_chart(told: Diagnosis) -> Figure:
    """The errors of the reference, a bar for what alone repairs them, with its 95% interval.

    What placebos repair too is hatched behind it: both together are what was seen.
    """
    from matplotlib.figure import Figure

    split = told.whole
    shown = rows(split)
    figure = Figure(figsize=(WIDTH, 1.5 + 0.52 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    ends = [_bar(axes, y, share) for y, share in enumerate(shown)]
    for y, (share, end) in enumerate(zip(shown, ends, strict=True)):
        said = f"{100 * share.alone.net.value:.1f}"
        axes.annotate(said, (end, y), (5, 0), textcoords="offset points", va="center")
    axes.set_yticks(range(len(shown)), [_broken(name(share, split)) for share in shown])
    axes.invert_yaxis()
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_xlim(min(0.0, *map(_low, shown)), 1.2 * max(1.0, *ends))
    axes.set_xlabel(f"% of {split.errors} wrong {split.unit} of {split.n} (95% interval)")
    title = f"What repairs the errors of {whose(split, told)}"
    figure.suptitle("\n".join(wrap(title, WIDEST)), x=0.01, ha="left", fontsize=12)
    figure.supxlabel("\n".join(_notes(told, shown)), x=0.01, ha="left", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _bar(axes: Any, y: int, share: Share) -> float:
    """Draw one row; returns where it ends."""
    net, gross = 100 * share.alone.net.value, 100 * share.alone.gross
    colour = COLOURS[share.kind]
    if gross > net and share.kind != NONE:
        axes.barh(y, gross, height=0.62, color="white", edgecolor=colour, hatch="////", linewidth=0)
    axes.barh(y, net, height=0.62, color=colour)
    low, high = share.alone.net.low, share.alone.net.high
    if low is None or high is None:
        return max(net, gross, 0.0)
    middle, half = 50 * (high + low), 50 * (high - low)
    axes.errorbar(middle, y, xerr=half, color=INK, capsize=4, fmt="none")
    return max(net, gross, 100 * high, 0.0)


def _notes(told: Diagnosis, shown: Sequence[Share]) -> list[str]:
    """What the hatching is, and what has no bar because it was not run."""
    missing = [CHANGED[one.slot] for one in told.missing if one.what == "change"]
    hatched = any(share.alone.chance > 0 for share in shown)
    notes = ["hatched: what a placebo repairs too"] * hatched
    return notes + [f"not measured: {', '.join(missing)}"] * bool(missing)


def _low(share: Share) -> float:
    """The left end of a row, in percent."""
    low = share.alone.net.low
    return 105 * min(share.alone.net.value, share.alone.net.value if low is None else low)


def _broken(text: str) -> str:
    """A name in lines that leave room for the bars."""
    return "\n".join(wrap(text, LONGEST))
