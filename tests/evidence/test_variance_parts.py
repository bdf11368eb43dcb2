"""Parts of a variance that were put into it are found again."""

from __future__ import annotations

import numpy as np
import pytest

from harness.evidence.statistics import standard_error
from harness.evidence.variance_parts import VarianceParts, variance_parts

LABELS = np.repeat(np.arange(60), 3)
N = len(LABELS)


def drawn(world: int, question: float, seed: float, answer: float) -> VarianceParts:
    """Of a rung of five seeds against one without, given standard deviations."""
    rng = np.random.default_rng(world)
    base = rng.normal(0, 0.3, N)
    ours = base + rng.normal(0, question, N) + rng.normal(0, seed, (5, 1))
    ours = ours + rng.normal(0, answer, (5, N))
    found = variance_parts(ours, base[None], LABELS, (True, False))
    assert found is not None
    error = standard_error(ours, base[None], LABELS).value
    assert found.error == pytest.approx(error, rel=0.1), "the parts do not add up to the whole"
    return found


def test_each_part_is_what_was_put_in() -> None:
    question, seed, answer = 0.3, 0.02, 0.2
    found = [drawn(world, question, seed, answer) for world in range(300)]
    expected = (question**2 / N, seed**2 / 5, answer**2 / (5 * N))
    measured = [(one.questions, one.seeds, one.answers) for one in found]
    assert np.mean(np.array(measured, dtype=float), axis=0) == pytest.approx(expected, rel=0.15)


def test_what_binds_is_what_more_of_would_help_most() -> None:
    assert drawn(0, question=0.4, seed=0.001, answer=0.01).binds == "questions"
    assert drawn(0, question=0.01, seed=0.1, answer=0.01).binds == "seeds"


def test_more_questions_and_seeds_shrink_their_parts() -> None:
    parts = VarianceParts(questions=4.0, seeds=8.0, answers=4.0)
    assert parts.error == 4.0
    assert parts.with_more(questions=2) == pytest.approx((2 + 8 + 2) ** 0.5)
    assert parts.with_more(seeds=2) == pytest.approx((4 + 4 + 2) ** 0.5)


def test_the_noise_of_one_seed_is_not_known() -> None:
    one = np.random.default_rng(0).random((1, N))
    found = variance_parts(one, np.zeros((1, N)), LABELS, (True, False))
    assert found is not None
    assert (found.seeds, found.binds) == (None, None)
    assert variance_parts(one, np.zeros((1, N)), np.zeros(N, dtype=int), (True, False)) is None


def test_two_equal_rungs_have_no_variance() -> None:
    same = np.ones((1, N))
    found = variance_parts(same, same, LABELS, (False, False))
    assert found is not None
    assert (found.error, found.binds) == (0.0, None)
