"""Cost against quality: every rung, and which of them no other beats in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.analysis.findings import Findings
from harness.report.figures import INK, TUNED, UNTUNED, WIDTH, as_written, brief
from harness.report.formatting import percent, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Point", "apart", "front", "pareto_chart", "points"]

FAINT = "#9aa7b4"
LINE = 0.24
"""Inches that a label takes."""
LEAST = 2
"""Rungs; a single one is no choice."""


@dataclass(frozen=True)
class Point:
    """A rung in the picture."""

    label: str
    cost: float
    """Of a question: money for 1,000, or tokens as sent and answered."""
    value: float
    low: float | None
    high: float | None
    tuned: bool


def points(found: Findings) -> tuple[str, list[Point]]:
    """What the costs are, and every rung whose cost is known; money where every rung has its
    price."""
    costs = {one.rung: one for one in found.costs.rungs}
    paid = [one.money.request if one.money else None for one in costs.values()]
    priced = all(price is not None for price in paid)
    currency = found.costs.prices.currency if found.costs.prices else ""
    drawn = []
    for rung in found.rungs:
        cost, value = costs[rung.key], rung.primary
        tokens, money = cost.answering.tokens, cost.money
        request = money.request if money else None
        amount = 1000 * request if priced and request is not None else tokens
        if amount is None:
            continue
        drawn.append(Point(rung.label, amount, value.value, value.low, value.high, rung.tuned))
    unit = (
        f"{currency or 'money'} for 1,000 answers"
        if priced and drawn
        else "tokens a question, sent and answered"
    )
    return unit, drawn


def front(drawn: list[Point]) -> list[Point]:
    """The rungs that no other beats in both cost and score, the cheapest first (Pareto front)."""
    kept: list[Point] = []
    for point in sorted(drawn, key=lambda p: (p.cost, -p.value)):
        if not kept or point.value > kept[-1].value:
            kept.append(point)
    return kept


@as_written
def pareto_chart(found: Findings) -> Figure | None:
    """Each rung with its 95% interval; the front is a line. None with fewer than two rungs."""
    unit, drawn = points(found)
    if len(drawn) < LEAST:
        return None
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullLocator

    figure = Figure(figsize=(WIDTH, max(3.6, 1.2 + LINE * len(drawn))), layout="constrained")
    axes = figure.add_subplot()
    best = front(drawn)
    axes.step([p.cost for p in best], [100 * p.value for p in best], where="post", color=FAINT,
              zorder=1)  # fmt: skip
    low = min(100 * (p.value if p.low is None else p.low) for p in drawn)
    high = max(100 * (p.value if p.high is None else p.high) for p in drawn)
    gap = (high - low) * LINE / (figure.get_figheight() - 1.0)
    ordered = sorted(drawn, key=lambda p: p.value)
    places = apart([100 * p.value for p in ordered], gap, high + gap)
    for point, place in zip(ordered, places, strict=True):
        colour = TUNED if point.tuned else UNTUNED
        if point.low is not None and point.high is not None:
            middle, half = 50 * (point.high + point.low), 50 * (point.high - point.low)
            axes.errorbar(point.cost, middle, yerr=half, color=INK, capsize=3, fmt="none", lw=1)
        filled = colour if point in best else "white"
        axes.plot(point.cost, 100 * point.value, "o", color=filled, mec=colour, ms=7, zorder=3)
        axes.annotate(
            f"{brief(point.label)} {percent(point.value)}",
            (point.cost, 100 * point.value),
            (1.02, place),
            textcoords=axes.get_yaxis_transform(),
            va="center",
            fontsize=9,
            arrowprops={"arrowstyle": "-", "color": FAINT, "lw": 0.6},
        )
    if all(p.cost > 0 for p in drawn) and drawn:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(lambda cost, _: short(cost))
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(low - gap, high + gap)
    axes.margins(x=0.1)
    axes.set_xlabel(f"{unit} (training is not in it)", loc="left")
    axes.set_ylabel(f"{found.primary}, %")
    axes.set_title(
        "cost against quality; filled: on the Pareto front; red: tuned", loc="left", fontsize=10
    )
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def apart(values: Sequence[float], gap: float, top: float) -> list[float]:
    """Ascending values moved until each is `gap` above the one before, and none above `top`."""
    places: list[float] = []
    for value in values:
        places.append(max(value, places[-1] + gap) if places else value)
    above = range(len(places) - 1, -1, -1)
    return [min(place, top - gap * more) for place, more in zip(places, above, strict=True)]
