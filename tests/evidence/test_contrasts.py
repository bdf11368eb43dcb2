"""Paired comparisons, against the libraries' own numbers and against sets whose truth is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_1samp, ttest_ind, ttest_rel
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import ttost_paired

from harness.errors import ConfigError
from harness.evidence.contrasts import Contrast, Contrasts, Side, adjusted, compare

Answers = dict[str, float]


def answers(*values: float) -> Answers:
    return {f"q{i:03d}": float(v) for i, v in enumerate(values)}


def alone(values: Answers) -> dict[str, str]:
    """Every question its own scenario."""
    return {i: i for i in values}


def one(rung: str, values: Answers) -> Side:
    """A single run of a rung that is not random."""
    return Side(rung, [values], random=False)


def seeds(rung: str, *runs: Answers) -> Side:
    return Side(rung, runs, random=True)


def shifted(values: Answers, *shifts: float) -> list[Answers]:
    """What seeds would answer that differ from each other on all questions alike."""
    return [{i: v + shift for i, v in values.items()} for shift in shifts]


def graded(n: int, shift: float, seed: int = 0) -> tuple[Answers, Answers]:
    rng = np.random.default_rng(seed)
    level = rng.normal(0.5, 0.1, n)
    return answers(*(level + shift + rng.normal(0, 0.1, n))), answers(
        *(level + rng.normal(0, 0.1, n))
    )


def test_right_or_wrong_is_tested_by_mcnemar_exactly() -> None:
    a, b = answers(*[1] * 12, *[0] * 3, *[1] * 20), answers(*[0] * 12, *[1] * 3, *[1] * 20)
    contrast = compare(one("a", a), one("b", b), "accuracy", alone(a))
    assert contrast.test == "exact McNemar"
    assert contrast.p == pytest.approx(binomtest(3, 15).pvalue)
    assert contrast.p == pytest.approx(mcnemar([[20, 12], [3, 0]], exact=True).pvalue)
    assert (len(contrast.improved), len(contrast.worsened)) == (12, 3)
    assert contrast.delta.value == pytest.approx(9 / 35)


def test_graded_values_agree_with_the_paired_t_test() -> None:
    a, b = graded(80, 0.04)
    contrast = compare(one("a", a), one("b", b), "fields", alone(a))
    reference = ttest_rel(list(a.values()), list(b.values()))
    assert contrast.test == "paired permutation"
    assert contrast.p == pytest.approx(reference.pvalue, abs=0.01)
    low, high = reference.confidence_interval()
    assert contrast.delta.low == pytest.approx(low, abs=0.005)
    assert contrast.delta.high == pytest.approx(high, abs=0.005)


def test_few_questions_are_exchanged_in_every_way_there_is() -> None:
    a, b = graded(8, 0.05)
    d = np.array(list(a.values())) - list(b.values())
    means = [abs(np.mean(d * signs)) for signs in product((1, -1), repeat=8)]
    contrast = compare(one("a", a), one("b", b), "fields", alone(a))
    assert contrast.p == pytest.approx(np.mean(np.array(means) >= abs(d.mean()) - 1e-12))


def test_equivalence_and_what_is_detectable_are_those_of_the_paired_t_test() -> None:
    a, b = graded(80, 0.0)
    x, y = np.array(list(a.values())), np.array(list(b.values()))
    contrast = compare(one("a", a), one("b", b), "fields", alone(a), margin=0.05)
    assert contrast.equivalent == pytest.approx(ttost_paired(x, y, -0.05, 0.05)[0], abs=0.001)
    effect = TTestPower().solve_power(nobs=80, alpha=0.05, power=0.8)
    assert contrast.detectable == pytest.approx(effect * np.std(x - y, ddof=1), rel=1e-3)


def test_questions_of_one_scenario_count_as_one_piece_of_evidence() -> None:
    a, b = graded(20, 0.05)
    copies = 10
    many_a = {f"{i}-{c}": v for i, v in a.items() for c in range(copies)}
    many_b = {f"{i}-{c}": v for i, v in b.items() for c in range(copies)}
    scenario = {i: i.split("-")[0] for i in many_a}
    once = compare(one("a", a), one("b", b), "fields", alone(a))
    grouped = compare(one("a", many_a), one("b", many_b), "fields", scenario)
    naive = compare(one("a", many_a), one("b", many_b), "fields", alone(many_a))
    assert grouped.p == pytest.approx(once.p, abs=0.01)
    assert grouped.detectable == pytest.approx(once.detectable)
    assert grouped.delta.low == pytest.approx(once.delta.low, abs=0.005)
    assert naive.p < grouped.p
    assert (grouped.groups, naive.groups) == (20, 200)


def test_no_difference_at_all_is_neither_significant_nor_called_equal() -> None:
    a = answers(1, 0, 1)
    contrast = adjusted([compare(one("a", a), one("b", a), "accuracy", alone(a))])[0]
    assert (contrast.p, contrast.verdict) == (1.0, "no detectable difference")


def test_equivalence_needs_a_margin_and_enough_evidence() -> None:
    a, b = graded(400, 0.0)
    wide = adjusted([compare(one("a", a), one("b", b), "fields", alone(a), margin=0.05)])[0]
    assert wide.verdict == "equivalent"
    narrow = adjusted([compare(one("a", a), one("b", b), "fields", alone(a), margin=0.001)])[0]
    assert narrow.verdict == "no detectable difference"


def test_the_same_answers_are_equal_only_if_there_are_enough_of_them() -> None:
    """If 5% of questions differed, 20 alike would be drawn 36% of the time, and 100 hardly ever."""
    few, many = answers(*[1.0] * 20), answers(*[1.0] * 100)
    found = [compare(one("a", x), one("b", x), "x", alone(x), margin=0.05) for x in (few, many)]
    assert [c.equivalent for c in found] == pytest.approx([0.95**20, 0.95**100])
    assert [c.verdict for c in adjusted(found)] == ["no detectable difference", "equivalent"]


def test_one_scenario_proves_nothing() -> None:
    a, b = graded(20, 0.5)
    contrast = compare(one("a", a), one("b", b), "fields", dict.fromkeys(a, "s"), margin=0.1)
    assert (contrast.p, contrast.delta.low, contrast.detectable) == (1.0, None, np.inf)
    assert contrast.equivalent == 0.5


def test_where_questions_add_no_noise_seeds_are_compared_by_welch_s_t_test() -> None:
    level, _ = graded(50, 0.0)
    ours, theirs = [0.30, 0.36, 0.31], [0.20, 0.29, 0.24, 0.22]
    contrast = compare(
        seeds("a", *shifted(level, *ours)), seeds("b", *shifted(level, *theirs)), "x", alone(level)
    )
    reference = ttest_ind(ours, theirs, equal_var=False)
    assert contrast.test == "Student's t (Satterthwaite)"
    assert contrast.p == pytest.approx(reference.pvalue)
    assert (contrast.delta.low, contrast.delta.high) == pytest.approx(
        tuple(reference.confidence_interval())
    )
    assert contrast.seeds == (3, 4)


def test_a_baseline_without_randomness_has_no_noise_of_seeds() -> None:
    level, _ = graded(50, 0.0)
    ours = [0.01, 0.07, 0.04]
    contrast = compare(seeds("a", *shifted(level, *ours)), one("b", level), "x", alone(level))
    reference = ttest_1samp(ours, 0.0)
    assert contrast.p == pytest.approx(reference.pvalue)
    assert contrast.delta.low == pytest.approx(reference.confidence_interval().low)
    assert (contrast.seeds, contrast.seed_noise_measured) == ((3, None), True)


def test_seeds_without_noise_add_nothing_to_the_paired_t_test() -> None:
    a, b = graded(80, 0.04)
    contrast = compare(seeds("a", a, a, a), one("b", b), "fields", alone(a))
    reference = ttest_rel(list(a.values()), list(b.values()))
    assert contrast.p == pytest.approx(reference.pvalue)
    assert contrast.delta.low == pytest.approx(reference.confidence_interval().low)


def test_the_noise_of_seeds_widens_everything() -> None:
    a, b = graded(200, 0.05)
    single = compare(one("a", a), one("b", b), "fields", alone(a), margin=0.1)
    three = compare(
        seeds("a", *shifted(a, -0.02, 0.0, 0.02)), one("b", b), "fields", alone(a), margin=0.1
    )
    assert three.delta.value == pytest.approx(single.delta.value)
    assert three.delta.low < single.delta.low  # type: ignore[operator]
    assert three.detectable > 1.5 * single.detectable
    assert three.p > single.p
    assert three.equivalent > single.equivalent  # type: ignore[operator]


def test_a_test_and_its_interval_never_contradict_each_other_over_seeds() -> None:
    for seed in range(40):
        a, b = graded(30, 0.03, seed)
        side = seeds("a", *shifted(a, *np.random.default_rng(seed).normal(0, 0.02, 3)))
        contrast = compare(side, one("b", b), "fields", alone(a))
        low, high = contrast.delta.low, contrast.delta.high
        assert (contrast.p < 0.05) == (not low <= 0.0 <= high)  # type: ignore[operator]


def test_a_random_rung_with_one_seed_is_said_to_be_unmeasured() -> None:
    a, b = graded(30, 0.05)
    contrast = compare(seeds("a", *shifted(a, 0.0, 0.01)), seeds("b", b), "fields", alone(a))
    assert (contrast.seeds, contrast.one_seed) == ((2, 1), ("b",))
    assert not contrast.seed_noise_measured
    assert compare(one("a", a), one("b", b), "fields", alone(a)).seed_noise_measured


def test_seeds_that_agree_on_everything_are_counted_by_question() -> None:
    """No variance: Student's t would divide by 0 and be certain."""
    right, wrong = answers(*[1] * 5), answers(*[0] * 5)
    contrast = compare(seeds("a", right, right), one("b", wrong), "accuracy", alone(right))
    assert (contrast.test, contrast.p) == ("exact McNemar", 2 / 2**5)


def test_a_few_questions_of_many_are_no_proof_over_seeds_either() -> None:
    """Student's t would say 0.02; six differences fall on one side by chance 1 time in 32."""
    wrong = answers(*[0] * 300)
    right = wrong | {f"q{i:03d}": 1.0 for i in range(5)}
    more = right | {"q200": 1.0}
    contrast = compare(seeds("a", right, right, more), one("b", wrong), "x", alone(wrong))
    assert contrast.p == pytest.approx(2 / 2**6)


def test_the_mean_of_equal_answers_is_no_change() -> None:
    a = answers(0.1, 0.7)  # (0.1 + 0.1 + 0.1) / 3 is not 0.1
    assert compare(seeds("a", a, a, a), one("b", a), "fields", alone(a)).identical


def test_a_rung_without_randomness_has_one_run() -> None:
    with pytest.raises(ValueError, match="prompt has 2 runs, but nothing random in it"):
        Side("prompt", [answers(1), answers(1)], random=False)


def test_rungs_that_did_not_answer_the_same_questions_are_not_compared() -> None:
    with pytest.raises(ValueError, match="b did not answer the 2 questions"):
        compare(one("a", answers(1, 0)), one("b", answers(1)), "accuracy", alone(answers(1, 0)))


def test_a_family_is_corrected_by_holm() -> None:
    a, b = graded(60, 0.03)
    single = compare(one("a", a), one("b", b), "fields", alone(a))
    family = adjusted([replace(single, p=p) for p in (0.01, 0.04, 0.03)])
    assert [c.p_adjusted for c in family] == pytest.approx(
        multipletests([0.01, 0.04, 0.03], method="holm")[1]
    )
    assert [c.verdict for c in family] == [
        "better", "no detectable difference", "no detectable difference",
    ]  # fmt: skip
    assert adjusted([]) == []


def test_in_a_family_what_is_detectable_is_at_the_level_of_holms_first_step() -> None:
    a, b = graded(80, 0.0)
    single = compare(one("a", a), one("b", b), "fields", alone(a))
    family = adjusted([single, single, single])
    assert (single.family, single.level) == (1, pytest.approx(0.05))
    assert [c.level for c in family] == pytest.approx([0.05 / 3] * 3)
    effect = TTestPower().solve_power(nobs=80, alpha=0.05 / 3, power=0.8)
    spread = np.std(np.array(list(a.values())) - list(b.values()), ddof=1)
    assert [c.detectable for c in family] == pytest.approx([effect * spread] * 3, rel=1e-3)


def families() -> Iterator[list[Contrast]]:
    """Families of four with differences that are hard to tell from none: of every kind of test."""
    for draw in range(12):
        rng = np.random.default_rng(draw)
        a, _ = graded(40, 0.0, draw)
        grouped = {i: str(int(i[1:]) // 3) for i in a}
        worse = [
            {i: v - shift + rng.normal(0, 0.1) for i, v in a.items()} for shift in (0.03, 0.05)
        ]
        right = {i: float(v > 0.5) for i, v in a.items()}
        wrong = {i: v * float(rng.random() > 0.2) for i, v in right.items()}
        yield adjusted(
            [
                compare(one("a", a), one("b", worse[0]), "x", alone(a), margin=0.1),
                compare(one("a", a), one("b", worse[1]), "x", grouped, margin=0.1),
                compare(one("a", right), one("b", wrong), "x", alone(a), margin=0.1),
                compare(seeds("a", a, *shifted(a, 0.01)), one("b", worse[0]), "x", alone(a)),
            ]
        )


def test_an_interval_leaves_out_0_exactly_if_the_corrected_test_rejects() -> None:
    found = [c for family in families() for c in family]
    rejected = [c.p_adjusted < 0.05 for c in found]
    assert [not c.delta.low <= 0.0 <= c.delta.high for c in found] == rejected  # type: ignore[operator]
    assert 0.2 < np.mean(rejected) < 0.8
    assert len({round(c.step, 4) for c in found}) == 4, "every step of Holm's is among them"


def test_the_interval_at_the_first_step_is_the_widest() -> None:
    a, b = graded(60, 0.03)
    single = compare(one("a", a), one("b", b), "fields", alone(a))
    family = adjusted([single, single, single])
    assert [c.step for c in family] == pytest.approx([0.05 / 3] * 3)
    assert family[0].delta.low < single.delta.low  # type: ignore[operator]
    reference = ttest_rel(list(a.values()), list(b.values())).confidence_interval(1 - 0.05 / 3)
    assert family[0].delta.low == pytest.approx(reference.low, abs=0.003)


def test_equivalent_is_what_has_its_interval_within_the_margin() -> None:
    found = [c for family in families() for c in family if c.equivalent is not None]
    open_ones = [c for c in found if c.p_adjusted >= 0.05]
    within = [c.delta.low > -0.1 and c.delta.high < 0.1 for c in open_ones]  # type: ignore[operator]
    assert [c.verdict == "equivalent" for c in open_ones] == within
    assert 0 < sum(within) < len(within)


def test_where_groups_are_too_few_for_any_p_nothing_is_detectable() -> None:
    """Five groups fall on one side by chance 1 time in 16."""
    a, b = graded(20, 0.5)
    contrast = compare(one("a", a), one("b", b), "x", {i: str(n % 5) for n, i in enumerate(a)})
    assert (contrast.p, contrast.detectable) == (2 / 2**5, np.inf)
    assert contrast.delta.low is None


def test_a_worse_rung_is_called_worse() -> None:
    a, b = graded(100, -0.1)
    contrast: Contrast = adjusted([compare(one("a", a), one("b", b), "fields", alone(a))])[0]
    assert contrast.verdict == "worse"


def test_every_other_rung_is_compared_with_each_declared_baseline_once() -> None:
    rungs = {name: name for name in ("prompt", "few_shot", "rag", "lora")}
    pairs = Contrasts(["prompt", "rag"], False, [], None).declared(rungs, {"lora": "few_shot"})
    assert pairs == [
        ("few_shot", "prompt"),
        ("rag", "prompt"),
        ("lora", "prompt"),
        ("few_shot", "rag"),
        ("lora", "rag"),
    ]
    assert Contrasts(["nothing"], False, [], None).declared(rungs, {}) == []


def test_a_tuned_rung_is_compared_with_the_best_untuned_one_and_with_none_twice() -> None:
    rungs = {name: name for name in ("prompt", "few_shot", "lora")}
    declared = Contrasts(["prompt"], True, [], None)
    assert declared.declared(rungs, {"lora": "few_shot"}) == [
        ("few_shot", "prompt"),
        ("lora", "prompt"),
        ("lora", "few_shot"),
    ]
    assert declared.declared(rungs, {"lora": "prompt"}) == [
        ("few_shot", "prompt"),
        ("lora", "prompt"),
    ]


def test_a_margin_that_is_no_share_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"contrasts\.margin=2: must be less than 1"):
        Contrasts(["prompt"], True, [], 2)


def test_declared_pairs_are_compared_where_both_rungs_ran_and_none_twice() -> None:
    rungs = {name: name for name in ("prompt", "rag", "lora", "rag_lora")}
    pairs = [["rag_lora", "lora"], ["rag_lora", "rag"], ["rag", "few_shot"]]
    declared = Contrasts([], False, pairs, None)
    assert declared.declared(rungs, {}) == [("rag_lora", "lora"), ("rag_lora", "rag")]
    assert declared.declared({"rag": "rag"}, {}) == []
    both = Contrasts(["rag"], True, pairs, None)
    assert both.declared(rungs, {"lora": "rag", "rag_lora": "rag"}) == [
        ("prompt", "rag"),
        ("lora", "rag"),
        ("rag_lora", "rag"),
        ("rag_lora", "lora"),
    ]


def test_a_pair_is_about_every_line_of_its_rungs() -> None:
    rungs = {"lora": "lora", "rag_lora k=1": "rag_lora", "rag_lora k=2": "rag_lora"}
    declared = Contrasts([], False, [["rag_lora", "lora"]], None)
    assert declared.declared(rungs, {}) == [("rag_lora k=1", "lora"), ("rag_lora k=2", "lora")]


@pytest.mark.parametrize("pair", ["rag_lora", ["lora"], ["lora", "rag", "prompt"]])
def test_a_pair_that_is_none_is_refused(pair: object) -> None:
    with pytest.raises(
        ConfigError,
        match=r"contrasts\.pairs(=rag_lora: must be a list|: .* is not a pair: \[\[rag_lora, lora\]\])",
    ):
        Contrasts([], False, [pair], None)  # type: ignore[list-item]
