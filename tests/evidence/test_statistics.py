"""Intervals agree with the libraries that they come from, and with what they mean."""

from __future__ import annotations

import numpy as np
import pytest

from harness.evidence.statistics import mean_interval, resampled


def test_a_proportion_gets_wilson_s_interval() -> None:
    found = mean_interval([1.0] * 8 + [0.0] * 2)
    # Wilson's formula by hand: centre (p + z²/2n) / (1 + z²/n).
    z, p, n = 1.959964, 0.8, 10
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert (found.value, found.n, found.method) == (0.8, 10, "wilson")
    assert found.low == pytest.approx(centre - half, abs=1e-6)
    assert found.high == pytest.approx(centre + half, abs=1e-6)


def test_all_right_is_not_certainty() -> None:
    found = mean_interval([1.0] * 20)
    assert found.high == pytest.approx(1.0)
    assert found.low is not None and 0.8 < found.low < 0.9


def test_a_graded_mean_gets_a_bootstrap_that_is_the_same_every_time() -> None:
    values = np.random.default_rng(0).random(200).tolist()
    found = mean_interval(values)
    assert found.method == "bootstrap"
    assert found.low is not None and found.high is not None
    assert found.high - found.low == pytest.approx(2 * 1.96 * np.std(values) / 200**0.5, rel=0.1)
    assert found == mean_interval(values)


def test_values_that_do_not_vary_get_no_interval() -> None:
    assert mean_interval([0.5, 0.5]).low is None


@pytest.mark.parametrize("values", [[], [0.5, float("nan")]])
def test_nothing_and_nan_have_no_mean(values: list[float]) -> None:
    with pytest.raises(ValueError, match="no mean of"):
        mean_interval(values)


def test_any_statistic_can_be_resampled() -> None:
    data = np.arange(100.0)
    found = resampled(lambda index: float(np.median(data[index])), 100)
    assert found.value == 49.5
    assert found.low is not None and found.high is not None
    assert 30 < found.low < 49.5 < found.high < 70
