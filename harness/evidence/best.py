"""Which rungs are good enough? Each compared with the best of all, which nobody knows beforehand.

The rung that scores highest on an eval set was chosen by that eval set, so that its own interval is
too kind to it. Intervals that hold for all comparisons with the true best one, whichever it is,
need the correction of K - 1 comparisons for K rungs (multiple comparisons with the best: Hsu 1984,
"Constrained Simultaneous Confidence Intervals for Multiple Comparisons with the Best", Annals of
Statistics 12; Hsu 1996). Here it is Bonferroni's, with Student's t of the paired differences. A
rung is good enough where no other can be better by the margin (non-inferiority: the side that
matters of the two one-sided tests of Schuirmann 1987), and ruled out where one is better by more
than the margin.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from harness.evidence.contrasts import Side
from harness.evidence.statistics import (
    CONFIDENCE,
    ROUNDING,
    Interval,
    Labels,
    StandardError,
    Values,
    group_labels,
    group_sums,
    standard_error,
)

__all__ = ["METHOD", "Comparisons", "More", "Pair", "compare_all_pairs"]

POWER = 0.8
METHOD = "Student's t, Bonferroni over comparisons with the best"
RARE = 4
"""Groups that are added to those which differ: where hardly any differs, the variance that was seen
is too small (compare Agresti and Coull 1998, who add four observations)."""
FIGURES = 2
"""Significant figures of an estimate of how many more questions it takes."""


@dataclass(frozen=True)
class Pair:
    """Two rungs on the same questions."""

    rung: str
    baseline: str
    difference: Interval
    """Rung minus baseline; the interval holds together with those of all comparisons with the
    best."""
    error: StandardError
    """Of the difference, the noise of seeds in it."""
    by_questions: float
    """Variance of the difference that more questions make smaller."""
    by_seeds: float
    """Variance that more seeds make smaller; assumed where one seed ran."""
    groups: int
    """Independent groups of questions."""
    seeds: int | None
    """Fewest seeds of a random one of the two; None where neither is random."""
    level: float
    """Two-sided error of the interval."""

    @property
    def quantile(self) -> float:
        """Of Student's t at `level`."""
        from scipy.stats import t

        return float(t.ppf(1 - self.level / 2, self.error.freedom))

    @property
    def low(self) -> float:
        """Lower bound; -inf where there is none."""
        return -math.inf if self.difference.low is None else self.difference.low

    @property
    def high(self) -> float:
        """Upper bound; inf where there is none."""
        return math.inf if self.difference.high is None else self.difference.high

    def above(self, rung: str) -> tuple[float, float, float]:
        """How far `rung`, one of the two, is above the other: value, lower and upper bound."""
        if rung == self.rung:
            return self.difference.value, self.low, self.high
        return -self.difference.value, -self.high, -self.low

    def more(self, margin: float) -> More:
        """What would show on which side of the margin the difference lies, with 80% power.

        The difference is taken as it was seen. Either number is None where it alone cannot help,
        as the other part of the variance is too large; where neither can, both by the same factor
        do. Nothing helps where the difference lies at the margin.
        """
        from scipy.stats import norm

        distance = abs(abs(self.difference.value) - margin)
        wanted = (distance / (self.quantile + float(norm.ppf(POWER)))) ** 2
        if wanted < ROUNDING or not math.isfinite(self.error.value):
            return More(None, None)
        questions = seeds = None
        n = self.difference.n
        if wanted > self.by_seeds:
            factor = self.by_questions / (wanted - self.by_seeds)
            questions = _rounded_up(max(0.0, factor - 1) * n)
        if self.seeds is not None and wanted > self.by_questions and self.by_seeds > 0:
            factor = self.by_seeds / (wanted - self.by_questions)
            seeds = max(1, math.ceil(self.seeds * max(0.0, factor - 1)))
        if questions is None and seeds is None and self.seeds is not None:
            further = (self.by_questions + self.by_seeds) / wanted - 1
            return More(_rounded_up(further * n), math.ceil(self.seeds * further), together=True)
        return More(questions, seeds)


@dataclass(frozen=True)
class More:
    """What would decide; None where it would not."""

    questions: int | None
    """More eval questions, with the seeds there are."""
    seeds: int | None
    """More seeds of each random rung, with the questions there are."""
    together: bool = False
    """Whether it takes both at once."""


@dataclass(frozen=True)
class Comparisons:
    """Every two of several rungs."""

    keys: Sequence[str]
    pairs: Sequence[Pair]
    """Each two rungs once, the one that comes later minus the one that comes earlier."""

    def pair(self, one: str, other: str) -> Pair:
        """The comparison of two rungs, whichever comes first."""
        return next(p for p in self.pairs if {p.rung, p.baseline} == {one, other})

    def others(self, key: str) -> list[tuple[str, Pair]]:
        """Every other rung, with the comparison."""
        return [(other, self.pair(key, other)) for other in self.keys if other != key]

    def good_enough(self, key: str, margin: float) -> bool:
        """Whether no other rung can be better by the margin."""
        return all(pair.above(other)[2] < margin for other, pair in self.others(key))

    def better(self, key: str, margin: float) -> list[str]:
        """Rungs that are shown to be better than this one by more than the margin."""
        return [other for other, pair in self.others(key) if pair.above(other)[1] > margin]


def compare_all_pairs(
    sides: Sequence[Side], groups: Mapping[str, str], noise: Mapping[str, float]
) -> Comparisons:
    """Compare every two rungs; `groups` has the group of each question.

    `noise` has the standard deviation over seeds that is assumed of a random rung with one seed.
    Raises ValueError unless every run answered exactly these questions.
    """
    ids = sorted(groups)
    labels = group_labels([groups[i] for i in ids])
    values = {side.rung: side.values(ids) for side in sides}
    level = (1 - CONFIDENCE) / max(1, len(sides) - 1)
    return Comparisons(
        [side.rung for side in sides],
        [
            _pair(later, values[later.rung], first, values[first.rung], labels, level, noise)
            for first, later in combinations(sides, 2)
        ],
    )


def _pair(
    ours: Side,
    a: Values,
    theirs: Side,
    b: Values,
    labels: Labels,
    level: float,
    noise: Mapping[str, float],
) -> Pair:
    total = standard_error(a, b, labels)
    drawn = standard_error(a.mean(0)[None], b.mean(0)[None], labels)
    difference = a.mean(0) - b.mean(0)
    by_questions = _widened(drawn.value, difference, labels)
    measured = max(0.0, total.value**2 - drawn.value**2) if math.isfinite(total.value) else 0.0
    alone = [side.rung for side in (ours, theirs) if side.random and len(side.runs) == 1]
    by_seeds = measured + sum(noise[rung] ** 2 for rung in alone)
    error = StandardError(math.sqrt(by_questions + by_seeds), total.freedom)
    random = [len(side.runs) for side in (ours, theirs) if side.random]
    value = float(difference.mean())
    blank = Pair(
        ours.rung,
        theirs.rung,
        Interval(value, None, None, len(labels), "none"),
        error,
        by_questions,
        by_seeds,
        int(labels.max()) + 1,
        min(random, default=None),
        level,
    )
    if not math.isfinite(error.value):
        return blank
    half = blank.quantile * error.value
    bounds = Interval(value, max(-1.0, value - half), min(1.0, value + half), len(labels), METHOD)
    return Pair(**{**vars(blank), "difference": bounds})


def _widened(error: float, difference: Values, labels: Labels) -> float:
    """The variance due to questions, larger where hardly any group differs from the rest.

    Of D groups that are unlike the commonest, the variance is that of D + `RARE`. Without any it is
    as if `RARE` groups of G differed by all that a score can.
    """
    if not math.isfinite(error):
        return math.inf
    sums = group_sums(difference, labels) / np.bincount(labels)
    unlike = len(sums) - int(np.unique(sums.round(9), return_counts=True)[1].max())
    if unlike == 0:
        return RARE / len(sums) ** 2
    return error**2 * (unlike + RARE) / unlike


def _rounded_up(count: float) -> int:
    """A count to `FIGURES` significant figures, upwards: it is an estimate."""
    whole = math.ceil(count)
    step: int = 10 ** max(0, len(str(whole)) - FIGURES)
    return -(-whole // step) * step
