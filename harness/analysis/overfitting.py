"""Train against dev: the gap, and what dev loss did after its minimum. From recorded curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from harness.analysis.rungs import RungResult

__all__ = ["Overfitting", "overfitting"]


@dataclass(frozen=True)
class Overfitting:
    """How one tuned rung learned, averaged over its seeds; losses in nats per token."""

    rung: str
    """Its key."""
    seeds: int
    dev: float
    """Dev loss at its minimum: of the weights that answer."""
    train: float
    """Mean train loss of the steps from the dev evaluation before to that one, each before its
    update."""
    last: float
    """Dev loss at the last evaluation."""
    best_step: float
    steps: float
    """At the last evaluation."""

    @property
    def gap(self) -> float:
        """Dev minus train at the minimum of dev."""
        return self.dev - self.train

    @property
    def rise(self) -> float:
        """Of dev loss after its minimum; the weights that answer are those of the minimum."""
        return self.last - self.dev


def overfitting(rungs: Sequence[RungResult]) -> list[Overfitting]:
    """The tuned rungs whose curves have both losses."""
    found = []
    for rung in rungs:
        seeds = [one for run in rung.runs if (one := _of(run.curve))]
        if rung.tuned and seeds:
            dev, train, last, best, steps = (fmean(column) for column in zip(*seeds, strict=True))
            found.append(Overfitting(rung.key, len(seeds), dev, train, last, best, steps))
    return found


def _of(
    curve: Sequence[Mapping[str, float]],
) -> tuple[float, float, float, float, float] | None:
    """dev, train, last, best_step, steps of one curve; None if it lacks a loss."""
    looked = [point for point in curve if "dev_loss" in point]
    if not looked:
        return None
    best = min(range(len(looked)), key=lambda place: looked[place]["dev_loss"])
    end = looked[best]["step"]
    start = looked[best - 1]["step"] if best else 0.0
    losses = [p["loss"] for p in curve if "loss" in p and start < p["step"] <= end]
    if not losses:
        return None
    last = looked[-1]
    return looked[best]["dev_loss"], fmean(losses), last["dev_loss"], end, last["step"]
