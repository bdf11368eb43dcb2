"""The standard error clustered by group, with few and unequal groups."""

from __future__ import annotations

import numpy as np
import pytest

from harness.evidence.clusters import effective_groups, small_sample, standard_error

SIZES = [1, 5, 2, 12, 3]
LABELS = np.repeat(np.arange(len(SIZES)), SIZES)


def by_matrices() -> tuple[np.ndarray, float]:
    """CR2 of a regression on a constant as Pustejovsky and Tipton define it: the weight of each
    group's squared sum of residuals, and the degrees of freedom."""
    n = len(LABELS)
    residuals = np.eye(n) - 1 / n
    sums = np.eye(len(SIZES))[LABELS].T
    spread = sums @ residuals @ sums.T
    weights = np.diag(sums @ sums.T) / np.diag(spread)
    weighted = np.sqrt(np.outer(weights, weights)) * spread
    return weights, np.trace(weighted) ** 2 / (weighted**2).sum()


def test_the_closed_form_is_that_of_the_matrices() -> None:
    weights, freedom = small_sample(LABELS)
    assert weights == pytest.approx(by_matrices()[0])
    assert freedom == pytest.approx(by_matrices()[1])


def test_groups_of_one_size_are_one_degree_of_freedom_less_than_they_are() -> None:
    weights, freedom = small_sample(np.arange(30) // 3)
    assert (weights, freedom) == (pytest.approx([10 / 9] * 10), pytest.approx(9))


def test_unequal_groups_are_worth_fewer() -> None:
    assert effective_groups(np.arange(30) // 3) == 10
    assert effective_groups(LABELS) == pytest.approx(23**2 / (1 + 25 + 4 + 144 + 9))


def test_one_group_has_no_standard_error() -> None:
    assert standard_error(np.ones((1, 4)), None, np.zeros(4, dtype=int)).value == np.inf
