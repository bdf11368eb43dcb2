"""Sets whose truth is known: do the tests and intervals keep what they promise?"""

from __future__ import annotations

import numpy as np
import pytest

from harness.evidence.simulate import CONTRASTS, MEANS, World, coverage, main, quantiles, rates


@pytest.mark.parametrize("world", CONTRASTS, ids=lambda w: w.name)
def test_contrasts_keep_what_they_promise(world: World) -> None:
    """60 draws: wide bounds. `python -m harness.evidence.simulate` draws 4,000."""
    found = rates(world, 60)
    assert found.rejected is None or found.rejected <= 0.14
    assert found.covered >= 0.86
    assert found.power is None or 0.55 <= found.power <= 0.97


@pytest.mark.parametrize("world", MEANS, ids=lambda w: w.name)
def test_intervals_of_a_mean_keep_what_they_promise(world: World) -> None:
    assert coverage(world, 200) >= 0.9


def test_a_test_and_its_interval_agree_in_every_draw() -> None:
    for world in CONTRASTS:
        found = rates(world, 20)
        assert found.rejected is None or found.rejected == pytest.approx(1 - found.covered)


def test_the_noise_of_seeds_is_what_the_world_says() -> None:
    world = World("loud", (1,) * 300, "any size", seeds=(200, None), noise=3.0)
    answers = world.answers(np.random.default_rng(0), np.zeros(300), 200, "any size")
    assert answers.mean(1).std() == pytest.approx(3 * (2 * 0.05 / 300) ** 0.5, rel=0.15)


def test_values_are_of_the_kind_that_the_world_says() -> None:
    world = World("one rung", (1,) * 4000, "graded")
    difficulty = np.random.default_rng(0).normal(0.0, 0.2, 4000)
    for kind in ("right or wrong", "graded", "fields", "near 1"):
        (values,) = world.answers(np.random.default_rng(1), difficulty, None, kind)
        assert np.isin(values, quantiles(kind)).all()
        assert values.mean() == pytest.approx(quantiles(kind).mean(), abs=0.03)


def test_the_simulation_prints_a_line_for_each_kind_of_eval_set(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--draws", "4", "--only", "10 groups of 10"]) == 0
    printed = capsys.readouterr().out
    worlds = [w for w in (*CONTRASTS, *MEANS) if "10 groups of 10" in w.name]
    assert all(word in printed for w in worlds for word in w.name.split())
    assert "16" not in printed
