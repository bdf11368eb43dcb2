"""Is the gain real? Paired comparisons of two rungs on the same questions.

Questions of one group share a scenario and are not independent pieces of evidence, so whole groups
are flipped and counted (Miller 2024, "Adding Error Bars to Evals", arXiv:2411.00640). Where every
question is its own group and the measure is right or wrong, the test is McNemar's, exactly. Where a
random rung has several seeds it is Student's t with the noise of the seeds in the standard error:
it speaks of the rung, not of the runs that happened to be made. An interval holds what the test
does not reject, at the same level.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

import numpy as np
from pydantic import Field

from harness.errors import ConfigError
from harness.evidence.clusters import (
    CONFIDENCE,
    ROUNDING,
    StandardError,
    Values,
    effective_groups,
    group_labels,
    standard_error,
)
from harness.evidence.paired import Law, Student, agreeing, detectable, equivalent, tested
from harness.evidence.splits import splits
from harness.evidence.statistics import Interval
from harness.values import settings

__all__ = ["Contrast", "Contrasts", "Side", "adjusted", "compare"]


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
    """Of the mean difference over seeds and questions; n counts questions. It leaves out 0 exactly
    if the test rejects: p_adjusted < 5% in a family, p < 5% alone."""
    p: float
    """Two-sided, of no difference."""
    test: str
    error: StandardError
    """Of the difference."""
    equivalent: float | None
    """p of a difference as large as the margin, one-sided (TOST); None without a margin."""
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
    step: float = 1 - CONFIDENCE
    """The level at which Holm's procedure tests it; 1 minus it is the confidence of `delta`."""
    effective_groups: float = float("nan")
    """Groups of one size that would say as much."""
    law: Law | None = field(default=None, compare=False, repr=False)
    """What bounds at other levels follow from."""

    @property
    def level(self) -> float:
        """The p below which this contrast is significant whatever the others of its family show.

        Holm's first step; his later ones, which need the others' p, are never stricter.
        """
        return (1 - CONFIDENCE) / self.family

    @property
    def detectable(self) -> float:
        """The smallest true difference that this eval set would find with 80% power.

        At `level`, in the unit of the metric; infinite where the groups are too few for any p below
        it.
        """
        if 2.0 ** (1 - self.groups) >= self.level:
            return math.inf
        return detectable(self.error, self.level)

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
        """better or worse: the interval leaves out 0; equivalent: it lies within the margin; or no
        detectable difference."""
        if self.p_adjusted < 1 - CONFIDENCE:
            return "better" if self.delta.value > 0 else "worse"
        if self.equivalent is not None and self.equivalent < self.step / 2:
            return "equivalent"
        return "no detectable difference"

    def at(self, step: float) -> Contrast:
        """The same, tested at the level of this step."""
        if self.law is None:
            return replace(self, step=step)
        low, high = agreeing(self.law.bounds(step), self.p, step)
        method = "none" if low is None else self.law.name
        return replace(
            self, step=step, delta=replace(self.delta, low=low, high=high, method=method)
        )


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
    value, error = float(difference.mean()), standard_error(a, b, labels)
    # Without any variance to divide by, there are only questions to count.
    several = max(len(a), len(b)) > 1 and 0.0 < error.value < math.inf
    law = Student(value, error) if several else splits(difference, labels, seed)
    p, test = tested(difference, labels, law)
    return Contrast(
        ours.rung,
        theirs.rung,
        metric,
        Interval(value, None, None, len(ids), "none"),
        p,
        test,
        error=error,
        equivalent=None if margin is None else equivalent(value, error, law, margin, labels),
        groups=int(labels.max()) + 1,
        seeds=(ours.seeds, theirs.seeds),
        improved=tuple(i for i, d in zip(ids, difference, strict=True) if d > 0),
        worsened=tuple(i for i, d in zip(ids, difference, strict=True) if d < 0),
        effective_groups=effective_groups(labels),
        law=law,
    ).at(1 - CONFIDENCE)


def adjusted(contrasts: Sequence[Contrast]) -> list[Contrast]:
    """The contrasts of one family with Holm's correction (Holm 1979), each with the interval at the
    level of its step.

    The n-th smallest of k p is tested at 5% / (k - n + 1); from the first on that is not below it,
    all are tested at that one's level. Each interval holds on its own with 95% or more.
    """
    level, k = 1 - CONFIDENCE, len(contrasts)
    found = dict(enumerate(contrasts))
    corrected, step = 0.0, level / k if k else level
    for n, i in enumerate(sorted(found, key=lambda i: found[i].p)):
        if corrected < level:
            step = level / (k - n)
        corrected = max(corrected, min(1.0, (k - n) * found[i].p))
        found[i] = replace(found[i], p_adjusted=corrected, family=k).at(step)
    return list(found.values())
