"""Drawn worlds: the advice keeps what it promises."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.simulate import KINDS, draw, judged, main, shares


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [50, 400])
def test_advice_is_rarely_wrong(kind: str, n: int) -> None:
    """80 worlds: wide bounds. `python -m harness.analysis.simulate` draws 1,000."""
    found = shares(kind, n, 80)
    assert found["wrong"] + found["needless"] <= 0.1
    assert sum(found.values()) == pytest.approx(1.0)


def test_more_questions_decide_more() -> None:
    few, many = (shares(KINDS[0], n, 60, margin=0.05) for n in (50, 800))
    assert many["undecided"] < few["undecided"], "or at least safe"
    assert many["right"] > few["right"]


@pytest.mark.parametrize("graded", [False, True])
def test_a_rung_scores_what_the_world_says(graded: bool) -> None:
    rng = np.random.default_rng(0)
    world = draw(KINDS[0], 0.02, rng)
    world = type(world)(
        **{**vars(world), "graded": graded, "seed_noise": 0.0, "seeds": (None,) * 7}
    )
    case = world.case(20_000, 0.02, rng)
    for candidate, truth in zip(case.candidates, world.truth, strict=True):
        assert candidate.mean == pytest.approx(truth, abs=0.015)


def test_the_same_seed_is_the_same_world() -> None:
    assert judged(KINDS[0], 100, 0.02, 3) == judged(KINDS[0], 100, 0.02, 3)


def test_the_table_has_a_line_for_each_kind_and_size(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--worlds", "2", "--sizes", "50", "60"]) == 0
    lines = [
        line for line in capsys.readouterr().out.splitlines() if " 50 " in line or " 60 " in line
    ]
    assert len(lines) == 2 * len(KINDS)
