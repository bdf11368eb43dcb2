"""The ladder as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.report.ladder import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["ladder_chart", "save", "training_chart"]

LOSSES = {"loss": "train", "dev_loss": "dev"}
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


def training_chart(rows: Sequence[Row]) -> Figure:
    """Loss of tuned rungs by step: on train, and on dev as often as it was looked at."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(rows), 3.0), layout="constrained")
    for axes, row in zip(figure.subplots(1, len(rows), squeeze=False)[0], rows, strict=True):
        points = row.folder.read("training.json")["curve"]["points"]
        for name, colour, marker in (("loss", UNTUNED, ""), ("dev_loss", TUNED, "o")):
            seen = [(p["step"], p[name]) for p in points if name in p]
            axes.plot(*zip(*seen, strict=True), color=colour, marker=marker, label=LOSSES[name])
        axes.set(title=row.label, xlabel="step", ylabel="loss per token", ylim=(0, None))
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG."""
    figure.savefig(path, dpi=144)
