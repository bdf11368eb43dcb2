"""Paired comparisons, against the libraries' own numbers and against sets whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_rel
from statsmodels.stats.multitest import multipletests

from harness.errors import ConfigError
from harness.evidence.contrasts import Contrast, Contrasts, adjusted, compare
from harness.evidence.simulate import SETTINGS, main, rates

Answers = dict[str, float]


def answers(*values: float) -> Answers:
    return {f"q{i:03d}": float(v) for i, v in enumerate(values)}


def alone(values: Answers) -> dict[str, str]:
    """Every question its own scenario."""
    return {i: i for i in values}


def graded(n: int, shift: float, seed: int = 0) -> tuple[Answers, Answers]:
    rng = np.random.default_rng(seed)
    level = rng.normal(0.5, 0.1, n)
    return answers(*(level + shift + rng.normal(0, 0.1, n))), answers(
        *(level + rng.normal(0, 0.1, n))
    )


def test_right_or_wrong_is_tested_by_mcnemar_exactly() -> None:
    a, b = answers(*[1] * 12, *[0] * 3, *[1] * 20), answers(*[0] * 12, *[1] * 3, *[1] * 20)
    contrast = compare("a", "b", "accuracy", [a], [b], alone(a))
    assert contrast.test == "exact McNemar"
    assert contrast.p == pytest.approx(binomtest(3, 15).pvalue)
    assert (len(contrast.improved), len(contrast.worsened)) == (12, 3)
    assert contrast.delta.value == pytest.approx(9 / 35)


def test_graded_values_agree_with_the_paired_t_test() -> None:
    a, b = graded(80, 0.04)
    contrast = compare("a", "b", "fields", [a], [b], alone(a))
    reference = ttest_rel(list(a.values()), list(b.values()))
    assert contrast.test == "paired permutation"
    assert contrast.p == pytest.approx(reference.pvalue, abs=0.01)
    low, high = reference.confidence_interval()
    assert contrast.delta.low == pytest.approx(low, abs=0.005)
    assert contrast.delta.high == pytest.approx(high, abs=0.005)


def test_questions_of_one_scenario_count_as_one_piece_of_evidence() -> None:
    a, b = graded(20, 0.05)
    copies = 10
    many_a = {f"{i}-{c}": v for i, v in a.items() for c in range(copies)}
    many_b = {f"{i}-{c}": v for i, v in b.items() for c in range(copies)}
    scenario = {i: i.split("-")[0] for i in many_a}
    once = compare("a", "b", "fields", [a], [b], alone(a))
    grouped = compare("a", "b", "fields", [many_a], [many_b], scenario)
    naive = compare("a", "b", "fields", [many_a], [many_b], alone(many_a))
    assert grouped.p == pytest.approx(once.p, abs=0.01)
    assert grouped.detectable == pytest.approx(once.detectable)
    assert grouped.delta.low == pytest.approx(once.delta.low, abs=0.005)
    assert naive.p < grouped.p
    assert (grouped.groups, naive.groups) == (20, 200)


def test_no_difference_at_all_is_neither_significant_nor_called_equal() -> None:
    a = answers(1, 0, 1)
    contrast = adjusted([compare("a", "b", "accuracy", [a], [a], alone(a))])[0]
    assert (contrast.p, contrast.verdict) == (1.0, "no detectable difference")


def test_equivalence_needs_a_margin_and_enough_evidence() -> None:
    a, b = graded(400, 0.0)
    wide = adjusted([compare("a", "b", "fields", [a], [b], alone(a), margin=0.05)])[0]
    assert wide.verdict == "equivalent"
    narrow = adjusted([compare("a", "b", "fields", [a], [b], alone(a), margin=0.001)])[0]
    assert narrow.verdict == "no detectable difference"


def test_seeds_widen_the_interval_by_their_own_noise() -> None:
    a, b = graded(200, 0.05)
    shifted = [{i: v + noise for i, v in a.items()} for noise in (-0.04, 0.0, 0.04)]
    one = compare("a", "b", "fields", [a], [b], alone(a))
    three = compare("a", "b", "fields", shifted, [b], alone(a))
    assert three.delta.value == pytest.approx(one.delta.value)
    assert three.delta.low < one.delta.low  # type: ignore[operator]
    assert (one.seeds, three.seeds, three.delta.method) == (
        1,
        1,
        "bootstrap of seeds and questions",
    )


def test_rungs_that_did_not_answer_the_same_questions_are_not_compared() -> None:
    with pytest.raises(ValueError, match="a and b did not answer the same questions"):
        compare("a", "b", "accuracy", [answers(1, 0)], [answers(1)], alone(answers(1, 0)))


def test_a_family_is_corrected_by_holm() -> None:
    a, b = graded(60, 0.03)
    one = compare("a", "b", "fields", [a], [b], alone(a))
    family = adjusted([replace(one, p=p) for p in (0.01, 0.04, 0.03)])
    assert [c.p_adjusted for c in family] == pytest.approx(
        multipletests([0.01, 0.04, 0.03], method="holm")[1]
    )
    assert [c.verdict for c in family] == [
        "better", "no detectable difference", "no detectable difference",
    ]  # fmt: skip
    assert adjusted([]) == []


def test_a_worse_rung_is_called_worse() -> None:
    a, b = graded(100, -0.1)
    contrast: Contrast = adjusted([compare("a", "b", "fields", [a], [b], alone(a))])[0]
    assert contrast.verdict == "worse"


def test_every_other_rung_is_compared_with_each_declared_baseline_once() -> None:
    rungs = {name: name for name in ("prompt", "few_shot", "rag", "lora")}
    pairs = Contrasts(["prompt", "rag"], False, None).pairs(rungs, {"lora": "few_shot"})
    assert pairs == [
        ("few_shot", "prompt"),
        ("rag", "prompt"),
        ("lora", "prompt"),
        ("few_shot", "rag"),
        ("lora", "rag"),
    ]
    assert Contrasts(["nothing"], False, None).pairs(rungs, {}) == []


def test_a_tuned_rung_is_compared_with_the_best_untuned_one_and_with_none_twice() -> None:
    rungs = {name: name for name in ("prompt", "few_shot", "lora")}
    declared = Contrasts(["prompt"], True, None)
    assert declared.pairs(rungs, {"lora": "few_shot"}) == [
        ("few_shot", "prompt"),
        ("lora", "prompt"),
        ("lora", "few_shot"),
    ]
    assert declared.pairs(rungs, {"lora": "prompt"}) == [("few_shot", "prompt"), ("lora", "prompt")]


def test_a_margin_that_is_no_share_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"contrasts\.margin=2: must be between 0 and 1"):
        Contrasts(["prompt"], True, 2)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.name)
def test_tests_and_intervals_keep_what_they_promise(setting) -> None:  # type: ignore[no-untyped-def]
    """200 draws: wide bounds. docs/experiments.md has 4,000."""
    found = rates(setting, 200)
    assert found.rejected < 0.10
    assert 0.90 <= found.covered <= 0.99
    assert found.power is None or 0.70 <= found.power <= 0.90


def test_the_simulation_prints_a_line_for_each_kind_of_eval_set(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--draws", "4"]) == 0
    printed = capsys.readouterr().out
    assert all(setting.name.split(",")[0] in printed for setting in SETTINGS)
