"""The rule, outcome by outcome, on answers made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from harness.analysis.decision import Candidate, Case, Decision, Flaw, decide
from harness.evidence.contrasts import Side

N = 200
GROUPS = {f"q{i:03d}": str(i) for i in range(N)}
ORDER = ("majority", "nearest_answer", "linear", "prompt", "few_shot", "rag", "lora")


def candidate(name: str, count: int, **changes: Any) -> Candidate:
    """The first `count` of 200 questions are right."""
    values = {q: float(i < count) for i, q in enumerate(GROUPS)}
    about: dict[str, Any] = {
        "key": name,
        "at": f"/rungs/{name}",
        "side": Side(name, [values], random=name == "lora"),
        "order": (float(ORDER.index(name)),),
        "control": name if name in ORDER[:3] else None,
        "tuned": name == "lora",
    }
    return Candidate(**(about | changes))


def decided(margin: float = 0.1, **counts: int) -> Decision:
    return decide(Case([candidate(k, v) for k, v in counts.items()], GROUPS, margin))


def test_the_cheapest_rung_is_used_that_no_other_can_better_by_the_margin() -> None:
    found = decided(prompt=20, few_shot=180, rag=181, lora=182)
    assert (found.outcome, found.advised and found.advised.key) == ("use", "few_shot")
    assert found.ruled_out == {"prompt": ["few_shot", "rag", "lora"]}


def test_the_best_is_tuned_if_all_that_is_cheaper_is_worse_by_more_than_the_margin() -> None:
    found = decided(prompt=20, few_shot=100, lora=180)
    assert (found.outcome, found.advised and found.advised.key) == ("tune", "lora")


def test_a_control_without_a_model_is_itself_the_advice() -> None:
    found = decided(nearest_answer=180, prompt=20, lora=182)
    assert (found.outcome, found.advised and found.advised.key) == ("control", "nearest_answer")


def test_no_rung_is_advised_where_only_controls_are_left_whichever_of_them_is_best() -> None:
    found = decided(nearest_answer=120, linear=145, prompt=20, lora=60)
    assert (found.outcome, found.advised and found.advised.key) == ("control", "linear")
    assert set(found.ruled_out) == {"prompt", "lora"}
    assert not found.comparisons.better("nearest_answer", 0.1)


def test_nothing_helps_where_the_commonest_answer_is_as_good() -> None:
    assert decided(majority=100, prompt=101, lora=99).outcome == "nothing"


def test_what_cannot_be_told_apart_is_undecided_with_what_would_decide() -> None:
    found = decided(margin=0.02, prompt=100, few_shot=106)
    assert (found.outcome, found.advised, found.rival) == ("undecided", None, "few_shot")
    assert found.more
    assert found.more.questions
    assert found.more.questions > N


def test_what_is_safe_meanwhile_is_the_cheapest_that_is_good_enough() -> None:
    found = decided(margin=0.05, prompt=150, few_shot=170, rag=170)
    assert found.outcome == "undecided"
    assert found.open
    assert found.open.key == "prompt"
    assert found.until
    assert found.until.key == "few_shot"


def test_leaks_that_were_allowed_end_in_no_advice() -> None:
    case = Case([candidate("prompt", 20), candidate("few_shot", 180, leaks=3)], GROUPS, 0.1)
    assert (decide(case).outcome, decide(case).advised) == ("inflated", None)


@pytest.mark.parametrize(
    ("what", "outcome"), [("invalid", "blocked"), ("low", "tune"), ("price", "tune")]
)
def test_only_a_rung_that_is_not_what_it_should_be_is_not_advised(what: Any, outcome: str) -> None:
    flaw = Flaw("a gate", "did something", "/checks/lora/0/text", what)
    case = Case([candidate("prompt", 20), candidate("lora", 180, flaws=[flaw])], GROUPS, 0.1)
    assert decide(case).outcome == outcome


def test_a_declared_contrast_that_found_nothing_rules_nothing_out() -> None:
    pair = frozenset(("prompt", "lora"))
    case = Case([candidate("prompt", 20), candidate("lora", 180)], GROUPS, 0.1, not_shown=[pair])
    found = decide(case)
    assert (found.outcome, found.until and found.until.key) == ("undecided", "lora")


def test_one_seed_can_show_a_large_difference_and_no_small_one() -> None:
    assert decided(margin=0.05, prompt=100, lora=190).outcome == "tune"
    assert decided(margin=0.03, prompt=199, few_shot=200).outcome == "use"
    assert decided(margin=0.03, prompt=199, lora=200).outcome == "undecided"


def test_more_to_choose_among_needs_more_evidence() -> None:
    counts = {"prompt": 160, "few_shot": 180}
    assert decided(0.05, **counts).outcome == "use"
    assert decided(0.05, majority=0, nearest_answer=0, rag=150, **counts).outcome == "undecided"


def test_the_loss_of_choosing_wrong_is_nearly_nothing_where_it_is_clear() -> None:
    clear = [candidate("prompt", 20, total=1.0), candidate("few_shot", 180, total=2.0)]
    close = [candidate("prompt", 180, total=1.0), candidate("few_shot", 182, total=2.0)]
    loss, other = (
        decide(Case(c, GROUPS, 0.1, requests=1000.0, wrong_answer=1.0)).loss for c in (clear, close)
    )
    assert loss
    assert other
    assert loss.answers < 0.01
    assert 1.0 < other.answers < 100.0
    assert other.money
    assert other.money < other.answers, "the dearer one would cost more"
