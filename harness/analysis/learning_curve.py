"""How much data: the primary metric of each rung by the size of train, and where tuning passes.

All of it is exploratory: no contrast between sizes is declared, and nothing here is corrected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from harness.analysis.declared_contrasts import Choice
from harness.analysis.rungs import RungResult, on_dev
from harness.analysis.train_sizes import by_size
from harness.evidence import power_law
from harness.evidence.power_law import PowerLaw
from harness.evidence.statistics import CONFIDENCE, Interval, Labels, Values, group_labels
from harness.evidence.variance_parts import VarianceParts, variance_parts

__all__ = ["ENOUGH", "REACH", "Crossing", "Curve", "HeldOut", "LearningCurve", "Point",
           "learning_curve"]  # fmt: skip

ENOUGH = 4
"""Sizes that a power law is fitted to; one of them is held out first."""
REACH = 3.0
"""Times the largest size: nothing is said beyond."""
DRAWS = 2000
GRID = 200
"""Sizes at which two curves are compared, evenly spaced in their logarithm."""
SHOWN = 10
"""Every so many of them a curve is kept for drawing."""
METHOD = "bootstrap of groups and seeds"


@dataclass(frozen=True)
class Point:
    """One rung on one size of train."""

    size: int
    """Train examples."""
    key: str
    score: Interval
    """The primary metric over questions and seeds."""
    seeds: int | None
    """None where nothing is random."""
    steps: float | None
    """Optimizer steps, averaged over seeds; None for an untuned rung."""


@dataclass(frozen=True)
class HeldOut:
    """The largest size, predicted from the others before the law is fitted to it too."""

    size: int
    predicted: float
    measured: float
    error: float
    """Standard error of the miss."""

    @property
    def miss(self) -> float:
        """Prediction minus measurement, in the unit of the metric."""
        return self.predicted - self.measured

    @property
    def in_errors(self) -> float:
        """The miss in standard errors; infinite for a miss without any."""
        if self.error > 0.0:
            return self.miss / self.error
        return float(np.copysign(np.inf, self.miss)) if self.miss else 0.0


@dataclass(frozen=True)
class Curve:
    """One rung over several sizes of train."""

    key: str
    """Of the largest size."""
    label: str
    tuned: bool
    points: Sequence[Point]
    """The smallest size first; at least two."""
    law: PowerLaw | None
    """Of 1 minus the primary metric; None for fewer than ENOUGH sizes, or where single questions
    have no value."""
    held_out: HeldOut | None
    drawn: Sequence[tuple[float, Interval]] = ()
    """Sizes up to REACH times the largest, and the fitted score there."""


@dataclass(frozen=True)
class Crossing:
    """Where a tuned rung passes the untuned one that is best on dev."""

    tuned: str
    """Key of the largest size, as all keys here."""
    untuned: str | None
    """None if it is not known: a rung did not answer dev, or there is none."""
    first: int
    """The smallest size: a crossing there may lie anywhere below."""
    last: float
    """REACH times the largest size: nothing is said beyond."""
    at: power_law.Crossing | None
    """None if one of the two has no fitted curve and reads train."""
    parts: VarianceParts | None
    """Of the variance of the difference of the two at the largest size."""


@dataclass(frozen=True)
class LearningCurve:
    """All of it for one ladder."""

    curves: Sequence[Curve]
    levels: Sequence[str]
    """Keys of the rungs that read no train."""
    crossings: Sequence[Crossing]
    """One for each tuned rung that has a curve."""

    @property
    def sizes(self) -> list[int]:
        """Every size, the smallest first."""
        return sorted({point.size for curve in self.curves for point in curve.points})


def learning_curve(rungs: Sequence[RungResult]) -> LearningCurve | None:
    """The curves of a ladder's rungs of all sizes; None if no rung ran on two.

    `rungs` are those of one eval set, without controls.
    """
    sizes = [results for results in by_size(rungs) if len(results) > 1]
    if not sizes:
        return None
    levels = [rung for rung in rungs if rung.manifest["train_size"] is None]
    seen = _Resampled.of(rungs)
    return LearningCurve(
        curves=[_curve(results, seen) for results in sizes],
        levels=[level.key for level in levels],
        crossings=[_crossing(results, rungs, seen) for results in sizes if results[-1].tuned],
    )


@dataclass(frozen=True)
class _Resampled:
    """The error of each result, as measured and in each bootstrap draw; results by their key."""

    values: dict[str, Values]
    """Of each result [seeds, questions]; none where single questions have no value."""
    labels: Labels
    """The group of each question."""
    draws: dict[str, Values]

    @classmethod
    def of(cls, results: Sequence[RungResult]) -> _Resampled:
        if not all(result.measured_by_question for result in results):
            return cls({}, np.zeros(0, dtype=np.intp), {})
        groups = results[0].runs[0].groups
        ids = sorted(groups)
        values = {
            one.key: np.array([[run.values[i] for i in ids] for run in one.runs]) for one in results
        }
        labels = group_labels([groups[i] for i in ids])
        means = power_law.resampled_means(list(values.values()), labels, DRAWS)
        return cls(values, labels, dict(zip(values, 1.0 - means.T, strict=True)))

    def law(self, results: Sequence[RungResult]) -> PowerLaw:
        """The law of a curve as measured."""
        return power_law.fit(_sizes(results), self._errors(results))

    def along(self, results: Sequence[RungResult], sizes: Values) -> tuple[Values, Values]:
        """Errors at other sizes, as fitted and in each draw: [sizes] and [draws, sizes].

        One result that reads no train has the same error everywhere.
        """
        if results[0].manifest["train_size"] is None:
            (level,) = results
            drawn = np.repeat(self.draws[level.key][:, None], len(sizes), axis=1)
            return np.full(len(sizes), 1.0 - self.values[level.key].mean()), drawn
        drawn = np.stack([self.draws[result.key] for result in results], axis=1)
        known = _sizes(results)
        return self.law(results).error(sizes), power_law.drawn_errors(known, drawn, sizes)

    def _errors(self, results: Sequence[RungResult]) -> Values:
        return np.array([1.0 - self.values[result.key].mean() for result in results])


def _sizes(results: Sequence[RungResult]) -> Values:
    return np.array([result.manifest["train_size"] for result in results], dtype=float)


def _curve(results: Sequence[RungResult], seen: _Resampled) -> Curve:
    fitted = bool(seen.values) and len(results) >= ENOUGH
    return Curve(
        key=results[-1].key,
        label=results[-1].label,
        tuned=results[-1].tuned,
        points=[_point(result) for result in results],
        law=seen.law(results) if fitted else None,
        held_out=_held_out(results, seen) if fitted else None,
        drawn=_drawn(results, seen) if fitted else (),
    )


def _point(result: RungResult) -> Point:
    return Point(
        size=result.manifest["train_size"],
        key=result.key,
        score=result.primary,
        seeds=result.seeds,
        steps=fmean(_steps(run.curve) for run in result.runs) if result.tuned else None,
    )


def _steps(curve: Sequence[Mapping[str, float]]) -> float:
    return max((point["step"] for point in curve), default=0.0)


def _held_out(results: Sequence[RungResult], seen: _Resampled) -> HeldOut:
    """The largest size, predicted from the others."""
    *others, largest = results
    size = largest.manifest["train_size"]
    at = np.array([float(size)])
    predicted, drawn = seen.along(others, at)
    misses = seen.draws[largest.key] - drawn[:, 0]
    return HeldOut(
        size=size,
        predicted=1.0 - float(predicted[0]),
        measured=float(seen.values[largest.key].mean()),
        error=float(misses.std(ddof=1)),
    )


def _drawn(results: Sequence[RungResult], seen: _Resampled) -> list[tuple[float, Interval]]:
    """The fitted score along the sizes, with its interval."""
    sizes = _grid(results)[::SHOWN]
    errors, draws = seen.along(results, sizes)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(1.0 - draws, [tail, 1 - tail], axis=0)
    n = len(seen.labels)
    return [
        (float(size), Interval(1.0 - float(error), float(bottom), float(top), n, METHOD))
        for size, error, bottom, top in zip(sizes, errors, low, high, strict=True)
    ]


def _grid(results: Sequence[RungResult]) -> Values:
    """Sizes from the smallest to REACH times the largest."""
    first, last = (results[place].manifest["train_size"] for place in (0, -1))
    return np.geomspace(first, REACH * last, GRID)


def _crossing(
    results: Sequence[RungResult], rungs: Sequence[RungResult], seen: _Resampled
) -> Crossing:
    """One tuned rung against the untuned one that is best on dev at the largest size."""
    tuned, sizes = results[-1], _grid(results)
    best = _best_untuned(tuned, rungs)
    other = next((found for found in by_size(rungs) if best in found), [best] if best else [])
    at = parts = None
    if best is not None and seen.values:
        theirs, ours = seen.values[best.key], seen.values[tuned.key]
        random = (tuned.seeds is not None, best.seeds is not None)
        parts = variance_parts(ours, theirs, seen.labels, random)
        flat = best.manifest["train_size"] is None
        if len(results) >= ENOUGH and (flat or len(other) >= ENOUGH):
            (error, drawn), (base, bases) = (seen.along(one, sizes) for one in (results, other))
            at = power_law.crossing(sizes, base - error, bases - drawn)
    return Crossing(
        tuned=tuned.key,
        untuned=best.key if best else None,
        first=results[0].manifest["train_size"],
        last=float(sizes[-1]),
        at=at,
        parts=parts,
    )


def _best_untuned(tuned: RungResult, rungs: Sequence[RungResult]) -> RungResult | None:
    """Of the same model and decoding, over as much train as the tuned rung or over none."""
    alike = ("model", "decoding")
    found = {
        rung.key: rung
        for rung in rungs
        if not rung.tuned
        and all(rung.manifest[k] == tuned.manifest[k] for k in alike)
        and rung.manifest["train_size"] in (None, tuned.manifest["train_size"])
    }
    best = Choice(tuned.key, on_dev(list(found.values()))).best
    return found[best] if best is not None else None
