"""Cost against quality: every rung, and which of them no other beats in both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.analysis.findings import Findings
from harness.report.figures import INK, TUNED, UNTUNED, WIDTH
from harness.report.formatting import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Point", "front", "pareto_chart", "points"]

FAINT = "#9aa7b4"
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
    """What the costs are, and every rung; money where every rung has its price."""
    costs = {one.rung: one for one in found.costs.rungs}
    paid = [one.money.request if one.money else None for one in costs.values()]
    priced = all(price is not None for price in paid)
    currency = found.costs.prices.currency if found.costs.prices else ""
    drawn = []
    for rung in found.rungs:
        cost, value = costs[rung.key], rung.primary
        answering, money = cost.answering, cost.money
        tokens = answering.prompt_tokens + answering.completion_tokens
        request = money.request if money else None
        amount = 1000 * request if priced and request is not None else tokens
        drawn.append(Point(rung.label, amount, value.value, value.low, value.high, rung.tuned))
    unit = (
        f"{currency} for 1,000 answers"
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


def pareto_chart(found: Findings) -> Figure | None:
    """Each rung with its 95% interval; the front is a line. None with fewer than two rungs."""
    unit, drawn = points(found)
    if len(drawn) < LEAST:
        return None
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    axes = figure.add_subplot()
    best = front(drawn)
    axes.step([p.cost for p in best], [100 * p.value for p in best], where="post", color=FAINT,
              zorder=1)  # fmt: skip
    for place, point in enumerate(sorted(drawn, key=lambda p: p.value)):
        colour = TUNED if point.tuned else UNTUNED
        if point.low is not None and point.high is not None:
            middle, half = 50 * (point.high + point.low), 50 * (point.high - point.low)
            axes.errorbar(point.cost, middle, yerr=half, color=INK, capsize=3, fmt="none", lw=1)
        filled = colour if point in best else "white"
        axes.plot(point.cost, 100 * point.value, "o", color=filled, mec=colour, ms=7, zorder=3)
        axes.annotate(
            f"{point.label} {percent(point.value)}",
            (point.cost, 100 * point.value),
            (7, 5 if place % 2 else -12),
            textcoords="offset points",
            fontsize=9,
        )
    if all(p.cost > 0 for p in drawn):
        axes.set_xscale("log")
    axes.margins(x=0.25, y=0.15)
    axes.set_xlabel(f"{unit} (training is not in it)")
    axes.set_ylabel(f"{found.primary}, %")
    axes.set_title("cost against quality; filled: on the Pareto front", loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
