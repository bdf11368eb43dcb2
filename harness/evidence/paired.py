"""The test of one paired difference, and the intervals that agree with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.evidence.clusters import (
    ROUNDING,
    Bounds,
    Labels,
    StandardError,
    Values,
    group_sums,
)
from harness.evidence.splits import DRAWN, Splits, splits

__all__ = ["Law", "Student", "agreeing", "detectable", "equivalent", "tested"]

POWER = 0.8
STUDENT = "Student's t (Satterthwaite)"


@dataclass(frozen=True)
class Student:
    """Student's t of a difference whose standard error has the noise of seeds in it.

    Its degrees of freedom are an approximation. A test at 5% rejects 3.5 to 6.5% of the time with
    three seeds or more, whatever their noise. With two against a baseline without noise it is up to
    11%, where the noise of seeds outweighs that of the questions several times.
    """

    value: float
    error: StandardError
    name: ClassVar[str] = STUDENT

    def p(self, truth: float = 0.0) -> float:
        """Two-sided p of a true difference."""
        from scipy.stats import t

        return 2 * float(t.sf(abs(self.value - truth) / self.error.value, self.error.freedom))

    def bounds(self, level: float) -> Bounds:
        """All true differences that the test does not reject at `level`."""
        return self.error.around(self.value, level)


Law = Splits | Student
"""Gives p of any true difference, and the bounds of those that are not rejected."""


def tested(difference: Values, labels: Labels, law: Law) -> tuple[float, str]:
    """p and its name: exact where few groups differ or answers are right or wrong.

    Over seeds too p is at least that of exchanging the groups in every way, as means of hardly any
    differences are not normal.
    """
    if isinstance(law, Student):
        return max(law.p(), _exchanged(difference, labels) or 0.0), law.name
    if not difference.any():
        return 1.0, "no difference on any question"
    single = labels.max() + 1 == len(labels)
    if single and np.isin(difference, (-1.0, 0.0, 1.0)).all():
        from statsmodels.stats.contingency_tables import mcnemar

        table = [[0, int((difference > 0).sum())], [int((difference < 0).sum()), 0]]
        return float(mcnemar(table, exact=True).pvalue), "exact McNemar"
    exact = _exchanged(difference, labels)
    return (
        law.p() if exact is None else exact,
        f"paired permutation{'' if single else ' of groups'}",
    )


def _exchanged(difference: Values, labels: Labels) -> float | None:
    """p of exchanging the two rungs of each group in every way; None if the ways are too many.

    Groups without a difference have nothing to exchange.
    """
    sums = group_sums(difference, labels)
    differing = sums[np.abs(sums) > ROUNDING]
    if 2 ** (len(differing) - 1) > 1 + DRAWN:
        return None
    return splits(differing, np.arange(len(differing))).p() if len(differing) else 1.0


def agreeing(bounds: Bounds, p: float, level: float) -> Bounds:
    """The bounds, such that they leave out 0 exactly if p is below the level.

    They do already, but for the chance in drawn splits where p is exact, and over seeds where it is
    that of exchanged groups.
    """
    low, high = bounds
    if low is None or high is None:
        return bounds
    if p >= level:
        return min(low, 0.0), max(high, 0.0)
    if low <= 0.0 <= high:
        return (ROUNDING, high) if low + high > 0 else (low, -ROUNDING)
    return bounds


def detectable(error: StandardError, level: float) -> float:
    """Minimum detectable effect of a two-sided t test at `level` with 80% power (Bloom 1995), by
    the noncentral t distribution; its other tail is nothing at this power.
    """
    from scipy.special import nctdtrinc
    from scipy.stats import t

    critical = t.ppf(1 - level / 2, error.freedom)
    return float(nctdtrinc(error.freedom, 1 - POWER, critical) * error.value)


def equivalent(
    value: float, error: StandardError, law: Law, margin: float, labels: Labels
) -> float:
    """p of a true difference beyond ±margin: two one-sided tests (Schuirmann 1987), the larger.

    Where all questions differ by the same c there is no error to divide by. Then a true difference
    of the margin needs (margin - c) / (1 - c) of all groups to be otherwise, as values lie between
    0 and 1, and none of those was drawn.
    """
    if error.value == 0.0:
        hidden = max(0.0, margin - abs(value)) / max(1.0 - abs(value), margin)
        return float((1 - hidden) ** (labels.max() + 1))
    within = abs(value) < margin
    halves = [law.p(bound) / 2 for bound in (-margin, margin)]
    return max(halves) if within else 1 - min(halves)
