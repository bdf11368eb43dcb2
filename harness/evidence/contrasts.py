"""Is the gain real? Paired comparisons of two rungs on the same questions.

Questions of one group share a scenario and are not independent pieces of evidence, so whole groups
are flipped, drawn and counted (Miller 2024, "Adding Error Bars to Evals", arXiv:2411.00640). Where
every question is its own group and the measure is right or wrong, the test is McNemar's, exactly.
Where a random rung has several seeds, test and interval are Student's t with the noise of the seeds
in the standard error: they speak of the rung, not of the runs that happened to be made. The
formulas are scipy's and statsmodels'.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from pydantic import Field

from harness.errors import ConfigError
from harness.evidence.statistics import (
    CONFIDENCE,
    ROUNDING,
    Interval,
    Labels,
    StandardError,
    Values,
    bootstrapped,
    group_labels,
    group_sums,
    standard_error,
)
from harness.values import settings

__all__ = ["Contrast", "Contrasts", "Side", "adjusted", "compare"]

POWER = 0.8
RESAMPLES = 9999
BATCH = 500
"""Resamples that are held in memory at a time."""
STUDENT = "Student's t (Satterthwaite)"


@settings("contrasts")
class Contrasts:
    """What is to be compared, declared before anything runs; the rest is exploratory.

    >>> plan = Contrasts(["prompt"], best_untuned=False, pairs=[], margin=0.02)
    >>> plan.declared({"prompt": "prompt", "lora": "lora"}, {})
    [('lora', 'prompt')]
    """

    against: Sequence[str]
    """Rungs that every other rung is compared with."""
    best_untuned: bool
    """Whether every tuned rung is compared with the untuned rung that is best on dev."""
    pairs: Sequence[Sequence[str]]
    """Two rungs each, the second the baseline of the first; pairs of which a rung did not run are
    left out."""
    margin: Annotated[float, Field(gt=0, lt=1)] | None
    """Differences smaller than this would not matter; without it nothing is called equivalent."""

    def __post_init__(self) -> None:
        for pair in self.pairs:
            if len(pair) != 2:
                raise ConfigError(f"contrasts.pairs: {pair} is not a pair: [[rag_lora, lora]]")

    def declared(self, rungs: Mapping[str, str], best: Mapping[str, str]) -> list[tuple[str, str]]:
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
        for name, against in self.pairs:
            for key in (k for k, rung in rungs.items() if rung == name):
                for baseline in (k for k, rung in rungs.items() if rung == against):
                    found.setdefault(frozenset((key, baseline)), (key, baseline))
        return list(found.values())


@dataclass(frozen=True)
class Side:
    """What one rung answered."""

    rung: str
    runs: Sequence[Mapping[str, float]]
    """Per seed, the value of every question."""
    random: bool
    """Whether the seed makes a difference; if not, one run is all there is to know."""

    def __post_init__(self) -> None:
        if not self.random and len(self.runs) != 1:
            raise ValueError(f"{self.rung} has {len(self.runs)} runs, but nothing random in it")

    @property
    def seeds(self) -> int | None:
        """How many; None if the rung is not random."""
        return len(self.runs) if self.random else None

    def values(self, ids: Sequence[str]) -> Values:
        """[seeds, questions]. Raises ValueError unless every run answered just these, sorted."""
        if any(sorted(run) != ids for run in self.runs):
            raise ValueError(f"{self.rung} did not answer the {len(ids)} questions to compare on")
        return np.array([[run[i] for i in ids] for run in self.runs], dtype=float)


@dataclass(frozen=True)
class Contrast:
    """One rung against another."""

    rung: str
    baseline: str
    metric: str
    delta: Interval
    """Of the mean difference over seeds and questions; n counts questions."""
    p: float
    """Two-sided, of no difference."""
    test: str
    error: StandardError
    """Of the difference."""
    equivalent: float | None
    """p of a difference as large as the margin (TOST); None without a margin."""
    groups: int
    """Independent groups of questions."""
    seeds: tuple[int | None, int | None]
    """How many of the rung and of the baseline; None for one that is not random."""
    improved: tuple[str, ...]
    """Ids of the questions on which the rung did better (averaged over seeds)."""
    worsened: tuple[str, ...]
    p_adjusted: float = float("nan")
    """After Holm's correction over the declared family."""
    family: int = 1
    """How many contrasts the correction is for."""

    @property
    def level(self) -> float:
        """The p below which this contrast is significant whatever the others of its family show.

        Holm's first step; his later ones, which need the others' p, are never stricter.
        """
        return (1 - CONFIDENCE) / self.family

    @property
    def detectable(self) -> float:
        """The smallest true difference that this eval set would find with 80% power.

        At `level`, in the unit of the metric; infinite for a single group of questions.
        """
        return _detectable(self.error, self.level)

    @property
    def name(self) -> str:
        return f"{self.rung} – {self.baseline}"

    @property
    def one_seed(self) -> tuple[str, ...]:
        """Which of the two are random but have a single seed."""
        sides = zip((self.rung, self.baseline), self.seeds, strict=True)
        return tuple(name for name, seeds in sides if seeds == 1)

    @property
    def seed_noise_measured(self) -> bool:
        """Whether p and interval cover the noise of training and of drawing, or there is none."""
        return not self.one_seed

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
    ours: Side,
    theirs: Side,
    metric: str,
    groups: Mapping[str, str],
    *,
    margin: float | None = None,
    seed: int = 0,
) -> Contrast:
    """Compare a rung with its baseline; `groups` has the group of each question.

    Raises ValueError unless every run answered exactly these questions.
    """
    ids = sorted(groups)
    a, b = ours.values(ids), theirs.values(ids)
    labels = group_labels([groups[i] for i in ids])
    difference = a.mean(0) - b.mean(0)
    difference[abs(difference) < ROUNDING] = 0.0
    error = standard_error(a, b, labels)
    # Without any variance to divide by, there are only questions to count.
    several = max(len(a), len(b)) > 1 and error.value > 0.0
    tested = (
        _over_seeds(difference, error, labels) if several else _one_run(difference, labels, seed)
    )
    return Contrast(
        ours.rung,
        theirs.rung,
        metric,
        *tested,
        error=error,
        equivalent=None if margin is None else _equivalent(difference, error, margin, labels),
        groups=int(labels.max()) + 1,
        seeds=(ours.seeds, theirs.seeds),
        improved=tuple(i for i, d in zip(ids, difference, strict=True) if d > 0),
        worsened=tuple(i for i, d in zip(ids, difference, strict=True) if d < 0),
    )


def adjusted(contrasts: Sequence[Contrast]) -> list[Contrast]:
    """The contrasts of one family with Holm's correction (Holm 1979)."""
    if not contrasts:
        return []
    from statsmodels.stats.multitest import multipletests

    corrected = multipletests([c.p for c in contrasts], method="holm")[1]
    return [
        replace(c, p_adjusted=float(p), family=len(contrasts))
        for c, p in zip(contrasts, corrected, strict=True)
    ]


def _over_seeds(
    difference: Values, error: StandardError, labels: Labels
) -> tuple[Interval, float, str]:
    """Interval, p and test of a difference whose standard error has the noise of seeds in it.

    Satterthwaite's degrees of freedom are an approximation. With three seeds on both sides a test
    at 5% rejects at most 5.1% of the time. Against a baseline without noise it is up to 6% with
    five seeds, 8% with three and 13% with two: where the noise of seeds outweighs that of the
    questions several times. Where hardly any group differs, means are not normal: p is at least
    that of exchanging the groups in every way.
    """
    from scipy.stats import t

    value = float(difference.mean())
    bounds = error.around(value)
    p = 2 * float(t.sf(abs(value) / error.value, error.freedom))
    sums = group_sums(difference, labels)
    if 2 ** int((sums != 0).sum()) <= RESAMPLES:
        p = max(p, _flipped(sums))
    method = "none" if bounds[0] is None else STUDENT
    return Interval(value, *bounds, len(difference), method), p, STUDENT


def _one_run(difference: Values, labels: Labels, seed: int) -> tuple[Interval, float, str]:
    """Interval, p and test where only the questions are drawn by chance."""
    bounds = bootstrapped(difference, labels, seed)
    method = "none" if bounds[0] is None else "bootstrap (BCa)"
    interval = Interval(float(difference.mean()), *bounds, len(difference), method)
    return interval, *_test(difference, labels, seed)


def _test(difference: Values, labels: Labels, seed: int) -> tuple[float, str]:
    """p and its name."""
    if not difference.any():
        return 1.0, "no difference on any question"
    single = labels.max() + 1 == len(labels)
    if single and np.isin(difference, (-1.0, 0.0, 1.0)).all():
        from statsmodels.stats.contingency_tables import mcnemar

        table = [[0, int((difference > 0).sum())], [int((difference < 0).sum()), 0]]
        return float(mcnemar(table, exact=True).pvalue), "exact McNemar"
    p = _flipped(group_sums(difference, labels), seed)
    return p, f"paired permutation{'' if single else ' of groups'}"


def _flipped(sums: Values, seed: int = 0) -> float:
    """p of sums whose signs are chance: each group's two rungs may be exchanged."""
    from scipy.stats import monte_carlo_test, permutation_test

    sums = sums[sums != 0]
    if len(sums) < 2:
        return 1.0
    if 2 ** len(sums) <= RESAMPLES:
        every = permutation_test(
            (sums,), _mean, permutation_type="samples", vectorized=True, n_resamples=RESAMPLES
        )
        return float(every.pvalue)
    rng = np.random.default_rng(seed)

    # What permutation_test would draw, ten times faster.
    def exchanged(size: tuple[int, int]) -> Values:
        return (2 * rng.integers(0, 2, size, dtype=np.int8) - 1) * sums

    drawn = monte_carlo_test(
        sums, exchanged, _mean, vectorized=True, n_resamples=RESAMPLES, batch=BATCH
    )
    return float(drawn.pvalue)


def _mean(sums: Values, axis: int) -> Values:
    means: Values = sums.mean(axis)
    return means


def _detectable(error: StandardError, level: float) -> float:
    """Minimum detectable effect of a two-sided t test at `level` with 80% power (Bloom 1995), by
    the noncentral t distribution; its other tail is nothing at this power.
    """
    from scipy.special import nctdtrinc
    from scipy.stats import t

    critical = t.ppf(1 - level / 2, error.freedom)
    return float(nctdtrinc(error.freedom, 1 - POWER, critical) * error.value)


def _equivalent(difference: Values, error: StandardError, margin: float, labels: Labels) -> float:
    """p of a true difference beyond ±margin: two one-sided t tests (Schuirmann 1987), the larger.

    Where all questions differ by the same c there is no error to divide by. Then a true difference
    of the margin needs (margin - c) / (1 - c) of all groups to be otherwise, as values lie between
    0 and 1, and none of those was drawn.
    """
    from scipy.stats import t

    value = abs(float(difference.mean()))
    if error.value == 0.0:
        hidden = max(0.0, margin - value) / max(1.0 - value, margin)
        return float((1 - hidden) ** (labels.max() + 1))
    return float(t.sf((margin - value) / error.value, error.freedom))
