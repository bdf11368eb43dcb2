"""Intervals around what was measured.

Questions of one group share a scenario, so whole groups are drawn and counted (Miller 2024, "Adding
Error Bars to Evals", arXiv:2411.00640). Seeds are the second thing that is drawn by chance. The
formulas are statsmodels' and scipy's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from harness.evidence.clusters import (
    CONFIDENCE,
    ROUNDING,
    Bounds,
    Labels,
    StandardError,
    Values,
    effective_groups,
    group_labels,
    group_sums,
    standard_error,
)
from harness.evidence.splits import splits

__all__ = [
    "CONFIDENCE",
    "ROUNDING",
    "Interval",
    "Labels",
    "StandardError",
    "Values",
    "bootstrapped",
    "effective_groups",
    "expected_maximum",
    "expected_optimism",
    "group_labels",
    "group_sums",
    "mean_interval",
    "mean_over_seeds",
    "resampled",
    "standard_error",
]

STUDENT = "Student's t"
RESAMPLES = 2000
LARGEST = 10_000_000
"""Values that are drawn at a time: 80 MB."""


@dataclass(frozen=True)
class Interval:
    """A value with its 95% confidence interval, and what it rests on."""

    value: float
    low: float | None
    """None where no interval can be given."""
    high: float | None
    n: int
    method: str


def mean_interval(
    values: Sequence[float], seed: int = 0, groups: Sequence[str] | None = None
) -> Interval:
    """The mean of per-example values; with groups, whole groups are what is drawn by chance.

    Wilson's interval for proportions (Wilson 1927), otherwise as mean_over_seeds. Raises ValueError
    for no values or for NaN.
    """
    data = np.asarray(values, dtype=float)
    if not len(data) or np.isnan(data).any():
        raise ValueError(f"no mean of {len(data)} values with {np.isnan(data).sum()} NaN")
    labels = np.arange(len(data)) if groups is None else group_labels(groups)
    if np.isin(data, (0.0, 1.0)).all() and labels.max() + 1 == len(data):
        mean = float(data.mean())
        return Interval(mean, *_wilson(mean, len(data)), len(data), "wilson")
    return _interval(data[None], labels, seed)


def mean_over_seeds(
    values: Sequence[Sequence[float]], groups: Sequence[str], seed: int = 0
) -> Interval:
    """The mean of one rung over several seeds, each a list of values aligned with `groups`.

    Covers the choice of questions and the noise of the seeds. Of one seed it is mean_interval, and
    says nothing of that noise. Student's t; of values from 0 to 1 in the shape of Wilson's
    interval, within 0 and 1. Raises ValueError for no values, for NaN or for ragged lists.
    """
    if len(values) == 1:
        return mean_interval(values[0], seed, groups)
    data = np.asarray(values, dtype=float)
    if not data.size or np.isnan(data).any():
        raise ValueError(f"no mean of {data.size} values with {np.isnan(data).sum()} NaN")
    return _interval(data, group_labels(groups), seed)


def bootstrapped(values: Values, labels: Labels, seed: int) -> Bounds:
    """Bounds of a mean when groups are drawn anew (BCa, Efron 1987); None if all are alike but for
    rounding."""
    sums, sizes = group_sums(values, labels), np.bincount(labels).astype(float)
    if np.ptp(sums / sizes) <= ROUNDING * np.abs(values).max():
        return None, None
    from scipy.stats import bootstrap

    found = bootstrap(
        (sums, sizes),
        lambda sums, sizes, axis: sums.sum(axis) / sizes.sum(axis),
        paired=True,
        vectorized=True,
        confidence_level=CONFIDENCE,
        n_resamples=RESAMPLES,
        batch=max(1, LARGEST // len(sums)),
        method="BCa",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)


def expected_maximum(n: int) -> float:
    """The largest of n independent standard normal draws, on average, in standard deviations.

    The integral over its distribution function, which is the normal one to the power of n (Harter
    1961, "Expected Values of Normal Order Statistics", Biometrika 48). Raises ValueError for n < 1.
    """
    if n < 1:
        raise ValueError(f"no largest of {n} draws")
    from scipy.integrate import quad
    from scipy.special import log_ndtr

    end = 12.0  # beyond it lies less than 1e-32 of the distribution
    above = quad(lambda x: -np.expm1(n * log_ndtr(x)), 0.0, end)[0]
    below = quad(lambda x: np.exp(n * log_ndtr(x)), -end, 0.0)[0]
    return float(above - below)


def expected_optimism(candidates: int, best: Interval) -> float | None:
    """How much better than it is the best of equally good candidates looks, on average.

    In the unit of the metric: the expected maximum times the standard error, which is read off the
    interval of the one that came out best. An upper estimate: candidates that are right on the same
    questions are lucky together. None without an interval.
    """
    if best.low is None or best.high is None:
        return None
    error = (best.high - best.low) / (2 * _normal())
    return expected_maximum(candidates) * error


def _interval(data: Values, labels: Labels, seed: int) -> Interval:
    """Of [seeds, questions]: Student's t with the standard error of groups and seeds; for a single
    run over groups of unequal size, inverted sign flips, as its standard error is not known well.
    """
    mean, error = float(data.mean()), standard_error(data, None, labels)
    error = replace(error, freedom=_freedom(error.freedom, data.mean(0) - mean, labels))
    n, certain = len(labels), mean in (0.0, 1.0)
    if error.value == np.inf or (error.value == 0.0 and not certain):
        return Interval(mean, None, None, n, "none")
    if certain:
        size = (_normal() / error.quantile()) ** 2 * effective_groups(labels)
        return Interval(mean, *_wilson(mean, size), n, f"wilson, {STUDENT}")
    bounds, method = error.around(mean), STUDENT
    if len(data) == 1 and np.ptp(np.bincount(labels)):
        drawn = splits(data[0], labels, seed)
        inverted = drawn.bounds(1 - CONFIDENCE)
        if inverted[0] is not None:
            bounds, method = inverted, drawn.name
    if data.min() < 0.0 or data.max() > 1.0:
        return Interval(mean, *bounds, n, method)
    return Interval(mean, *_shaped(mean, bounds), n, f"wilson, {method}")


def _freedom(normal: float, residuals: Values, labels: Labels) -> float:
    """Degrees of freedom of a variance: fewer than of normal values if some are far from all others
    (O'Neill 2014, "Some Useful Moment Results in Sampling Problems", The American Statistician 68).
    """
    squares = group_sums(residuals, labels) ** 2
    if not squares.any():
        return normal
    excess = max(0.0, float((squares**2).mean() / squares.mean() ** 2) - 3)
    return 2 / (2 / normal + excess / len(squares))


def _shaped(mean: float, bounds: Bounds) -> Bounds:
    """Bounds of a share as Wilson would have them, within 0 and 1: those of the sample sizes at
    which simple bounds are as far from the mean (Dean and Pagano 2015, "Evaluating Confidence
    Interval Methods for Binomial Proportions in Clustered Surveys").
    """
    spread = _normal() ** 2 * mean * (1 - mean)
    low, high = (
        _wilson(mean, spread / (bound - mean) ** 2)[place] if bound not in (None, mean) else bound
        for place, bound in enumerate(bounds)
    )
    return low, high


def _normal() -> float:
    """The quantile of a normal distribution for a two-sided interval."""
    from scipy.stats import norm

    return float(norm.ppf((1 + CONFIDENCE) / 2))


def _wilson(mean: float, n: float) -> tuple[float, float]:
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(mean * n, n, 1 - CONFIDENCE, method="wilson")
    # Rounding puts a bound a hair beyond 0% and 100%.
    return min(float(low), mean), max(float(high), mean)


def resampled(
    statistic: Callable[[npt.NDArray[np.int64]], float],
    n: int,
    seed: int = 0,
    draws: int = 300,
    groups: Sequence[str] | None = None,
) -> Interval:
    """Any statistic of a set of n examples, given their indices; a percentile bootstrap, of whole
    groups where there are any."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) if groups is None else group_labels(groups)
    members = np.split(np.argsort(labels, kind="stable"), np.cumsum(np.bincount(labels))[:-1])
    values = []
    for _ in range(draws):
        drawn = rng.integers(0, len(members), len(members))
        values.append(statistic(np.concatenate([members[group] for group in drawn])))
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(values, [tail, 100 - tail])
    return Interval(
        float(statistic(np.arange(n))), float(low), float(high), n, "percentile bootstrap"
    )
