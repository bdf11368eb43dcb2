"""Intervals around what was measured, and how sure a mean is over questions and seeds.

Questions of one group share a scenario, so whole groups are drawn and counted (Miller 2024, "Adding
Error Bars to Evals", arXiv:2411.00640). Seeds are the second thing that is drawn by chance. The
formulas are statsmodels' and scipy's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "Interval",
    "StandardError",
    "bootstrapped",
    "expected_maximum",
    "expected_optimism",
    "group_labels",
    "group_sums",
    "mean_interval",
    "mean_over_seeds",
    "resampled",
    "standard_error",
]

CONFIDENCE = 0.95
RESAMPLES = 2000
LARGEST = 10_000_000
"""Values that are drawn at a time: 80 MB."""
ROUNDING = 1e-12
"""The mean of equal numbers may be off by this; smaller differences are none."""

Values = npt.NDArray[np.float64]
Labels = npt.NDArray[np.intp]
Bounds = tuple[float | None, float | None]


@dataclass(frozen=True)
class Interval:
    """A value with its 95% confidence interval, and what it rests on."""

    value: float
    low: float | None
    """None where no interval can be given."""
    high: float | None
    n: int
    method: str


@dataclass(frozen=True)
class StandardError:
    """How far an estimate lies from the truth, and how well that is known."""

    value: float
    """Infinite where it cannot be estimated: one group of questions."""
    freedom: float
    """Degrees of freedom of Student's t."""

    @property
    def quantile(self) -> float:
        """Of Student's t, for a two-sided interval."""
        from scipy.stats import t

        return float(t.ppf((1 + CONFIDENCE) / 2, self.freedom))

    def around(self, estimate: float) -> Bounds:
        """Bounds by Student's t; None where there is no standard error."""
        if not 0.0 < self.value < np.inf:
            return None, None
        half = self.quantile * self.value
        return estimate - half, estimate + half


def mean_interval(
    values: Sequence[float], seed: int = 0, groups: Sequence[str] | None = None
) -> Interval:
    """The mean of per-example values; with groups, whole groups are what is drawn by chance.

    Wilson's interval for proportions (Wilson 1927), a bias-corrected and accelerated bootstrap
    (Efron 1987) for graded values. Raises ValueError for no values or for NaN.
    """
    data = np.asarray(values, dtype=float)
    if not len(data) or np.isnan(data).any():
        raise ValueError(f"no mean of {len(data)} values with {np.isnan(data).sum()} NaN")
    labels = np.arange(len(data)) if groups is None else group_labels(groups)
    mean = float(data.mean())
    if np.isin(data, (0.0, 1.0)).all():
        if labels.max() + 1 == len(data):
            return Interval(mean, *_wilson(mean, len(data)), len(data), "wilson")
        return _effective(mean, standard_error(data[None], None, labels), labels, "groups")
    bounds = bootstrapped(data, labels, seed)
    return Interval(mean, *bounds, len(data), "none" if bounds[0] is None else "bootstrap")


def mean_over_seeds(
    values: Sequence[Sequence[float]], groups: Sequence[str], seed: int = 0
) -> Interval:
    """The mean of one rung over several seeds, each a list of values aligned with `groups`.

    Covers the choice of questions and the noise of the seeds. Of one seed it is mean_interval, and
    says nothing of that noise. Raises ValueError for no values, for NaN or for ragged lists.
    """
    if len(values) == 1:
        return mean_interval(values[0], seed, groups)
    data = np.asarray(values, dtype=float)
    if not data.size or np.isnan(data).any():
        raise ValueError(f"no mean of {data.size} values with {np.isnan(data).sum()} NaN")
    labels = group_labels(groups)
    mean, error = float(data.mean()), standard_error(data, None, labels)
    if data.min() >= 0.0 and data.max() <= 1.0:
        return _effective(mean, error, labels, "seeds")
    bounds = error.around(mean)
    method = "none" if bounds[0] is None else "Student's t over seeds"
    return Interval(mean, *bounds, data.shape[1], method)


def group_labels(groups: Sequence[str]) -> Labels:
    """The number of each question's group, from 0."""
    labels: Labels = np.unique(np.asarray(groups), return_inverse=True)[1]
    return labels


def standard_error(ours: Values, theirs: Values | None, labels: Labels) -> StandardError:
    """Of a mean over seeds and questions, or of the difference of two; [seeds, questions] each.

    Seeds and questions are crossed random factors: their variances add up, and what both contain,
    the noise of single answers, is taken off once (Cornfield and Tukey 1956). Few seeds are few
    degrees of freedom (Satterthwaite 1946; Welch 1947). A side of one seed adds no variance of
    seeds: either it has none, or it was not measured. Without any, what is left is the standard
    error clustered by group (Miller 2024, equation 4), with G / (G - 1) for few groups.
    """
    sides = [ours] if theirs is None else [ours, theirs]
    n, groups = len(labels), int(labels.max()) + 1
    if groups < 2:
        return StandardError(float("inf"), 1.0)
    difference = ours.mean(0) - (0.0 if theirs is None else theirs.mean(0))
    few = groups / (groups - 1)
    questions = few * (group_sums(difference - difference.mean(), labels) ** 2).sum() / n**2
    several = [side for side in sides if len(side) > 1]
    seeds = np.array([side.mean(1).var(ddof=1) / len(side) for side in several])
    both = sum(few * _interaction(side, labels) for side in several)
    variance = float(questions + max(0.0, seeds.sum() - both))
    if variance < ROUNDING**2:
        return StandardError(0.0, groups - 1.0)
    spread = questions**2 / (groups - 1) + sum(
        v**2 / (len(side) - 1) for v, side in zip(seeds, several, strict=True)
    )
    return StandardError(variance**0.5, max(1.0, float(variance**2 / spread)))


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
    from scipy.stats import norm

    error = (best.high - best.low) / (2 * float(norm.ppf((1 + CONFIDENCE) / 2)))
    return expected_maximum(candidates) * error


def _effective(mean: float, error: StandardError, labels: Labels, over: str) -> Interval:
    """Wilson's interval of the sample that has this standard error, with the quantile of Student's
    t (Dean and Pagano 2015, "Evaluating Confidence Interval Methods for Binomial Proportions in
    Clustered Surveys"); it stays within 0 and 1.
    """
    from scipy.stats import norm

    n, certain = len(labels), mean in (0.0, 1.0)
    if error.value == np.inf or (error.value == 0.0 and not certain):
        return Interval(mean, None, None, n, "none")
    size = labels.max() + 1 if certain else mean * (1 - mean) / error.value**2
    bounds = _wilson(mean, float(size), 2 * float(norm.sf(error.quantile)))
    return Interval(mean, *bounds, n, f"wilson over {over}")


def _wilson(mean: float, n: float, alpha: float = 1 - CONFIDENCE) -> tuple[float, float]:
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(mean * n, n, alpha, method="wilson")
    # Rounding puts a bound a hair beyond 0% and 100%.
    return min(float(low), mean), max(float(high), mean)


def group_sums(values: Values, labels: Labels) -> Values:
    """[questions] → [groups]."""
    return np.asarray(np.bincount(labels, values), dtype=float)


def _interaction(side: Values, labels: Labels) -> Any:
    """Variance that single answers give to the mean of a side: [seeds, questions]."""
    rest = side - side.mean(0) - side.mean(1, keepdims=True) + side.mean()
    seeds, n = side.shape
    squares = sum((group_sums(row, labels) ** 2).sum() for row in rest)
    return squares / (n * seeds) ** 2 * seeds / (seeds - 1)


def resampled(
    statistic: Callable[[npt.NDArray[np.int64]], float], n: int, seed: int = 0, draws: int = 300
) -> Interval:
    """Any statistic of a set of n examples, given their indices; a percentile bootstrap."""
    rng = np.random.default_rng(seed)
    values = [statistic(rng.integers(0, n, n)) for _ in range(draws)]
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(values, [tail, 100 - tail])
    return Interval(
        float(statistic(np.arange(n))), float(low), float(high), n, "percentile bootstrap"
    )
