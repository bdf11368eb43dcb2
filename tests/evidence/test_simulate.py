"""Sets whose truth is known: do the tests and intervals keep what they promise?"""

from __future__ import annotations

import numpy as np
import pytest

from harness.evidence.simulate import MEANS, SETTINGS, Setting, coverage, main, rates


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.name)
def test_contrasts_keep_what_they_promise(setting: Setting) -> None:
    """100 draws: wide bounds. `python -m harness.evidence.simulate` draws 4,000."""
    found = rates(setting, 100)
    assert found.rejected <= 0.12
    assert found.covered >= 0.88
    assert found.power is None or 0.65 <= found.power <= 0.93


@pytest.mark.parametrize("setting", MEANS, ids=lambda s: s.name)
def test_intervals_of_a_mean_keep_what_they_promise(setting: Setting) -> None:
    assert coverage(setting, 100) >= 0.88


def test_the_noise_of_seeds_is_what_the_setting_says() -> None:
    setting = Setting("loud", 300, 1, graded=True, seeds=(200, None), noise=3.0)
    means = setting.answers(np.random.default_rng(0), np.zeros(300), 200).mean(1)
    assert means.std() == pytest.approx(3 * (2 * 0.05 / 300) ** 0.5, rel=0.15)


def test_the_simulation_prints_a_line_for_each_kind_of_eval_set(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--draws", "4"]) == 0
    printed = capsys.readouterr().out
    words = " ".join(s.name for s in (*SETTINGS, *MEANS)).split()
    assert all(word in printed for word in words)
