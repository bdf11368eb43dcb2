"""Intervals around what was measured. The formulas are statsmodels' and scipy's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Interval", "mean_interval", "mean_over_seeds", "resampled"]

CONFIDENCE = 0.95
RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """A value with its 95% confidence interval, and what it rests on."""

    value: float
    low: float | None
    """None where no interval can be given."""
    high: float | None
    n: int
    method: str


def mean_interval(values: Sequence[float], seed: int = 0) -> Interval:
    """The mean of per-example values.

    Wilson's interval for proportions (Wilson 1927), a bias-corrected and accelerated bootstrap
    (Efron 1987) for graded values. Raises ValueError for no values or for NaN.
    """
    data = np.asarray(values, dtype=float)
    if not len(data) or np.isnan(data).any():
        raise ValueError(f"no mean of {len(data)} values with {np.isnan(data).sum()} NaN")
    mean = float(data.mean())
    if np.isin(data, (0.0, 1.0)).all():
        from statsmodels.stats.proportion import proportion_confint

        low, high = proportion_confint(data.sum(), len(data), 1 - CONFIDENCE, method="wilson")
        # Rounding puts a bound a hair beyond 0% and 100%.
        return Interval(mean, min(float(low), mean), max(float(high), mean), len(data), "wilson")
    if len(data) < 2 or np.ptp(data) == 0:
        return Interval(mean, None, None, len(data), "none")
    from scipy.stats import bootstrap

    found = bootstrap(
        (data,),
        np.mean,
        confidence_level=CONFIDENCE,
        n_resamples=RESAMPLES,
        method="BCa",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(mean, float(found.low), float(found.high), len(data), "bootstrap")


def mean_over_seeds(
    values: Sequence[Sequence[float]], groups: Sequence[str], seed: int = 0
) -> Interval:
    """The mean of per-example values over several seeds: one list per seed, aligned with groups."""
    if any(len(of_seed) != len(groups) for of_seed in values):
        raise ValueError("each seed needs one value for every question")
    return mean_interval(np.mean(values, axis=0).tolist(), seed)


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
