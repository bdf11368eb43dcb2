"""The ladder as pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from harness.analysis.rungs import RungResult
from harness.report.formatting import footnote

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "INK",
    "TUNED",
    "UNTUNED",
    "WIDTH",
    "as_written",
    "brief",
    "ladder_chart",
    "save",
    "training_chart",
]

P = ParamSpec("P")
F = TypeVar("F")

LOSSES = {"loss": "train", "dev_loss": "dev"}
INK, TUNED, UNTUNED = "#22313f", "#c8553d", "#3d7ea6"
WIDTH = 5.4
"""Inches: letters stay readable where the picture is shrunk to a phone."""
LONGEST = 36
"""Characters of a rung's label in a picture: half of its width."""


def brief(label: str) -> str:
    """A label that leaves room for the picture beside it: a long one without its middle.

    >>> brief("lora"), brief("external_answers rung.predictions=/some/where/answers.jsonl")
    ('lora', 'external_answers …ere/answers.jsonl')
    """
    if len(label) <= LONGEST:
        return label
    half = (LONGEST - 1) // 2
    return f"{label[:half]}…{label[-half:]}"


def as_written(draw: Callable[P, F]) -> Callable[P, F]:
    """For a function that draws: dollar signs in its labels are dollar signs, and no formula."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> F:
        import matplotlib

        with matplotlib.rc_context({"text.parse_math": False}):
            return draw(*args, **kwargs)

    return drawn


@as_written
def ladder_chart(ladder: Sequence[RungResult]) -> Figure:
    """The primary metric of each rung as a bar with its 95% interval, first rung on top.

    Where there are several seeds the bar is their mean, and each is a dot.
    """
    from matplotlib.figure import Figure

    first = ladder[0].manifest
    figure = Figure(figsize=(WIDTH, 1.3 + 0.5 * len(ladder)), layout="constrained")
    axes = figure.add_subplot()
    for y, rung in enumerate(ladder):
        value = rung.primary
        axes.barh(y, 100 * value.value, height=0.62, color=TUNED if rung.tuned else UNTUNED)
        if value.low is not None and value.high is not None:
            # Around its own middle: an interval may miss its value, if only by a rounding error.
            middle, half = 50 * (value.high + value.low), 50 * (value.high - value.low)
            axes.errorbar(middle, y, xerr=half, color=INK, capsize=4, fmt="none")
        if len(rung.runs) > 1:
            dots = [100 * run.primary.value for run in rung.runs]
            axes.plot(dots, [y + 0.2] * len(dots), "o", color="white", mec=INK, ms=4, zorder=3)
        end = 100 * max(value.high or 0.0, *(run.primary.value for run in rung.runs), value.value)
        axes.annotate(
            f"{100 * value.value:.1f}", (end, y), (5, 0), textcoords="offset points", va="center"
        )
    axes.set_yticks(range(len(ladder)), [brief(rung.label) for rung in ladder])
    axes.invert_yaxis()
    axes.set_xlim(0, 112)
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel(f"{first['primary']}, % (95% interval)")
    figure.supxlabel(footnote(ladder), x=0.01, ha="left", fontsize=9)
    limit = f"\nLIMIT: only a sample of {first['n']}" if first["limit"] is not None else ""
    axes.set_title(f"{first['task']}, n={first['n']}{limit}", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


@as_written
def training_chart(rung: RungResult) -> Figure:
    """Loss of a tuned rung by step, a line for each seed: on train, and on dev."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
    axes = figure.add_subplot()
    for place, run in enumerate(rung.runs):
        for name, colour, marker in (("loss", UNTUNED, ""), ("dev_loss", TUNED, "o")):
            seen = [(p["step"], p[name]) for p in run.curve if name in p]
            if seen:
                label = None if place else LOSSES[name]
                axes.plot(*zip(*seen, strict=True), color=colour, marker=marker, label=label)
    axes.set(title=rung.label, xlabel="step", ylabel="loss per token", ylim=(0, None))
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure in the format that the file's ending names."""
    figure.savefig(path, dpi=144)
