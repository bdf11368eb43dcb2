"""The sign-flip test of a mean over groups, and the intervals that are its inversion.

Under no difference the two rungs of a group may be exchanged, so that the sign of its sum of
differences is chance. To ask of another true difference, it is taken off every question first. That
test is inverted here in closed form: its p is the share of all splits of the groups into two parts
whose two means enclose the true difference in question. Means of parts are Hartigan's typical
values (1969, "Using Subsample Values as Typical Values", JASA 64). It is the wild cluster bootstrap
too, with the null imposed and signs as weights (Cameron, Gelbach and Miller 2008, "Bootstrap-Based
Improvements for Inference with Clustered Errors"). Where groups' sums are symmetric around their
mean its level is exact, however few and unequal the groups are (Canay, Santos and Shaikh 2021, "The
Wild Bootstrap with a 'Small' Number of 'Large' Clusters").
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from harness.evidence.clusters import ROUNDING, Bounds, Labels, Values, group_sums

__all__ = ["Splits", "splits"]

DRAWN = 9999
"""Splits that are drawn where there are more."""
LARGEST = 10_000_000
"""Values that are drawn at a time: 80 MB."""


@dataclass(frozen=True, eq=False)
class Splits:
    """Splits of the groups into two parts, without the one that leaves a part empty."""

    lows: Values
    """The smaller mean of the two parts of each split, sorted."""
    highs: Values
    """The larger one, sorted."""
    name: ClassVar[str] = "inverted sign flips"

    def p(self, truth: float = 0.0) -> float:
        """Two-sided p of a true mean: the share of splits that enclose it, the empty one among
        them."""
        below = np.searchsorted(self.lows, truth, side="right")
        above = len(self.highs) - np.searchsorted(self.highs, truth, side="left")
        return float((1 + min(below, above)) / (1 + len(self.lows)))

    @property
    def _alike(self) -> bool:
        """Whether all groups have the same mean, but for rounding."""
        found = np.concatenate([self.lows, self.highs])
        found = found[np.isfinite(found)]
        return bool(np.ptp(found) <= ROUNDING * max(1.0, np.abs(found).max()))

    def bounds(self, level: float) -> Bounds:
        """All true means that the test does not reject at `level`; None if that is all there are.

        None too if all groups have the same mean.
        """
        place = math.ceil(level * (1 + len(self.lows)) - 1 - ROUNDING)
        if place < 1 or self._alike:
            return None, None
        low, high = float(self.lows[place - 1]), float(self.highs[-place])
        return (low, high) if math.isfinite(low) and math.isfinite(high) else (None, None)


def splits(values: Values, labels: Labels, seed: int = 0) -> Splits:
    """Every split of the groups, or as many as `DRAWN` at random; `values` are the questions'."""
    columns = np.stack([group_sums(values, labels), np.bincount(labels).astype(float)], axis=1)
    groups, total = len(columns), columns.sum(0)
    if 2 ** (groups - 1) <= 1 + DRAWN:
        numbers = np.arange(1, 2 ** (groups - 1))
        parts = (numbers[:, None] >> np.arange(groups) & 1) @ columns
    else:
        rng = np.random.default_rng(seed)
        batch = max(1, LARGEST // groups)
        sizes = [min(batch, DRAWN - done) for done in range(0, DRAWN, batch)]
        drawn = (rng.integers(0, 2, (size, groups), dtype=np.int8) for size in sizes)
        parts = np.concatenate([part @ columns for part in drawn])
    first, second = _mean(parts), _mean(total - parts)
    # An empty part encloses everything.
    empty = np.isnan(first) | np.isnan(second)
    lows = np.where(empty, -np.inf, np.minimum(first, second))
    highs = np.where(empty, np.inf, np.maximum(first, second))
    tiny = ROUNDING * float(np.abs(values).max(initial=0.0))
    return Splits(np.sort(_snapped(lows, tiny)), np.sort(_snapped(highs, tiny)))


def _mean(parts: Values) -> Values:
    """Of sums and counts; NaN of nothing."""
    with np.errstate(invalid="ignore"):
        means: Values = parts[:, 0] / np.where(parts[:, 1] > 0, parts[:, 1], np.nan)
    return means


def _snapped(means: Values, tiny: float) -> Values:
    """Means that are 0 but for rounding are 0."""
    return np.where(np.abs(means) <= tiny, 0.0, means)
