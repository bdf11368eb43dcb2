"""Learning curves whose truth is known: the fit finds it, and intervals cover it."""

from __future__ import annotations

import numpy as np
import pytest

from harness.evidence.power_law import (
    PowerLaw,
    crossing,
    drawn_errors,
    fit,
    lead_from,
    resampled_means,
)
from harness.evidence.statistics import Values

SIZES = np.array([15, 26, 52, 101, 202, 400], dtype=float)
GRID = np.geomspace(15, 1200, 200)


@pytest.mark.parametrize(
    "law", [PowerLaw(0.3, 1.5, 0.6), PowerLaw(0.0, 0.9, 0.2), PowerLaw(0.2, 8.0, 1.2)]
)
def test_a_law_is_found_again_from_its_values(law: PowerLaw) -> None:
    found = fit(SIZES, law.error(SIZES))
    assert found.error(GRID) == pytest.approx(law.error(GRID), abs=2e-3)
    assert (found.a, found.c) == (pytest.approx(law.a, abs=0.02), pytest.approx(law.c, rel=0.1))


def test_an_error_that_does_not_fall_is_a_level() -> None:
    found = fit(SIZES, np.full(6, 0.4))
    assert found.error(GRID) == pytest.approx(0.4, abs=5e-3)
    rising = fit(SIZES, np.linspace(0.2, 0.4, 6))
    assert rising.error(GRID) == pytest.approx(0.3, abs=0.01)


def test_no_error_at_all_is_a_law_too() -> None:
    assert fit(SIZES, np.zeros(6)).error(GRID) == pytest.approx(0.0, abs=1e-3)


def test_what_draws_are_fitted_by_is_what_the_law_is_fitted_by() -> None:
    rng = np.random.default_rng(0)
    noisy = PowerLaw(0.3, 1.5, 0.6).error(SIZES) + rng.normal(0, 0.01, (20, 6))
    each = np.stack([fit(SIZES, one).error(GRID) for one in noisy])
    assert drawn_errors(SIZES, noisy, GRID) == pytest.approx(each, abs=2e-3)


def test_three_sizes_are_needed() -> None:
    with pytest.raises(ValueError, match="three parameters need three sizes and more, not 2"):
        fit(SIZES[:2], np.array([0.5, 0.4]))


def test_a_lead_counts_from_where_it_stays() -> None:
    sizes = np.array([10.0, 20.0, 40.0, 80.0])
    assert lead_from(sizes, np.array([1.0, 1.0, 1.0, 1.0])) == 10
    assert lead_from(sizes, np.array([1.0, -1.0, 1.0, 1.0])) == pytest.approx(20 * 2**0.5)
    assert lead_from(sizes, np.array([-1.0, -1.0, -3.0, 1.0])) == pytest.approx(40 * 2**0.75)
    assert lead_from(sizes, np.array([1.0, 1.0, 1.0, 0.0])) == np.inf


def test_a_crossing_has_an_interval_that_may_have_no_end() -> None:
    sizes = np.array([10.0, 20.0, 40.0, 80.0])
    draws = np.array([[-1.0, 1.0, 1.0, 1.0]] * 50 + [[-1.0, -1.0, -1.0, -1.0]] * 50)
    found = crossing(sizes, np.array([-1.0, 1.0, 1.0, 1.0]), draws)
    assert found.n == found.low == pytest.approx(10 * 2**0.5)
    assert (found.high, found.certain) == (np.inf, np.inf)


def test_means_drawn_anew_vary_as_means_of_new_questions_and_seeds_do() -> None:
    """Questions in 40 groups of 3, seeds with noise of their own: the spread over many worlds."""
    rng, labels = np.random.default_rng(0), np.repeat(np.arange(40), 3)
    worlds = [_cell(rng, 0.5, rng.normal(0, 0.2, 40)[labels], seeds=3) for _ in range(400)]
    truth = float(np.std([world.mean() for world in worlds]))
    drawn = [resampled_means([one], labels, 200, seed=i).std() for i, one in enumerate(worlds[:50])]
    assert float(np.sqrt(np.mean(np.square(drawn)))) == pytest.approx(truth, rel=0.1)


def test_cells_of_one_draw_share_their_questions() -> None:
    rng, labels = np.random.default_rng(0), np.arange(50)
    cell = rng.random((1, 50))
    drawn = resampled_means([cell, cell + 0.1], labels, 100)
    assert drawn[:, 1] - drawn[:, 0] == pytest.approx(0.1)


def test_the_interval_of_a_crossing_covers_the_truth_about_as_often_as_it_says() -> None:
    law, level, worlds = PowerLaw(0.35, 1.2, 0.55), 0.48, 300
    truth = ((level - law.a) / law.b) ** (-1 / law.c)
    covered = certain = 0
    for world in range(worlds):
        rng = np.random.default_rng(world)
        labels = np.repeat(np.arange(100), 2)
        difficulty = rng.normal(0, 0.15, 100)[labels]
        tuned = [_cell(rng, 1 - float(law.error(n)), difficulty, seeds=3) for n in SIZES]
        cells = [*tuned, _cell(rng, 1 - level, difficulty, seeds=1)]
        errors = 1 - np.array([cell.mean() for cell in cells])
        drawn = 1 - resampled_means(cells, labels, 400, seed=world)
        lead = errors[-1] - fit(SIZES, errors[:-1]).error(GRID)
        leads = drawn[:, -1:] - drawn_errors(SIZES, drawn[:, :-1], GRID)
        found = crossing(GRID, lead, leads)
        covered += found.low <= truth <= found.high
        certain += found.certain < truth
    assert 0.92 * worlds <= covered <= 0.98 * worlds, covered
    assert certain <= 0.05 * worlds, "a lead was called certain before there was one"


def _cell(rng: np.random.Generator, mean: float, difficulty: Values, seeds: int) -> Values:
    """[seeds, questions]: what a rung scored, with the luck of each seed and of each answer."""
    luck = rng.normal(0, 0.01, (seeds, 1)) if seeds > 1 else 0.0
    return mean + difficulty + luck + rng.normal(0, 0.15, (seeds, len(difficulty)))
