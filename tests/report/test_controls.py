"""What controls show, in a sentence that follows from the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.evidence.statistics import Interval
from harness.report.controls import Held
from harness.report.findings import findings
from harness.report.ladder import ladder
from tests.record.conftest import TRAINING, complete_run

N = 40


def right(count: int) -> dict[str, str]:
    """Answers of which the first `count` are right."""
    return {f"eval-{i}": "red" if i < count else "blue" for i in range(N)}


def shown(root: Path, rungs: Mapping[str, int], kind: str, score: int, of: str | None) -> Held:
    """One control with `score` right answers beside rungs with theirs."""
    folders = [
        complete_run(root, rung, right(count), training=TRAINING if rung == "lora" else None)
        for rung, count in rungs.items()
    ]
    control = complete_run(root, kind, right(score), control={"kind": kind, "of": of})
    (one,) = findings(ladder([*folders, control])).controls
    return one


@pytest.mark.parametrize(
    ("kind", "of", "score", "text"),
    [
        ("majority", None, 10, "always the commonest answer: lora is 50.0 points above it"),
        ("majority", None, 30, "always the commonest answer: no detectable difference from lora"),
        ("nearest_answer", None, 40,
         "copying the answer of the most similar training example: lora is 25.0 points below it"),
        ("linear_classifier", None, 10,
         "a linear classifier of the training examples: lora is 50.0 points above it"),
        ("random_passages", "rag", 10, "passages at random: retrieval adds 25.0 points"),
        ("random_passages", "rag", 20, "passages at random: retrieval adds nothing detectable"),
        ("random_passages", "rag", 30, "passages at random: retrieval costs 25.0 points"),
        ("oracle_passages", "rag", 40,
         "the right passages, which perfect retrieval would find (ceiling): 50.0 points above rag"),
        ("oracle_passages", "rag", 20,
         "the right passages, which perfect retrieval would find (ceiling): "
         "no detectable difference from rag"),
        ("shuffled_targets", "lora", 20,
         "trained on other examples' targets: 50% of the gain over prompt remains without the "
         "pairing (format and priors)"),
        ("shuffled_targets", "lora", 10,
         "trained on other examples' targets: nothing of the gain over prompt remains without the "
         "pairing"),
        ("random_passages", "rag_lora", 10, "there is no rag_lora to hold it against"),
    ],
)  # fmt: skip
def test_a_control_says_what_it_shows(
    tmp_path: Path, kind: str, of: str | None, score: int, text: str
) -> None:
    one = shown(tmp_path, {"prompt": 10, "rag": 20, "lora": 30}, kind, score, of)
    assert one.shows == text


def test_the_difference_is_rung_minus_control_over_the_same_questions(tmp_path: Path) -> None:
    one = shown(tmp_path, {"prompt": 10, "lora": 30}, "majority", 10, None)
    assert one.rung is not None and one.difference is not None
    assert (one.rung.key, one.difference.value, one.difference.n) == ("lora", 0.5, N)
    assert one.difference.low is not None and one.difference.low > 0


def test_a_metric_of_the_whole_set_has_a_difference_without_an_interval(tmp_path: Path) -> None:
    def run(rung: str, value: float, **changes: Any) -> Any:
        whole = {"macro_f1": Interval(value, 0.0, 1.0, 4, "percentile bootstrap")}
        return complete_run(tmp_path, rung, more=whole, primary="macro_f1", **changes)

    control = {"kind": "majority", "of": None}
    runs = [run("prompt", 0.5), run("majority", 0.25, control=control)]
    (one,) = findings(ladder(runs)).controls
    assert one.difference == Interval(0.25, None, None, 4, "none")
    assert one.shows.endswith("prompt is 25.0 points above it")


def test_a_tuned_rung_that_is_not_above_its_controls_fails_a_badge(tmp_path: Path) -> None:
    folders = [
        complete_run(tmp_path, "prompt", right(10)),
        complete_run(tmp_path, "lora", right(30), training=TRAINING),
        complete_run(tmp_path, "majority", right(10), control={"kind": "majority", "of": None}),
        complete_run(
            tmp_path, "shuffled", right(29), training=TRAINING,
            control={"kind": "shuffled_targets", "of": "lora"},
        ),
    ]  # fmt: skip
    found = findings(ladder(folders))
    judged = {b.name: b for b in found.badges["lora"]}["above controls"]
    assert (judged.passed, judged.text) == (False, "is not detectably above shuffled")
    assert set(found.badges) == {"prompt", "lora"}
    assert "above controls" not in {b.name for b in found.badges["prompt"]}


def test_controls_alone_have_nothing_to_be_held_against(tmp_path: Path) -> None:
    control = complete_run(tmp_path, "majority", control={"kind": "majority", "of": None})
    found = findings(ladder([control]))
    assert (found.ladder, found.contrasts) == ([], [])
    assert found.controls[0].shows == "there is no rung to hold it against"
