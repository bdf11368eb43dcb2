"""In worlds of known truth: what each factor adds, and how factors lean on each other."""

from __future__ import annotations

import random
from dataclasses import asdict
from itertools import permutations
from statistics import fmean

import pytest

from harness.analysis.ablation import Ablation, Effect, ablation
from harness.analysis.factorial_cells import FACTORS
from harness.analysis.findings import Findings
from harness.analysis.rungs import RungResult
from harness.evidence.statistics import Interval
from tests.factorial import IDS, N, additive, cells, rung, world

KNOWN = {"constraint": 0.3, "shots": 0.2, "retrieval": 0.15, "tuning": 0.1}


def estimated(rungs: list[RungResult]) -> Ablation:
    found = ablation(rungs)
    assert found is not None
    return found


def by_factor(found: Ablation) -> dict[str, Effect]:
    return {effect.factor: effect for effect in found.effects}


def value(interval: Interval) -> float:
    return interval.value


def width(interval: Interval) -> float:
    assert interval.low is not None and interval.high is not None
    return interval.high - interval.low


def test_where_effects_add_up_each_is_the_same_whatever_else_is_on() -> None:
    found = estimated(world(additive(0.05, **KNOWN)))
    assert list(found.factors) == list(found.varied) == list(FACTORS)
    for factor, effect in by_factor(found).items():
        for one in (effect.alone, effect.average, effect.share, effect.last):
            assert one.value == pytest.approx(KNOWN[factor])
            assert one.n == N
    assert found.gain is not None and found.gain.value == pytest.approx(sum(KNOWN.values()))
    assert len(found.interactions) == 6
    assert [i.difference.value for i in found.interactions] == pytest.approx([0.0] * 6)
    assert [list(cell.on) for cell in (found.cells[0], found.cells[-1])] == [[], list(FACTORS)]
    assert found.complete and found.missing == []


def test_slots_that_stand_in_for_each_other_add_less_together_than_apart() -> None:
    """Examples add 0.2 and passages 0.15, but together 0.1 less than both."""
    found = estimated(world(additive(0.05, **KNOWN, shots_retrieval=-0.1)))
    shots = by_factor(found)["shots"]
    assert shots.alone.value == pytest.approx(0.2)
    assert shots.last.value == pytest.approx(0.1)
    assert shots.average.value == pytest.approx(0.15)
    assert shots.share.value == pytest.approx(0.15), "half of what both take from each other"
    interactions = {one.factors: one.difference.value for one in found.interactions}
    assert interactions.pop(("shots", "retrieval")) == pytest.approx(-0.1)
    assert list(interactions.values()) == pytest.approx([0.0] * 5)


def test_an_interaction_of_three_is_seen_where_all_three_are_on() -> None:
    found = estimated(world(additive(0.05, **KNOWN, shots_retrieval_tuning=0.12)))
    tuning = by_factor(found)["tuning"]
    assert tuning.alone.value == pytest.approx(0.1)
    assert tuning.last.value == pytest.approx(0.22)
    assert tuning.average.value == pytest.approx(0.1 + 0.12 / 4)
    assert tuning.share.value == pytest.approx(0.1 + 0.12 / 3)


@pytest.mark.parametrize("factors", [FACTORS, FACTORS[1:], FACTORS[2:]], ids=len)
def test_shapley_shares_are_the_mean_over_all_orders_and_sum_to_the_gain(
    factors: tuple[str, ...],
) -> None:
    """Against the definition, in a world in which nothing adds up."""
    drawn = random.Random(3)
    chance = {(on, i): drawn.random() for on in cells(factors) for i in range(N)}
    found = estimated(world(lambda on, i: chance[on, i], cells(factors)))
    mean = {on: fmean(chance[on, i] for i in range(N)) for on in cells(factors)}
    for factor, effect in by_factor(found).items():
        added = []
        for order in permutations(factors):
            before = frozenset(order[: order.index(factor)])
            added.append(mean[before | {factor}] - mean[before])
        assert effect.share.value == pytest.approx(fmean(added))
    shares = sum(effect.share.value for effect in found.effects)
    assert found.gain is not None
    assert shares == pytest.approx(found.gain.value, abs=1e-12)
    assert found.gain.value == pytest.approx(mean[frozenset(factors)] - mean[frozenset()])


def test_a_factor_that_changes_nothing_gets_nothing() -> None:
    found = estimated(world(additive(0.05, **{**KNOWN, "tuning": 0.0}, spread=0.0)))
    tuning = by_factor(found)["tuning"]
    for one in (tuning.alone, tuning.average, tuning.share, tuning.last):
        assert one.value == pytest.approx(0.0, abs=1e-12)


def test_what_everything_loses_without_a_slot_is_what_that_adds_last() -> None:
    found = estimated(world(additive(0.05, **KNOWN, shots_tuning=-0.05)))
    last = {effect.factor: effect.last for effect in found.effects}
    assert {one.factor: one.difference for one in found.removed} == last
    tuned = next(one for one in found.removed if one.factor == "tuning")
    assert (tuned.everything, tuned.without) == ("rag_few_shot_lora constrained", "rag constrained")


def test_questions_of_one_group_count_once() -> None:
    """The same answers, each given to five questions of one group: no more is known than before."""
    of = additive(0.05, **KNOWN)
    apart = estimated(world(lambda on, i: of(on, i // 5), group=lambda i: f"q-{i}"))
    together = estimated(world(lambda on, i: of(on, i // 5), group=lambda i: f"g-{i // 5}"))
    for ours, theirs in zip(together.effects, apart.effects, strict=True):
        assert ours.share.value == pytest.approx(theirs.share.value)
        assert width(ours.share) > 1.5 * width(theirs.share)


def test_an_interval_is_about_the_difference_and_not_about_the_cells() -> None:
    """Questions that are hard for every cell widen no difference."""

    def hard(on: frozenset[str], i: int) -> float:
        return additive(0.05, spread=0.001, **KNOWN)(on, i) + (i % 4) * 0.2

    found = estimated(world(hard))
    cell = found.cells[0].value
    assert all(width(effect.share) < width(cell) / 5 for effect in found.effects)


def test_noise_of_training_that_cells_share_is_in_what_tuning_adds_and_in_nothing_else() -> None:
    noise = {0: -0.06, 1: 0.0, 2: 0.06}
    how = {"seeds": list(noise), "noise": noise.__getitem__}
    found = estimated(world(additive(0.05, **KNOWN), **how))  # type: ignore[arg-type]
    quiet = estimated(world(additive(0.05, **KNOWN), seeds=list(noise)))
    ours, theirs = by_factor(found), by_factor(quiet)
    assert ours["tuning"].share.value == pytest.approx(KNOWN["tuning"])
    assert width(ours["tuning"].share) > 1.5 * width(theirs["tuning"].share)
    for factor in ("constraint", "shots", "retrieval"):
        assert width(ours[factor].share) == pytest.approx(width(theirs[factor].share))
    assert (found.seeds, found.one_seed) == ([0, 1, 2], False)


def test_cells_are_compared_on_the_seeds_that_all_of_them_have() -> None:
    of = additive(0.05, **KNOWN)
    noise = {0: 0.0, 1: 0.0, 2: 0.5}.__getitem__
    found = estimated(
        [
            rung(on, of, seeds=(0, 1, 2) if "constraint" in on else (0, 1), noise=noise)
            for on in cells()
        ]
    )
    assert found.seeds == [0, 1]
    assert by_factor(found)["constraint"].share.value == pytest.approx(KNOWN["constraint"])
    shown = {tuple(cell.on): cell.value.value for cell in found.cells}
    for on in cells():
        key = tuple(f for f in FACTORS if f in on)
        assert shown[key] == pytest.approx(fmean(of(on, i) for i in range(N)))


def test_one_seed_is_said_and_what_is_not_random_has_none() -> None:
    found = estimated(world(additive(0.05, **KNOWN)))
    assert (found.seeds, found.one_seed) == ([0], True)
    untuned = estimated(world(additive(0.05, **KNOWN), cells(FACTORS[:3])))
    assert (untuned.seeds, untuned.one_seed) == ([], False)


def test_without_one_cell_the_largest_design_that_is_left_is_told_with_what_is_missing() -> None:
    lost = frozenset({"shots", "tuning"})
    found = estimated(world(additive(0.05, **KNOWN), [on for on in cells() if on != lost]))
    assert found.missing == [["shots", "tuning"]]
    assert not found.complete
    assert (list(found.factors), list(found.always)) == (
        ["shots", "retrieval", "tuning"],
        ["constraint"],
    )
    assert len(found.cells) == 8
    assert found.gain is not None
    assert found.gain.value == pytest.approx(sum(KNOWN.values()) - KNOWN["constraint"])
    removed = {one.factor: one.difference.value for one in found.removed}
    assert removed == pytest.approx(KNOWN), "everything was run, and everything but one"


def test_the_ladder_as_it_is_by_default_crosses_nothing() -> None:
    five = [set(), {"shots"}, {"shots", "retrieval"}, {"tuning"}, {"retrieval", "tuning"}]
    constrained = [on | {"constraint"} for on in five]
    assert ablation(world(additive(0.05, **KNOWN), constrained)) is None


def test_two_rungs_that_differ_in_one_slot_need_no_ablation(five: Findings) -> None:
    pair = [{"constraint"}, {"constraint", "tuning"}]
    assert ablation(world(additive(0.05, **KNOWN), pair)) is None
    assert ablation([]) is None
    assert five.ablation is None, "runs that do not tell of slots"


def test_what_tuning_adds_to_everything_cheaper_needs_two_cells_alone() -> None:
    run = [set(), {"shots", "retrieval"}, {"shots", "retrieval", "tuning"}]
    found = estimated(world(additive(0.05, **KNOWN), run))
    assert (list(found.factors), found.gain, list(found.effects)) == ([], None, [])
    assert {one.factor: one.difference.value for one in found.removed} == pytest.approx(
        {"tuning": KNOWN["tuning"]}
    )
    assert len(found.missing) == 5


def test_without_a_grammar_or_a_corpus_the_design_is_of_what_the_task_has() -> None:
    prose = estimated(world(additive(0.05, **KNOWN), cells(FACTORS[1:])))
    assert list(prose.varied) == ["shots", "retrieval", "tuning"]
    assert prose.complete
    bare = [factor for factor in FACTORS if factor != "retrieval"]
    labels = estimated(world(additive(0.05, **KNOWN), cells(bare)))
    assert list(labels.varied) == bare
    assert labels.complete


def test_a_metric_without_a_value_for_single_questions_has_no_ablation() -> None:
    rungs = world(additive(0.05, **KNOWN))
    for each in rungs:
        for run in each.runs:
            del run.scores["accuracy"]
    assert ablation(rungs) is None


def test_an_ablation_is_plain_data() -> None:
    plain = asdict(estimated(world(additive(0.05, **KNOWN))))
    assert plain["effects"][0]["factor"] == "constraint"
    assert plain["effects"][0]["share"]["n"] == len(IDS)
    assert plain["instructions"] == {"untuned": ["full"], "tuned": ["short"]}
