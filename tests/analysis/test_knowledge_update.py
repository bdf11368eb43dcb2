"""Who follows, who stays, who is lost, and what an update costs."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.export import as_json, record
from harness.analysis.findings import Findings, findings
from harness.analysis.knowledge_update import KnowledgeUpdate, RungUpdate, outcome
from harness.analysis.runs import read_ladder
from harness.analysis.update_costs import VOLUME, UpdatePayoff
from harness.task import Example
from tests.conftest import ROOT
from tests.ladders import five, run
from tests.updates import (
    CHANGED,
    FOLLOWS,
    IDS,
    INDEX,
    LOST,
    READ,
    STAYS,
    TUNED,
    question,
    some,
    tell,
    updated,
)

__all__ = ["five", "updated"]


def update_of(found: Findings) -> KnowledgeUpdate:
    assert found.knowledge_update
    return found.knowledge_update


def of(found: Findings, rung: str) -> RungUpdate:
    (one,) = (one for one in update_of(found).rungs if one.rung == rung)
    return one


def shares(one: RungUpdate) -> list[float]:
    facts = one.facts
    assert facts
    return [i.value for i in (facts.before, facts.follows, facts.stays, facts.neither)]


def test_a_ladder_that_was_not_asked_has_none(five: Findings) -> None:
    assert five.knowledge_update is None
    assert record(five)["knowledge_update"] is None


@pytest.mark.parametrize(
    ("new", "old", "said"),
    [
        (1.0, 0.0, "follows"), (0.0, 1.0, "stays"), (0.0, 0.0, "neither"),
        (1.0, 1.0, "neither"), (0.7, 0.4, "follows"), (0.4, 0.7, "stays"), (0.4, 0.1, "neither"),
    ],
)  # fmt: skip
def test_an_answer_follows_the_fact_that_it_is_nearer_to_if_it_is_near_at_all(
    new: float, old: float, said: str
) -> None:
    assert outcome(new, old) == said


def test_new_old_and_neither_are_counted_apart_and_make_the_whole(updated: Findings) -> None:
    assert shares(of(updated, "rag")) == [1.0, 0.75, 0.05, 0.2]
    assert shares(of(updated, "lora")) == [1.0, 0.0, 0.875, 0.125]
    assert shares(of(updated, "prompt")) == [0.0, 0.0, 0.0, 1.0]
    told = update_of(updated)
    assert (told.questions, told.changed, told.measure) == (60, 40, "accuracy")
    rag = of(updated, "rag").facts
    assert rag and rag.follows.low is not None and rag.follows.high is not None
    assert rag.follows.low < 0.75 < rag.follows.high
    assert rag.follows.n == 40


def test_a_question_counts_once_however_many_of_its_facts_changed(tmp_path: Path) -> None:
    two = [question(CHANGED[0], {"code": FOLLOWS, "price": STAYS})]
    one = [question(name, {"code": LOST}) for name in CHANGED[1:4]]
    folder = tell(run(tmp_path, "rag", 40, index=INDEX), some(0, 0, 40), **READ,
                  questions=[*two, *one])  # fmt: skip
    found = of(findings(read_ladder([folder])), "rag")
    assert shares(found) == [1.0, 0.125, 0.125, 0.75]
    assert {name: facts.before.n for name, facts in found.fields.items()} == {"code": 4, "price": 1}
    assert found.fields["price"].stays.value == 1.0


def test_facts_are_told_by_tag_too(tmp_path: Path) -> None:
    folder = tell(run(tmp_path, "rag", 40, index=INDEX), some(30, 10, 0), **READ)
    tags = [{"seen": "yes" if place < 30 else "no"} for place in range(len(IDS))]
    told = [Example(i, i, "red", i, (), tag, "") for i, tag in zip(IDS, tags, strict=True)]
    folder.keep_eval(folder.manifest()["fingerprints"]["eval"], told)
    slices = of(findings(read_ladder([folder])), "rag").slices
    assert slices["seen=yes"].follows.value == slices["seen=no"].stays.value == 1.0
    assert (slices["seen=yes"].follows.n, slices["seen=no"].follows.n) == (30, 10)


def test_groups_are_what_is_drawn_by_chance(tmp_path: Path) -> None:
    def width(groups: int) -> float:
        told = [
            question(name, {"code": FOLLOWS if i % 8 < 4 else LOST}) | {"group": str(i % groups)}
            for i, name in enumerate(CHANGED)
        ]
        folder = tell(run(tmp_path / str(groups), "rag", 40), some(0, 0, 40), questions=told)
        facts = of(findings(read_ladder([folder])), "rag").facts
        assert facts and facts.follows.low is not None and facts.follows.high is not None
        return facts.follows.high - facts.follows.low

    assert width(8) > 1.2 * width(40)


def test_questions_whose_facts_stay_show_what_the_new_index_breaks(tmp_path: Path) -> None:
    worse = [question(i, {"code": FOLLOWS}) for i in CHANGED]
    worse += [question(i, {}, after=0.0 if place < 8 else 1.0) for place, i in enumerate(IDS[40:])]
    folder = tell(run(tmp_path, "rag", 40, index=INDEX), some(40, 0, 0), questions=worse, **READ)
    found = of(findings(read_ladder([folder])), "rag")
    assert found.unchanged and found.kept
    assert (found.unchanged.value, found.kept.value) == (1.0, -0.4)
    assert found.kept.high is not None and found.kept.high < 0
    assert found.score_after.value == pytest.approx(52 / 60)


def test_seeds_of_a_rung_are_averaged_and_their_noise_is_in_the_interval(tmp_path: Path) -> None:
    folders = [
        tell(run(tmp_path, "lora", 35, training=TUNED, seed=seed), some(0, stays, 40 - stays))
        for seed, stays in enumerate((20, 30, 40))
    ]
    three = of(findings(read_ladder(folders)), "lora").facts
    one = of(findings(read_ladder(folders[1:2])), "lora").facts
    assert three and one and three.stays.low is not None and one.stays.low is not None
    assert three.stays.value == pytest.approx(0.75) == one.stays.value
    assert three.stays.value - three.stays.low > one.stays.value - one.stays.low


def test_rungs_that_were_asked_about_another_update_are_left_out_and_named(tmp_path: Path) -> None:
    folders = [
        tell(run(tmp_path, "prompt", 10), some(0, 0, 40)),
        tell(run(tmp_path, "rag", 40, index=INDEX), some(40, 0, 0), **READ),
        tell(run(tmp_path, "lora", 35, training=TUNED, seed=0), some(0, 40, 0), update="v" * 64),
    ]
    told = update_of(findings(read_ladder(folders)))
    assert [one.rung for one in told.rungs] == ["prompt", "rag"]
    assert list(told.left_out) == ["lora*"]


def test_an_update_costs_indexing_training_examples_or_nothing(updated: Findings) -> None:
    """Prices: 1.2 an hour of the machine, 0.05 an example."""
    costs = {one.rung: one.cost for one in update_of(updated).rungs}
    told = {key: (cost.way, cost.seconds, cost.labelled) for key, cost in costs.items()}
    assert told == {
        "prompt": ("none", 0.0, 0.0),
        "few_shot": ("examples", 0.0, 100.0),
        "rag": ("index", 6.0, 0.0),
        "lora": ("train", 600.0, 100.0),
    }
    assert costs["rag"].money == pytest.approx(0.002)
    assert costs["lora"].money == pytest.approx(0.2 + 5.0)


def test_a_rung_that_reads_nothing_has_nothing_to_bring_up_to_date(tmp_path: Path) -> None:
    folder = tell(run(tmp_path, "prompt", 10, labelled=0), some(0, 0, 40))
    cost = of(findings(read_ladder([folder])), "prompt").cost
    assert (cost.way, cost.seconds, cost.labelled, cost.money) == ("none", 0.0, 0.0, None)


def payoff(found: Findings, untuned: str = "rag") -> UpdatePayoff:
    (one,) = (one for one in update_of(found).payoffs if one.untuned == untuned)
    return one


def test_tuning_pays_up_to_so_many_updates(tmp_path: Path) -> None:
    """A saving of s a request and an update that costs e more: s·answers = e at break-even."""
    found = cheaper_tuned(tmp_path)
    (plain,) = (p.break_even for p in found.costs.payoffs if p.untuned == "rag")
    assert plain
    one = payoff(found)
    saving = plain.saving.value
    assert one.extra == pytest.approx(5.2 - 0.002)
    assert one.answers == pytest.approx(one.extra / saving)
    assert one.updates == pytest.approx((VOLUME * saving - plain.extra) / one.extra)
    assert one.low is not None and one.high is not None
    assert one.low <= one.answers <= one.high
    spent = plain.extra + one.updates * one.extra
    assert spent == pytest.approx(VOLUME * saving), "all that was saved is spent"


def cheaper_tuned(root: Path) -> Findings:
    """lora's prompts are shorter than rag's, so that each of its answers costs less."""
    from tests.ladders import priced

    folders = [
        tell(run(root, "rag", 40, index=INDEX), some(30, 2, 8), **READ),
        tell(run(root, "lora", 35, training=TUNED, seed=0), some(0, 35, 5)),
    ]
    lines = [json.loads(line) for line in (folders[0].path / "predictions.jsonl").open()]
    for place, line in enumerate(lines):
        line["prompt_tokens"] = 1000 + place
    folders[0].write("predictions.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    return priced(*folders)


def test_without_a_saving_tuning_never_pays_and_without_prices_nothing_is_said(
    updated: Findings, tmp_path: Path
) -> None:
    one = payoff(updated)  # both answer at the same price
    assert (one.answers, one.updates) == (math.inf, 0.0)
    free = findings(replace(updated.ladder, prices=None))
    assert update_of(free).payoffs == []
    assert {one.cost.money for one in update_of(free).rungs} == {None}


def test_a_fact_that_nobody_was_asked_about_is_said_to_be_none(tmp_path: Path) -> None:
    """As under a small limit."""
    folder = tell(run(tmp_path, "rag", 40, index=INDEX), some(40, 0, 0), **READ,
                  questions=[question(i, {}) for i in IDS])  # fmt: skip
    found = of(findings(read_ladder([folder])), "rag")
    assert (found.facts, found.fields) == (None, {})


def names(told: Any) -> set[str]:
    if isinstance(told, dict):
        return set(told) | {name for value in told.values() for name in names(value)}
    if isinstance(told, list):
        return {name for value in told for name in names(value)}
    return set()


def test_every_field_is_documented_and_exported(updated: Findings) -> None:
    told = json.loads(as_json(record(updated)["knowledge_update"]))
    text = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    assert names(told) - set(re.findall(r"`([^`]+)`", text)) == {"code", "odd=yes"}
    assert told["rungs"][2]["facts"]["follows"]["value"] == 0.75
    assert told["payoffs"][0]["answers"] == "inf"
