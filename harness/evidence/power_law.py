"""Learning curves: error as a power law of the number of examples, and where one passes another.

error(n) = a + b · n^-c, the usual form (Viering and Loog 2023, "The Shape of Learning Curves: a
Review", arXiv:2103.10948). It is a description and no law of nature: whoever extrapolates should
first see how far it misses a size that it was not fitted to. What chance leaves open moves a
crossing a long way, so that the n at which a lead is certain is a number of its own (Pecher et al.
2024, "Comparing Specialised Small and General Large Language Models on Text Classification",
arXiv:2402.12819). The least squares are scipy's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.evidence.statistics import CONFIDENCE, Labels, Values, group_sums
from harness.evidence.variance_parts import answers_variance

__all__ = [
    "Crossing",
    "PowerLaw",
    "crossing",
    "drawn_errors",
    "fit",
    "lead_from",
    "resampled_means",
]

STEEPEST = 3.0
"""Bound of c; measured learning curves have exponents up to about 2."""
EXPONENTS = np.geomspace(0.01, STEEPEST, 150)
"""Values of c that are looked through first: least squares could end in a local minimum."""


@dataclass(frozen=True)
class PowerLaw:
    """error(n) = a + b · n^-c, with a, b and c from 0 up."""

    a: float
    """What is left with any number of examples."""
    b: float
    c: float

    def error(self, n: Values) -> Values:
        """At each n."""
        return np.asarray(self.a + self.b * n**-self.c, dtype=float)


@dataclass(frozen=True)
class Crossing:
    """From which n on one learning curve lies above another; infinite: not up to the last n that
    was looked at; the first n that was looked at: from there on or earlier."""

    n: float
    """Of the two fits."""
    low: float
    """Of the 95% interval of `n`."""
    high: float
    certain: float
    """From which n on the lower bound of the lead (95%, each n on its own) is above zero."""


def fit(sizes: Values, errors: Values) -> PowerLaw:
    """Least squares over at least three sizes. Raises ValueError for fewer."""
    from scipy.optimize import least_squares

    largest = float(sizes.max())
    scaled = sizes / largest
    found = least_squares(
        lambda abc: _law(scaled, *abc) - errors,
        _scanned(scaled, errors[None])[0],
        jac=lambda abc: _slopes(scaled, *abc),
        bounds=([0.0, 0.0, 0.0], [1.0, np.inf, STEEPEST]),
    ).x
    a, b, c = map(float, found)
    return PowerLaw(a, b * largest**c, c)


def drawn_errors(sizes: Values, errors: Values, at: Values) -> Values:
    """The errors [draws, at] of the laws that fit errors [draws, sizes]; c is found on a grid.

    Raises ValueError for fewer than three sizes.
    """
    largest = float(sizes.max())
    a, b, c = (part[:, None] for part in _scanned(sizes / largest, errors).T)
    return np.asarray(a + b * (at / largest) ** -c, dtype=float)


def lead_from(sizes: Values, lead: Values) -> float:
    """The size from which on a lead stays above zero; infinite if it is not so at the last size.

    Between two sizes the lead is linear in the logarithm of the size.
    """
    behind = np.flatnonzero(lead <= 0)
    if not len(behind):
        return float(sizes[0])
    last = int(behind[-1])
    if last + 1 == len(sizes):
        return float("inf")
    share = lead[last] / (lead[last] - lead[last + 1])
    return float(sizes[last] * (sizes[last + 1] / sizes[last]) ** share)


def crossing(sizes: Values, lead: Values, draws: Values) -> Crossing:
    """Where a lead [sizes] begins to hold, with what its bootstrap draws [draws, sizes] leave open.

    The interval is the percentile bootstrap's.
    """
    tail = (1 - CONFIDENCE) / 2
    each = sorted(lead_from(sizes, one) for one in draws)
    lower = np.quantile(draws, tail, axis=0)
    first, last = int(tail * len(each)), int(np.ceil((1 - tail) * len(each))) - 1
    return Crossing(lead_from(sizes, lead), each[first], each[last], lead_from(sizes, lower))


def resampled_means(cells: Sequence[Values], labels: Labels, draws: int, seed: int = 0) -> Values:
    """Means of cells [seeds, questions] when questions and seeds are drawn anew: [draws, cells].

    Whole groups of questions are drawn, the same ones for all cells, so that differences between
    cells are paired; seeds are drawn for each cell, and a cell of one seed has no noise of seeds.
    k groups drawn out of themselves vary less than k new ones: deviations are widened by
    √(k / (k - 1)). Those of seeds are scaled to what seeds vary by without the noise of single
    answers, which the draw of questions has already.
    """
    rng = np.random.default_rng(seed)
    sizes = np.bincount(labels).astype(float)
    groups = len(sizes)
    counts = rng.multinomial(groups, np.full(groups, 1 / groups), size=draws).astype(float)
    total = counts @ sizes
    widened = np.sqrt(groups / max(1, groups - 1))
    means = []
    for cell in cells:
        observed = cell.mean(1)
        sums = np.stack([group_sums(row, labels) for row in cell], axis=1)
        each = observed + widened * (counts @ sums / total[:, None] - observed)
        means.append(_over_seeds(each, _noise_of_seeds(cell, labels), rng))
    return np.stack(means, axis=1)


def _noise_of_seeds(cell: Values, labels: Labels) -> float:
    """What to multiply deviations of seeds drawn anew by, for a cell [seeds, questions]."""
    seeds = len(cell)
    means = cell.mean(1)
    drawn = float(means.var()) / seeds
    if seeds == 1 or drawn == 0.0:
        return 0.0
    own = max(0.0, float(means.var(ddof=1)) / seeds - answers_variance(cell, labels))
    return float((own / drawn) ** 0.5)


def _over_seeds(each: Values, scale: float, rng: np.random.Generator) -> Values:
    """The mean of as many seeds, drawn anew: [draws, seeds] → [draws]."""
    draws, seeds = each.shape
    middle: Values = each.mean(1)
    chosen = rng.integers(0, seeds, (draws, seeds))
    drawn: Values = np.take_along_axis(each, chosen, axis=1).mean(1)
    return middle + scale * (drawn - middle)


def _scanned(x: Values, errors: Values) -> Values:
    """a, b and c that are best for errors [draws, sizes] among EXPONENTS: [draws, 3].

    Given c the law is linear: where the best a or b would be below zero it is zero.
    """
    if len(x) < 3:
        raise ValueError(f"three parameters need three sizes and more, not {len(x)}")
    powers = x ** -EXPONENTS[:, None]
    middle = powers.mean(1)
    around = powers - middle[:, None]
    b = np.maximum(0.0, errors @ around.T / (around**2).sum(1))
    a = errors.mean(1)[:, None] - b * middle
    without = np.maximum(0.0, errors @ powers.T / (powers**2).sum(1))
    b, a = np.where(a < 0.0, without, b), np.maximum(0.0, a)
    misses = a[..., None] + b[..., None] * powers - errors[:, None, :]
    best = (misses**2).sum(-1).argmin(1)
    rows = np.arange(len(errors))
    return np.stack([a[rows, best], b[rows, best], EXPONENTS[best]], axis=1)


def _law(x: Values, a: float, b: float, c: float) -> Values:
    return np.asarray(a + b * x**-c, dtype=float)


def _slopes(x: Values, a: float, b: float, c: float) -> Values:
    """Derivatives of the law by a, b and c: [sizes, 3]."""
    power = x**-c
    return np.stack([np.ones_like(x), power, -b * power * np.log(x)], axis=1)
