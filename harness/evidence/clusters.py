"""How sure a mean over questions and seeds is: groups of questions, and the standard error.

Questions of one group share a scenario, so whole groups are what is drawn by chance (Miller 2024,
"Adding Error Bars to Evals", arXiv:2411.00640). Seeds are the second thing that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "CONFIDENCE",
    "ROUNDING",
    "Bounds",
    "Labels",
    "StandardError",
    "Values",
    "effective_groups",
    "group_labels",
    "group_sums",
    "standard_error",
]

CONFIDENCE = 0.95
ROUNDING = 1e-12
"""The mean of equal numbers may be off by this; smaller differences are none."""

Values = npt.NDArray[np.float64]
Labels = npt.NDArray[np.intp]
Bounds = tuple[float | None, float | None]


@dataclass(frozen=True)
class StandardError:
    """How far an estimate lies from the truth, and how well that is known."""

    value: float
    """Infinite where it cannot be estimated: one group of questions."""
    freedom: float
    """Degrees of freedom of Student's t."""

    def quantile(self, level: float = 1 - CONFIDENCE) -> float:
        """Of Student's t, for an interval that leaves out the truth with this probability."""
        from scipy.stats import t

        return float(t.ppf(1 - level / 2, self.freedom))

    def around(self, estimate: float, level: float = 1 - CONFIDENCE) -> Bounds:
        """Bounds by Student's t; None where there is no standard error."""
        if not 0.0 < self.value < np.inf:
            return None, None
        half = self.quantile(level) * self.value
        return estimate - half, estimate + half


def group_labels(groups: Sequence[str]) -> Labels:
    """The number of each question's group, from 0."""
    labels: Labels = np.unique(np.asarray(groups), return_inverse=True)[1]
    return labels


def group_sums(values: Values, labels: Labels) -> Values:
    """[questions] → [groups]."""
    return np.asarray(np.bincount(labels, values), dtype=float)


def effective_groups(labels: Labels) -> float:
    """How many groups of one size would say as much: (Σ n)² / Σ n², n the questions of each group.

    Kish 1965, "Survey Sampling", where it is the effective size of a sample with unequal weights;
    here for answers that are alike within a group.
    """
    sizes = np.bincount(labels).astype(float)
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def standard_error(ours: Values, theirs: Values | None, labels: Labels) -> StandardError:
    """Of a mean over seeds and questions, or of the difference of two; [seeds, questions] each.

    Questions: CR2, the cluster-robust variance of Bell and McCaffrey 2002 ("Bias Reduction in
    Standard Errors for Linear Regression with Multi-Stage Samples", Survey Methodology 28), with
    their degrees of freedom by Satterthwaite (see Pustejovsky and Tipton 2018, "Small-Sample
    Methods for Cluster-Robust Variance Estimation and Hypothesis Testing in Fixed Effects Models").
    Seeds and questions are crossed random factors: their variances add up, and what both contain,
    the noise of single answers, is taken off once (Cornfield and Tukey 1956). The seeds of both
    sides have Satterthwaite's degrees of freedom (1946). A side of one seed adds no variance of
    seeds: either it has none, or it was not measured.
    """
    sides = [ours] if theirs is None else [ours, theirs]
    n, groups = len(labels), int(labels.max()) + 1
    if groups < 2:
        return StandardError(float("inf"), 1.0)
    difference = ours.mean(0) - (0.0 if theirs is None else theirs.mean(0))
    weights, freedom = small_sample(labels)
    questions = (weights * group_sums(difference - difference.mean(), labels) ** 2).sum() / n**2
    several = [side for side in sides if len(side) > 1]
    means = np.array([side.mean(1).var(ddof=1) / len(side) for side in several])
    both = sum(_interaction(side, labels, weights) for side in several)
    seeds = max(0.0, float(means.sum() - both))
    variance = float(questions + seeds)
    if variance < ROUNDING**2:
        return StandardError(0.0, freedom)
    if seeds > 0.0:
        few = means.sum() ** 2 / sum(
            v**2 / (len(s) - 1) for v, s in zip(means, several, strict=True)
        )
        freedom = _between(freedom, float(few), seeds / variance)
    return StandardError(variance**0.5, freedom)


def _between(questions: float, seeds: float, share: float) -> float:
    """Degrees of freedom of a sum of two variances, `share` of it that of the seeds.

    Those whose quantile is halfway between that of Satterthwaite's and the mean of both quantiles,
    weighted by their variances (Cochran and Cox 1950, "Experimental Designs"). Where few seeds have
    most of the variance the first are too many: chance that makes their variance small makes its
    degrees of freedom many. Where they have half of it the second are too few.
    """
    from scipy.special import stdtridf
    from scipy.stats import t

    rank = (1 + CONFIDENCE) / 2
    satterthwaite = 1 / (share**2 / seeds + (1 - share) ** 2 / questions)
    cochran = share * t.ppf(rank, seeds) + (1 - share) * t.ppf(rank, questions)
    return float(stdtridf(rank, (t.ppf(rank, satterthwaite) + cochran) / 2))


def small_sample(labels: Labels) -> tuple[Values, float]:
    """CR2's weight of each group's squared sum of residuals, and its degrees of freedom.

    A mean over questions is a regression on a constant, for which both have a closed form. With w a
    group's share of the questions, the weight is 1 / (1 - w), and the degrees of freedom are
    1 / (Σw² + (Σ w²/(1-w))² - Σ w⁴/(1-w)²): 2 E² / Var of the variance if questions are independent
    and normal. For G groups of one size they are G / (G - 1) and G - 1.
    """
    sizes = np.bincount(labels).astype(float)
    share = sizes / sizes.sum()
    odds = share**2 / (1 - share)
    spread = (share**2).sum() + odds.sum() ** 2 - (odds**2).sum()
    return 1 / (1 - share), float(1 / spread)


def _interaction(side: Values, labels: Labels, weights: Values) -> Any:
    """Variance that single answers give to the mean of a side: [seeds, questions]."""
    rest = side - side.mean(0) - side.mean(1, keepdims=True) + side.mean()
    seeds, n = side.shape
    squares = sum((weights * group_sums(row, labels) ** 2).sum() for row in rest)
    return squares / (n * seeds) ** 2 * seeds / (seeds - 1)
