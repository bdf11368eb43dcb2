"""Intervals agree with the libraries that they come from, and with what they mean."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t, ttest_1samp
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.proportion import proportion_confint

from harness.evidence.statistics import (
    Interval,
    expected_maximum,
    expected_optimism,
    group_labels,
    mean_interval,
    mean_over_seeds,
    resampled,
    standard_error,
)


def test_a_proportion_gets_wilson_s_interval() -> None:
    found = mean_interval([1.0] * 8 + [0.0] * 2)
    # Wilson's formula by hand: centre (p + z²/2n) / (1 + z²/n).
    z, p, n = 1.959964, 0.8, 10
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert (found.value, found.n, found.method) == (0.8, 10, "wilson")
    assert found.low == pytest.approx(centre - half, abs=1e-6)
    assert found.high == pytest.approx(centre + half, abs=1e-6)
    assert (found.low, found.high) == pytest.approx(proportion_confint(8, 10, method="wilson"))


def test_all_right_is_not_certainty() -> None:
    found = mean_interval([1.0] * 20)
    assert found.high == pytest.approx(1.0)
    assert found.low is not None and 0.8 < found.low < 0.9


def test_a_graded_mean_of_many_gets_the_interval_of_student_s_t() -> None:
    values = np.random.default_rng(0).random(200).tolist()
    found = mean_interval(values)
    reference = ttest_1samp(values, 0.0).confidence_interval()
    assert (found.low, found.high) == pytest.approx(tuple(reference), abs=0.003)


def test_a_graded_mean_near_1_has_more_room_below_and_stays_within_1() -> None:
    values = [1.0] * 25 + [0.9] * 4 + [0.2]
    found = mean_interval(values)
    assert found.low is not None and found.high is not None and found.high <= 1.0
    assert found.value - found.low > 1.5 * (found.high - found.value)
    assert ttest_1samp(values, 0.0).confidence_interval().high > 1.0


def test_values_that_do_not_vary_get_no_interval() -> None:
    assert mean_interval([0.5, 0.5]).low is None


@pytest.mark.parametrize("values", [[], [0.5, float("nan")]])
def test_nothing_and_nan_have_no_mean(values: list[float]) -> None:
    with pytest.raises(ValueError, match="no mean of"):
        mean_interval(values)


def crossed(seeds: int, n: int, seed: int = 0) -> np.ndarray:
    """Values around 0.5 in which seeds, questions and single answers all have noise."""
    rng = np.random.default_rng(seed)
    return (  # type: ignore[no-any-return]
        0.5
        + rng.normal(0, 0.05, (seeds, 1))
        + rng.normal(0, 0.1, n)
        + rng.normal(0, 0.05, (seeds, n))
    )


def test_the_standard_error_of_one_run_is_clustered_as_in_statsmodels() -> None:
    (values,) = crossed(1, 90)
    scenario = np.repeat(np.arange(30), 3)
    model = ols("y ~ 1", pd.DataFrame({"y": values})).fit(
        cov_type="cluster", cov_kwds={"groups": scenario}
    )
    assert standard_error(values[None], None, scenario).value == pytest.approx(model.bse.iloc[0])
    # Without its correction for few groups it is equation 4 of Miller.
    options = {"groups": scenario, "use_correction": False}
    model = ols("y ~ 1", pd.DataFrame({"y": values})).fit(cov_type="cluster", cov_kwds=options)
    assert model.bse.iloc[0] == pytest.approx(
        standard_error(values[None], None, scenario).value * (29 / 30) ** 0.5
    )


def test_the_standard_error_over_seeds_is_that_of_the_analysis_of_variance() -> None:
    """Of two crossed random factors: (MS seeds + MS questions - MS rest) / (seeds x questions)."""
    values = crossed(4, 30)
    seed, question = np.indices(values.shape)
    long = pd.DataFrame({"y": values.ravel(), "s": seed.ravel(), "q": question.ravel()})
    table = anova_lm(ols("y ~ C(s) + C(q)", long).fit())
    seeds, questions, rest = table["mean_sq"]
    error = standard_error(values, None, np.arange(30))
    assert error.value**2 == pytest.approx((seeds + questions - rest) / values.size)
    # Halfway between Satterthwaite's quantile and Cochran and Cox's.
    share = (seeds - rest) / (seeds + questions - rest)
    satterthwaite = t.ppf(0.975, 1 / (share**2 / 3 + (1 - share) ** 2 / 29))
    cochran = share * t.ppf(0.975, 3) + (1 - share) * t.ppf(0.975, 29)
    assert error.quantile() == pytest.approx((satterthwaite + cochran) / 2)


def test_where_only_seeds_differ_their_mean_gets_student_s_interval() -> None:
    means = [2.1, 2.5, 2.2]
    found = mean_over_seeds([[m] * 60 for m in means], [str(i) for i in range(60)])
    assert (found.value, found.n) == (pytest.approx(np.mean(means)), 60)
    reference = ttest_1samp(means, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx(tuple(reference))


def test_one_seed_is_the_interval_of_a_mean() -> None:
    right, alone = [1.0] * 8 + [0.0] * 2, [str(i) for i in range(10)]
    assert mean_over_seeds([right], alone) == mean_interval(right)


def test_seeds_that_agree_are_no_more_evidence_than_one() -> None:
    right, alone = [1.0] * 80 + [0.0] * 20, [str(i) for i in range(100)]
    one, three = mean_over_seeds([right], alone), mean_over_seeds([right] * 3, alone)
    assert (three.low, three.high) == pytest.approx((one.low, one.high), abs=0.003)
    assert three.method == "wilson, Student's t"


def test_copies_of_a_question_are_no_more_evidence_than_one() -> None:
    right = [1.0] * 40 + [0.0] * 10
    graded = np.random.default_rng(0).random(50).tolist()
    scenario = [str(i) for i in range(50) for _ in range(4)]
    for values in (right, graded):
        copies = [v for v in values for _ in range(4)]
        once, grouped = mean_interval(values), mean_interval(copies, groups=scenario)
        assert (grouped.low, grouped.high) == pytest.approx((once.low, once.high), abs=0.01)
        assert grouped.n == 200


def test_all_right_over_all_seeds_is_as_certain_as_its_scenarios_are_many() -> None:
    found = mean_over_seeds([[1.0] * 60] * 3, [str(i // 3) for i in range(60)])
    assert found.high == 1.0
    assert found.low == pytest.approx(mean_interval([1.0] * 20).low, abs=0.03)


def test_values_beyond_0_and_1_get_student_s_interval_and_others_stay_within() -> None:
    alone = [str(i) for i in range(30)]
    assert mean_over_seeds(crossed(3, 30) * 10, alone).method == "Student's t"
    high = mean_over_seeds([[1.0] * 29 + [0.9], [1.0] * 29 + [0.8]], alone)
    assert high.high is not None and high.high <= 1.0


@pytest.mark.parametrize("values", [[[0.5, 0.5]] * 2, [[0.0, 1.0]] * 2])
def test_one_scenario_or_no_variance_gets_no_interval(values: list[list[float]]) -> None:
    assert mean_over_seeds(values, ["s", "s"]).low is None
    assert mean_interval(values[0], groups=["s", "s"]).low is None


def test_seeds_without_values_have_no_mean() -> None:
    with pytest.raises(ValueError, match="no mean of 4 values with 1 NaN"):
        mean_over_seeds([[0.5, float("nan")], [0.5, 0.5]], ["a", "b"])
    with pytest.raises(ValueError, match="inhomogeneous"):
        mean_over_seeds([[0.5], [0.5, 0.5]], ["a", "b"])


def test_groups_are_numbered() -> None:
    assert group_labels(["b", "a", "b"]).tolist() == [1, 0, 1]


def test_any_statistic_can_be_resampled() -> None:
    data = np.arange(100.0)
    found = resampled(lambda index: float(np.median(data[index])), 100)
    assert found.value == 49.5
    assert found.low is not None and found.high is not None
    assert 30 < found.low < 49.5 < found.high < 70


def test_the_expected_maximum_of_normal_draws_agrees_with_the_tables_and_with_simulation() -> None:
    tabulated = {1: 0.0, 2: np.pi**-0.5, 3: 0.84628, 10: 1.53875, 100: 2.50759, 1000: 3.24144}
    for n, value in tabulated.items():
        assert expected_maximum(n) == pytest.approx(value, abs=1e-5)
    draws = np.random.default_rng(0).standard_normal((40_000, 7)).max(1)
    assert expected_maximum(7) == pytest.approx(draws.mean(), abs=4 * draws.std() / 200)
    with pytest.raises(ValueError, match="no largest of 0"):
        expected_maximum(0)


def test_the_best_of_equally_good_ones_looks_better_by_what_is_said() -> None:
    """Twenty configurations that are right on seven questions in ten, each by its own luck."""
    true, questions, candidates = 0.7, 400, 20
    rng = np.random.default_rng(0)
    best = (rng.binomial(questions, true, (4000, candidates)) / questions).max(1)
    one = mean_interval([1.0] * 280 + [0.0] * 120)
    said = expected_optimism(candidates, one)
    assert said == pytest.approx(best.mean() - true, rel=0.05)


def test_ones_that_are_right_on_the_same_questions_are_lucky_together_and_it_is_less() -> None:
    rng = np.random.default_rng(0)
    luck = rng.standard_normal((2000, 1, 100)) + rng.standard_normal((2000, 10, 100))
    best = (luck > 0).mean(2).max(1)
    said = expected_optimism(10, mean_interval([1.0, 0.0] * 50))
    assert said is not None
    assert 0.4 * said < best.mean() - 0.5 < 0.9 * said


def test_without_an_interval_nothing_is_said_of_chance() -> None:
    assert expected_optimism(5, Interval(0.5, None, None, 9, "none")) is None
