"""The ladder as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.report.ladder import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["ladder_chart", "save"]

INK, TUNED, UNTUNED = "#22313f", "#c8553d", "#3d7ea6"


def ladder_chart(rows: Sequence[Row]) -> Figure:
    """The primary metric of each rung as a bar with its 95% interval."""
    from matplotlib.figure import Figure

    first = rows[0].manifest
    figure = Figure(figsize=(max(4.0, 1.3 * len(rows) + 1.5), 3.6), layout="constrained")
    axes = figure.add_subplot()
    for x, row in enumerate(rows):
        value = row.primary
        colour = TUNED if row.manifest["training"] else UNTUNED
        axes.bar(x, 100 * value.value, width=0.62, color=colour)
        if value.low is not None and value.high is not None:
            # Around its own middle: an interval may miss its value, if only by a rounding error.
            middle, half = 50 * (value.high + value.low), 50 * (value.high - value.low)
            axes.errorbar(x, middle, yerr=half, color=INK, capsize=4, fmt="none")
        top = 100 * (value.high if value.high is not None else value.value)
        axes.annotate(
            f"{100 * value.value:.1f}", (x, top), (0, 3), textcoords="offset points", ha="center"
        )
    axes.set_xticks(range(len(rows)), [row.label for row in rows])
    axes.set_ylim(0, 105)
    axes.set_ylabel(f"{first['primary']}, % (95% interval)")
    limit = f", LIMIT: only the first {first['n']}" if first["limit"] is not None else ""
    axes.set_title(f"{first['task']}, n={first['n']}{limit}", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG."""
    figure.savefig(path, dpi=144)
