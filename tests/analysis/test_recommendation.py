"""Advice on whole ladders: its outcome, its kind, and every number walked back to findings.json."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.decision import Flaw
from harness.analysis.export import as_json, record
from harness.analysis.findings import Findings, findings
from harness.analysis.problem_kind import Repaired
from harness.analysis.recommendation import Recommendation, recommend
from harness.analysis.runs import read_ladder
from harness.evidence.cost import Prices
from harness.evidence.statistics import Interval
from harness.record.manifest import MODEL_FREE
from harness.record.prices import write_prices
from harness.record.results import RunFolder
from tests.ladders import DECLARED, run
from tests.record.conftest import MANIFEST, TRAINING
from tests.updates import INDEX, READ, TUNED, some, tell

NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
WIDE = DECLARED | {"margin": 0.2}
LEAKS = [{"kind": "text", "split": "train", "pair": {}}] * 3
ALLOWED = MANIFEST["isolation"] | {"leaks": LEAKS, "decision": "allowed"}
FREE = {
    "n": 16, "value": 0.1, "p": 0.0001,
    "difference": {"value": 0.6, "low": 0.4, "high": 0.8, "n": 16, "method": "bootstrap (BCa)"},
}  # fmt: skip


def rung(root: Path, name: str, count: int, **changes: Any) -> RunFolder:
    """`count` of 60 answers are right; a margin of 20 points is declared."""
    about: dict[str, Any] = {"contrasts": WIDE}
    if "lora" in name:
        about |= {"training": TRAINING, "seed": 0}
    if name in MODEL_FREE:
        about |= {"control": {"kind": name, "of": None}}
    return run(root, name, count, **(about | changes))


def ladder(root: Path, prices: Prices | None = None, **counts: int) -> Findings:
    return found(root, [rung(root, name, count) for name, count in counts.items()], prices)


def found(root: Path, folders: list[RunFolder], prices: Prices | None = None) -> Findings:
    if prices:
        write_prices(root / "tickets", prices)
    return findings(read_ladder(folders))


def told(one: Findings) -> Recommendation:
    assert one.recommendation
    return one.recommendation


def inflated(root: Path) -> Findings:
    return found(root, [rung(root, "prompt", 10), rung(root, "few_shot", 50, isolation=ALLOWED)])


def blocked(root: Path) -> Findings:
    idle = rung(root, "lora", 55, training=TRAINING | {"effect": 0.0})
    return found(root, [rung(root, "prompt", 10), idle])


def controls(root: Path) -> Findings:
    """Two points would matter, and four questions are too few to tell the controls apart."""
    counts = {"nearest_answer": 48, "linear_classifier": 52, "prompt": 5}
    narrow = {"contrasts": WIDE | {"margin": 0.02}}
    return found(root, [rung(root, name, count, **narrow) for name, count in counts.items()])


def by_constraint(root: Path) -> Findings:
    return found(root, [rung(root, "prompt", 55, dev_free=FREE), rung(root, "few_shot", 56)])


def misses(root: Path) -> Findings:
    recall = Interval(0.4, 0.3, 0.5, 60, "wilson")
    folders = [rung(root, "prompt", 5), rung(root, "few_shot", 6)]
    rag = rung(root, "rag", 40)
    numbers = rag.read("metrics.json")
    numbers["all"]["recall_at_1"] = vars(recall)
    rag.write("metrics.json", json.dumps(numbers))
    return found(root, [*folders, rag])


def changing(root: Path, updates: float | None = None) -> Findings:
    """An update costs lora a training and 100 labels, rag an index; rag's answers cost more."""
    folders = [
        tell(rung(root, "rag", 10, index=INDEX, labelled=0), some(30, 2, 8), **READ),
        tell(rung(root, "lora", 55, training=TUNED, labelled=400), some(0, 35, 5)),
    ]
    lines = [json.loads(line) for line in (folders[0].path / "predictions.jsonl").open()]
    dear = (json.dumps(line | {"prompt_tokens": 1000 + i}) for i, line in enumerate(lines))
    folders[0].write("predictions.jsonl", "".join(f"{line}\n" for line in dear))
    prices = Prices(0.15, 0.6, 1.2, 0.05, "USD", requests=1_000_000.0, updates=updates)
    return found(root, folders, prices)


VOLUME = Prices(0.15, 0.6, 1.2, 0.05, "EUR", None, 0.5, 20_000.0)
MADE: dict[str, Any] = {
    "tune": lambda root: ladder(root, prompt=5, few_shot=20, lora=55),
    "tune, priced": lambda root: ladder(root, Prices(15.0, 60.0, 1.2, 0.05, "EUR"), prompt=5, lora=55),
    "tune, facts change": changing,
    "do not tune": lambda root: ladder(root, prompt=10, few_shot=55, lora=56),
    "do not tune, it is worse": lambda root: ladder(root, prompt=10, few_shot=55, lora=20),
    "use": lambda root: ladder(root, prompt=10, few_shot=55),
    "use the cheapest": lambda root: ladder(root, prompt=55, few_shot=55),
    "use, with a volume": lambda root: ladder(root, VOLUME, prompt=10, few_shot=55, lora=56),
    "control": lambda root: ladder(root, nearest_answer=55, prompt=56, lora=55),
    "controls": controls,
    "nothing": lambda root: ladder(root, majority=30, prompt=30, few_shot=31),
    "undecided": lambda root: ladder(root, prompt=30, few_shot=38),
    "undecided, seeds": lambda root: ladder(root, prompt=30, few_shot=35, lora=45),
    "inflated": inflated,
    "blocked": blocked,
    "format": by_constraint,
    "retrieval misses": misses,
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "outcome", "advised"),
    [
        ("tune", "tune", "lora"),
        ("do not tune", "use", "few_shot"),
        ("use the cheapest", "use", "prompt"),
        ("control", "control", "nearest_answer"),
        ("controls", "control", "linear_classifier"),
        ("nothing", "nothing", "majority"),
        ("undecided", "undecided", None),
        ("inflated", "inflated", None),
        ("blocked", "blocked", None),
    ],
)
def test_each_outcome(name: str, outcome: str, advised: str | None, tmp_path: Path) -> None:
    one = told(MADE[name](tmp_path))
    assert (one.outcome, one.rung) == (outcome, advised)


@pytest.mark.parametrize("name", list(MADE))
def test_every_number_of_every_sentence_stands_in_the_json(name: str, tmp_path: Path) -> None:
    walk(MADE[name](tmp_path))


def walk(one: Findings) -> None:
    """Every number in the text is one that is told with its place, and stands there."""
    data = json.loads(as_json(record(one)))
    sentences = told(one).sentences
    assert len(sentences) == 3
    assert [s["text"] for s in data["recommendation"]["sentences"]] == [s.text for s in sentences]
    for sentence in sentences:
        assert sentence.numbers, f"no number: {sentence.text}"
        left = re.sub(r"`[^`]*`", "", sentence.text)
        for number in sentence.numbers:
            assert resolved(data, number.at) == number.value, number
            assert number.text in left
            left = left.replace(number.text, "", 1)
        for label in sorted((rung.key for rung in one.rungs), key=len, reverse=True):
            left = left.replace(label, "")
        assert not NUMBER.findall(left), sentence.text


def resolved(data: Any, at: str) -> Any:
    """What a JSON pointer points at."""
    for step in at.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        data = data[int(name)] if isinstance(data, list) else data[name]
    return data


def test_the_sentences_say_what_is_advised_and_by_how_much(tmp_path: Path) -> None:
    first, second, third = (
        s.text for s in told(ladder(tmp_path, prompt=5, few_shot=20, lora=55)).sentences
    )
    assert re.fullmatch(
        r"Tune: lora is 58\.3 points \(\S+ to \S+\) of accuracy above few_shot, the best untuned rung\.",
        first,
    )
    assert second.startswith(
        "It is mostly a problem of behaviour: examples or tuning bring 83.3 points"
    )
    assert third.startswith(
        "Run `seed=0,1,2` before you rely on it: lora ran with one seed, and 1.0 points"
    )


def test_which_of_two_controls_is_best_may_stay_open(tmp_path: Path) -> None:
    first, _, last = (s.text for s in told(MADE["controls"](tmp_path)).sentences)
    assert first == (
        "Use no language model, but linear_classifier: it is 78.3 points (64.2 to 92.4) of accuracy "
        "above prompt, the best rung."
    )
    assert last == (
        "Which control is best is open: linear_classifier is 6.7 points (-3.9 to 17.2) of accuracy above "
        "nearest_answer."
    )


def test_tuning_that_is_no_better_is_advised_against(tmp_path: Path) -> None:
    text = told(MADE["do not tune"](tmp_path)).sentences[0].text
    assert text.startswith("Do not tune: lora, the best tuned rung, is 1.7 points")
    assert text.endswith("above few_shot, which needs no training; 20.0 would not matter.")


def test_undecided_says_what_would_decide(tmp_path: Path) -> None:
    text = told(MADE["undecided, seeds"](tmp_path)).sentences[0].text
    assert re.match(r"Undecided: [\d,]+ more eval questions", text)


def test_a_price_of_tuning_is_the_next_sentence(tmp_path: Path) -> None:
    one = MADE["tune"](tmp_path)
    text = one.checks["lora"][0].text
    gate = Flaw("forgetting", text, "/checks/lora/0/text", "price")
    advice = recommend(one, gates={"lora": [gate]})
    assert advice
    assert advice.sentences[2].text == f"It has a price: lora {text}."


def test_errors_whose_passages_were_not_found_come_first(tmp_path: Path) -> None:
    one = MADE["tune"](tmp_path)
    share = Interval(0.61, 0.5, 0.7, 60, "bootstrap")
    advice = recommend(
        one, repaired={"knowledge/missed": Repaired("knowledge", share, "few_shot", "/somewhere")}
    )
    assert advice
    assert advice.sentences[2].text == (
        "Fix retrieval before you tune: 61.0% of the errors of few_shot are passages that were not found."
    )


def test_a_search_is_not_blamed_where_the_right_passages_did_not_help(tmp_path: Path) -> None:
    one = MADE["retrieval misses"](tmp_path)
    assert told(one).sentences[2].text.startswith("Fix retrieval before you tune")
    share = Interval(0.01, 0.0, 0.06, 60, "bootstrap")
    advice = recommend(
        one, repaired={"knowledge/missed": Repaired("knowledge", share, "rag", "/somewhere")}
    )
    assert advice
    assert "retrieval" not in advice.sentences[2].text


def test_a_diagnosis_that_says_otherwise_stands_beside_the_kind(tmp_path: Path) -> None:
    one = MADE["use"](tmp_path)
    share = Interval(0.6, 0.5, 0.7, 60, "bootstrap")
    for kind in ("knowledge", "behaviour"):
        advice = recommend(one, repaired={kind: Repaired(kind, share, "prompt", "/somewhere")})
        assert advice
        assert advice.kind.name == "behaviour"
        otherwise = advice.sentences[1].text.partition("; but ")[2]
        assert otherwise == (
            "of the errors of prompt the right passages repair most, 60.0% net of chance."
            if kind == "knowledge"
            else ""
        )


def test_a_diagnosis_names_the_kind_where_no_rung_does(tmp_path: Path) -> None:
    one = ladder(tmp_path, prompt=30, few_shot=30)
    assert told(one).kind.name == "unknown"
    share = Interval(0.4, 0.3, 0.5, 60, "bootstrap")
    advice = recommend(
        one, repaired={"knowledge": Repaired("knowledge", share, "few_shot", "/somewhere")}
    )
    assert advice
    assert advice.kind.name == "knowledge"
    assert advice.sentences[1].text.startswith(
        "What is left is mostly knowledge: the right passages repair 40.0%"
    )


def test_what_was_not_measured_is_said_with_its_command(tmp_path: Path) -> None:
    text = told(ladder(tmp_path, prompt=30, few_shot=30)).sentences[1].text
    assert "knowledge: `python -m harness +task=tickets rung=few_shot,rag`" in text


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("format", "format"),
        ("retrieval misses", "knowledge"),
        ("use", "behaviour"),
        ("nothing", "none"),
    ],
)
def test_the_kind_is_that_of_the_change_that_brings_most(
    name: str, kind: str, tmp_path: Path
) -> None:
    assert told(MADE[name](tmp_path)).kind.name == kind


def test_one_rung_alone_is_no_choice(tmp_path: Path) -> None:
    one = ladder(tmp_path, prompt=30)
    assert one.recommendation is None
    assert record(one)["recommendation"] is None


def test_of_a_curve_over_training_sizes_only_the_largest_is_a_candidate(tmp_path: Path) -> None:
    small = rung(tmp_path, "lora", 30, train="few", labelled=50)
    large = rung(tmp_path, "lora", 50, train="all", labelled=400)
    one = told(found(tmp_path, [rung(tmp_path, "prompt", 10), small, large]))
    assert [c.mean for c in one.decision.ranked] == [10 / 60, 50 / 60]


def test_with_a_volume_the_cheapest_is_what_costs_least_money(tmp_path: Path) -> None:
    one = told(MADE["use, with a volume"](tmp_path))
    totals = [c.total for c in one.decision.ranked]
    assert one.by == "money"
    assert totals == sorted(totals)


def test_updates_that_are_expected_are_paid_by_each_rung(tmp_path: Path) -> None:
    """1.2 an hour for 600 s of training and 0.05 for each of 100 examples: 5.2 an update."""
    once, often = (told(changing(tmp_path, updates)) for updates in (None, 50.0))
    before, after = ({c.key: c.total or 0.0 for c in one.case.candidates} for one in (once, often))
    assert after["lora"] - before["lora"] == pytest.approx(50 * 5.2)
    assert after["rag"] - before["rag"] == pytest.approx(50 * 0.002)
    assert [c.key for c in once.decision.ranked] == ["lora", "rag"]
    assert [c.key for c in often.decision.ranked] == ["rag", "lora"]
    assert (once.updates, often.updates) == (None, 50.0)
    assert re.search(
        r"paid back after [\d,]+ requests and [\d,]+ more for each update\.$",
        often.sentences[0].text,
    )


def test_updates_that_were_not_measured_cost_nothing(tmp_path: Path) -> None:
    expected = Prices(0.15, 0.6, 1.2, 0.05, "USD", requests=1e6, updates=50.0)
    one = told(ladder(tmp_path, expected, prompt=10, lora=55))
    assert (one.by, one.updates) == ("money", None)


def test_the_margin_is_the_declared_one_or_the_rules_own(tmp_path: Path) -> None:
    assert told(ladder(tmp_path, prompt=10, few_shot=50)).case.margin == 0.2
    folders = [run(tmp_path / "own", name, 30) for name in ("prompt", "few_shot")]
    own = told(found(tmp_path / "own", folders))
    assert (own.case.margin, own.margin_declared) == (0.02, False)


def test_whole_ladders_walk_back_too(five: Findings, sixteen: Findings) -> None:
    walk(five)
    walk(sixteen)
