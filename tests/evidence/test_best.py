"""Comparisons with the best, against scipy's numbers and in cases that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from harness.evidence.best import Comparisons, compare_all_pairs
from harness.evidence.contrasts import Side


def side(name: str, *values: float) -> Side:
    return Side(name, [{f"q{i:03d}": v for i, v in enumerate(values)}], random=False)


def compared(sides: list[Side], groups: dict[str, str]) -> Comparisons:
    return compare_all_pairs(sides, groups, {"random": 0.02, "b": 0.02})


def alone(n: int) -> dict[str, str]:
    return {f"q{i:03d}": str(i) for i in range(n)}


def right(name: str, count: int, n: int = 200) -> Side:
    """The first `count` of n answers are right."""
    return side(name, *[1.0] * count, *[0.0] * (n - count))


def test_an_interval_is_that_of_student_with_the_error_shared_out_over_the_others() -> None:
    rng = np.random.default_rng(0)
    a, b, c = (rng.normal(0.5, 0.1, 60) for _ in range(3))
    pair = compared([side("a", *a), side("b", *b), side("c", *c)], alone(60)).pair("b", "a")
    error = np.std(b - a, ddof=1) / 60**0.5 * (63 / 59) ** 0.5  # 59 of 60 are unlike the first
    half = t.ppf(1 - 0.025 / 2, 59) * error
    assert pair.difference.value == pytest.approx((b - a).mean())
    assert pair.difference.high == pytest.approx((b - a).mean() + half)
    assert pair.above("a")[0] == -pair.above("b")[0]


def test_a_rung_is_good_enough_where_no_other_can_be_better_by_the_margin() -> None:
    found = compared([right("low", 20), right("high", 190), right("same", 191)], alone(200))
    assert [found.good_enough(key, 0.1) for key in ("low", "high", "same")] == [False, True, True]
    assert found.better("low", 0.1) == ["high", "same"]
    assert found.better("high", 0.1) == []


def test_few_questions_without_a_difference_prove_nothing() -> None:
    def enough(n: int) -> bool:
        return compared([right("a", n, n), right("b", n, n)], alone(n)).good_enough("a", 0.02)

    assert not enough(100)
    assert enough(300)


def test_a_single_group_has_no_interval_and_proves_nothing() -> None:
    one = dict.fromkeys(alone(200), "all of them")
    found = compared([right("a", 10), right("b", 190)], one)
    assert found.pairs[0].difference.low is None
    assert not found.good_enough("b", 0.1)
    assert not found.better("a", 0.1)


def seeded(name: str, *shares: float, n: int = 400) -> Side:
    runs = [{f"q{i:03d}": float(i < share * n) for i in range(n)} for share in shares]
    return Side(name, runs, random=True)


def test_a_single_seed_brings_the_noise_that_is_assumed() -> None:
    still, random = right("still", 200, 400), seeded("random", 0.5)
    pair = compared([still, random], alone(400)).pairs[0]
    assert pair.by_seeds == pytest.approx(0.02**2)
    assert pair.seeds == 1


def test_several_seeds_bring_their_own_noise() -> None:
    still, random = right("still", 200, 400), seeded("random", 0.5, 0.6, 0.7)
    pair = compared([still, random], alone(400)).pairs[0]
    assert pair.by_seeds > 5 * 0.02**2


def test_more_questions_are_as_many_as_the_variance_asks_for() -> None:
    pair = compared([right("a", 100), right("b", 112)], alone(200)).pairs[0]
    more = pair.more(0.02)
    assert more.seeds is None, "nothing is random"
    assert more.questions is not None
    needed = (0.04 / (pair.quantile + 0.8416)) ** 2
    exact = 200 * (pair.by_questions / needed - 1)
    assert exact <= more.questions <= 1.1 * exact


def test_seeds_decide_where_questions_cannot() -> None:
    pair = compared([right("a", 200, 400), seeded("b", 0.45, 0.6)], alone(400)).pairs[0]
    more = pair.more(0.3)
    assert more.questions is None
    assert more.seeds
    assert more.seeds >= 1


def test_where_neither_questions_nor_seeds_alone_decide_both_do() -> None:
    pair = compared([right("a", 200, 400), seeded("b", 0.55, 0.6)], alone(400)).pairs[0]
    margin = pair.difference.value - 0.5 * min(pair.by_questions, pair.by_seeds) ** 0.5
    more = pair.more(margin)
    assert more.together
    assert more.questions
    assert more.seeds
    wanted = ((pair.difference.value - margin) / (pair.quantile + 0.8416)) ** 2
    left = pair.by_questions * 400 / (400 + more.questions)
    left += pair.by_seeds * 2 / (2 + more.seeds)
    assert 0.8 * wanted < left <= 1.01 * wanted


def test_a_difference_at_the_margin_is_decided_by_nothing() -> None:
    pair = compared([right("a", 100), right("b", 120)], alone(200)).pairs[0]
    assert pair.more(pair.difference.value).questions is None
