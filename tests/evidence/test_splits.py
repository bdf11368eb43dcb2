"""Sign flips of groups: the test, and the interval that is its inversion."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import permutation_test, ttest_1samp

from harness.evidence.splits import splits

LABELS = np.repeat(np.arange(8), [1, 5, 2, 2, 9, 1, 3, 1])
VALUES = np.random.default_rng(0).normal(0.3, 0.4, len(LABELS))


def flipped(truth: float) -> float:
    """p of a true mean, by flipping the sum of every group in every way."""
    sums = np.bincount(LABELS, VALUES - truth)
    every = [abs(np.dot(signs, sums)) for signs in product((1, -1), repeat=len(sums))]
    return float(np.mean(np.array(every) >= abs(sums.sum()) - 1e-12))


@pytest.mark.parametrize("truth", [-1.0, 0.0, 0.1, 0.3, 0.7])
def test_p_of_any_true_mean_is_that_of_flipping_signs(truth: float) -> None:
    assert splits(VALUES, LABELS).p(truth) == pytest.approx(flipped(truth))


def test_the_bounds_are_where_the_test_begins_to_reject() -> None:
    low, high = splits(VALUES, LABELS).bounds(0.05)
    assert low is not None and high is not None
    assert flipped(low) >= 0.05 > flipped(low - 1e-6)
    assert flipped(high) >= 0.05 > flipped(high + 1e-6)


def test_many_groups_are_drawn_and_the_same_every_time() -> None:
    values = np.random.default_rng(1).normal(0.1, 0.5, 60)
    found, again = (splits(values, np.arange(60)) for _ in range(2))
    assert found.p() == again.p()
    reference = ttest_1samp(values, 0.0).confidence_interval()
    assert found.bounds(0.05) == pytest.approx(tuple(reference), abs=0.01)
    every = permutation_test((values,), np.mean, permutation_type="samples", rng=0)
    assert found.p() == pytest.approx(every.pvalue, abs=0.015)


def test_a_drawn_part_that_is_empty_encloses_everything_and_nothing_more_is_lost() -> None:
    """Of 9,999 splits of 16 groups one in three sets has an empty part."""
    values = np.random.default_rng(2).normal(0.5, 0.5, 16)
    found = [splits(values, np.arange(16), seed) for seed in range(12)]
    assert any(np.isinf(each.lows[0]) for each in found)
    reference = ttest_1samp(values, 0.0).confidence_interval()
    for each in found:
        assert each.bounds(0.05) == pytest.approx(tuple(reference), abs=0.05)


def test_too_few_groups_reject_nothing_and_have_no_bounds() -> None:
    five = splits(np.arange(1.0, 6.0), np.arange(5))
    assert five.p() == 2 / 2**5
    assert five.bounds(0.05) == (None, None)
    assert splits(VALUES, np.zeros_like(LABELS)).p() == 1.0


def test_groups_that_are_all_alike_have_no_bounds() -> None:
    assert splits(np.full(30, 0.1), np.arange(30)).bounds(0.05) == (None, None)
