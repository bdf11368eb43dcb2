"""Is the gain real? Paired comparisons of two rungs on the same questions.

Questions of one group share a scenario and are not independent pieces of evidence, so whole groups
are flipped, drawn and counted (Miller 2024, "Adding Error Bars to Evals", arXiv:2411.00640). Where
every question is its own group and the measure is right or wrong, the test is McNemar's, exactly.
The formulas are scipy's and statsmodels'.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.errors import ConfigError
from harness.evidence.statistics import CONFIDENCE, Interval

__all__ = ["Contrast", "Contrasts", "adjusted", "compare"]

POWER = 0.8
RESAMPLES = 9999
DRAWS = 2000

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Contrasts:
    """What is to be compared, declared before anything runs; the rest is exploratory."""

    against: Sequence[str]
    """Rungs that every other rung is compared with."""
    best_untuned: bool
    """Whether every tuned rung is compared with the untuned rung that is best on dev."""
    margin: float | None
    """Differences smaller than this would not matter; without it nothing is called equivalent."""

    def __post_init__(self) -> None:
        if self.margin is not None and not 0 < self.margin < 1:
            raise ConfigError(f"contrasts.margin={self.margin}: must be between 0 and 1, or null")

    def pairs(self, rungs: Mapping[str, str], best: Mapping[str, str]) -> list[tuple[str, str]]:
        """(key, key of the baseline) of every declared contrast.

        `rungs` has the rung of each key; `best` the best untuned rung for each tuned key, by key,
        as far as it is known. No two are compared twice.
        """
        found: dict[frozenset[str], tuple[str, str]] = {}
        for name in self.against:
            for baseline in (key for key, rung in rungs.items() if rung == name):
                for key in rungs:
                    if key != baseline:
                        found.setdefault(frozenset((key, baseline)), (key, baseline))
        if self.best_untuned:
            for pair in best.items():
                found.setdefault(frozenset(pair), pair)
        return list(found.values())


@dataclass(frozen=True)
class Contrast:
    """One rung against another."""

    rung: str
    baseline: str
    metric: str
    delta: Interval
    """Of the mean difference; n counts questions."""
    p: float
    """Two-sided, of no difference."""
    test: str
    detectable: float
    """The smallest true difference that this eval set would find with 80% power."""
    equivalent: float | None
    """p of a difference as large as the margin (TOST); None without a margin."""
    groups: int
    """Independent groups of questions."""
    seeds: int
    """Of the rung with fewer; 1 means that the noise of training or drawing was not measured."""
    improved: tuple[str, ...]
    """Ids of the questions on which the rung did better (averaged over seeds)."""
    worsened: tuple[str, ...]
    p_adjusted: float = float("nan")
    """After Holm's correction over the declared family."""

    @property
    def name(self) -> str:
        return f"{self.rung} – {self.baseline}"

    @property
    def identical(self) -> bool:
        """Whether both scored the same on every question: nothing to estimate an error from."""
        return not self.improved and not self.worsened

    @property
    def verdict(self) -> str:
        """better, worse, equivalent (within the margin) or no detectable difference."""
        if self.p_adjusted < 1 - CONFIDENCE:
            return "better" if self.delta.value > 0 else "worse"
        if self.equivalent is not None and self.equivalent < 1 - CONFIDENCE:
            return "equivalent"
        return "no detectable difference"


def compare(
    rung: str,
    baseline: str,
    metric: str,
    ours: Sequence[Mapping[str, float]],
    theirs: Sequence[Mapping[str, float]],
    groups: Mapping[str, str],
    *,
    margin: float | None = None,
    seed: int = 0,
) -> Contrast:
    """Compare two rungs: per seed, the value of every question; and each question's group.

    Raises ValueError unless both answered exactly the same questions.
    """
    ids = sorted(groups)
    for values in (*ours, *theirs):
        if sorted(values) != ids:
            raise ValueError(f"{rung} and {baseline} did not answer the same questions")
    a, b = (np.array([[v[i] for i in ids] for v in side]) for side in (ours, theirs))
    labels = np.unique([groups[i] for i in ids], return_inverse=True)[1]
    difference = a.mean(0) - b.mean(0)
    error = _standard_error(difference, labels)
    p, test = _test(a, b, labels, seed)
    return Contrast(
        rung=rung,
        baseline=baseline,
        metric=metric,
        delta=_interval(a, b, labels, seed),
        p=p,
        test=test,
        detectable=_detectable(error),
        equivalent=None if margin is None else _tost(difference.mean(), error, labels, margin),
        groups=int(labels.max()) + 1,
        seeds=min(len(ours), len(theirs)),
        improved=tuple(i for i, d in zip(ids, difference, strict=True) if d > 0),
        worsened=tuple(i for i, d in zip(ids, difference, strict=True) if d < 0),
    )


def adjusted(contrasts: Sequence[Contrast]) -> list[Contrast]:
    """The contrasts of one family with Holm's correction (Holm 1979)."""
    if not contrasts:
        return []
    from statsmodels.stats.multitest import multipletests

    corrected = multipletests([c.p for c in contrasts], method="holm")[1]
    return [replace(c, p_adjusted=float(p)) for c, p in zip(contrasts, corrected, strict=True)]


def _test(a: Values, b: Values, labels: npt.NDArray[Any], seed: int) -> tuple[float, str]:
    """p and its name; a and b are [seeds, questions]."""
    x, y = a.mean(0), b.mean(0)
    if (x == y).all():
        return 1.0, "no difference on any question"
    single = labels.max() + 1 == len(labels)
    if single and np.isin([*x, *y], (0.0, 1.0)).all():
        from statsmodels.stats.contingency_tables import mcnemar

        table = [[0, int((x > y).sum())], [int((x < y).sum()), 0]]
        return float(mcnemar(table, exact=True).pvalue), "exact McNemar"
    from scipy.stats import permutation_test

    sums = tuple(np.bincount(labels, values) for values in (x, y))
    p = permutation_test(
        sums,
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(seed),
    ).pvalue
    return float(p), f"paired permutation{'' if single else ' of groups'}"


def _interval(a: Values, b: Values, labels: npt.NDArray[Any], seed: int) -> Interval:
    """Of the mean difference: groups are drawn anew and, where there are several, seeds."""
    n = a.shape[1]
    value = float(a.mean() - b.mean())
    if len(a) > 1 or len(b) > 1:
        low, high = _hierarchical(a, b, labels, seed)
        return Interval(value, low, high, n, "bootstrap of seeds and questions")
    sums = np.bincount(labels, a[0] - b[0])
    sizes = np.bincount(labels).astype(float)
    if np.ptp(sums / sizes) == 0:
        return Interval(value, None, None, n, "none")
    from scipy.stats import bootstrap

    found = bootstrap(
        (sums, sizes),
        lambda sums, sizes, axis: sums.sum(axis) / sizes.sum(axis),
        paired=True,
        vectorized=True,
        confidence_level=CONFIDENCE,
        n_resamples=DRAWS,
        method="BCa",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(value, float(found.low), float(found.high), n, "bootstrap (BCa)")


def _hierarchical(a: Values, b: Values, labels: npt.NDArray[Any], seed: int) -> tuple[float, float]:
    """Percentile bootstrap over seeds, drawn for each rung by itself, and groups of questions."""
    rng = np.random.default_rng(seed)
    sizes = np.bincount(labels)
    sums = [np.stack([np.bincount(labels, row) for row in side]) for side in (a, b)]
    deltas = []
    for _ in range(DRAWS):
        drawn = rng.integers(0, len(sizes), len(sizes))
        means = [
            side[rng.integers(0, len(side), len(side))][:, drawn].mean(0).sum() for side in sums
        ]
        deltas.append((means[0] - means[1]) / sizes[drawn].sum())
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(deltas, [tail, 100 - tail])
    return float(low), float(high)


def _standard_error(difference: Values, labels: npt.NDArray[Any]) -> float:
    """Clustered by group (Miller 2024, equation 4)."""
    sums = np.bincount(labels, difference - difference.mean())
    return float(np.sqrt((sums**2).sum()) / len(difference))


def _detectable(error: float) -> float:
    """Minimum detectable effect of a two-sided test at 5% with 80% power (Miller 2024)."""
    from scipy.stats import norm

    return float((norm.ppf(1 - (1 - CONFIDENCE) / 2) + norm.ppf(POWER)) * error)


def _tost(delta: float, error: float, labels: npt.NDArray[Any], margin: float) -> float:
    """Two one-sided tests against ±margin (Schuirmann 1987), the larger p."""
    from scipy.stats import t

    if error == 0.0:
        return 0.0 if abs(delta) < margin else 1.0
    freedom = int(labels.max())
    return float(
        max(t.sf((delta + margin) / error, freedom), t.cdf((delta - margin) / error, freedom))
    )
