"""What a control shows, in a sentence that follows from the numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis.findings import findings
from harness.analysis.runs import read_ladder
from harness.report.control_sentences import sentence
from tests.analysis.conftest import right, shown
from tests.record.conftest import complete_run


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
    assert sentence(one) == text


def test_a_control_of_a_new_kind_is_called_what_its_manifest_says(tmp_path: Path) -> None:
    control = {"kind": "bigger_model", "of": None, "judges": False, "shows": "a larger model"}
    folders = [
        complete_run(tmp_path, "prompt", right(30)),
        complete_run(tmp_path, "bigger_model", right(10), control=control),
    ]
    (one,) = findings(read_ladder(folders)).controls
    assert sentence(one) == "a larger model: prompt is 50.0 points above it"


def test_controls_alone_have_nothing_to_be_held_against(tmp_path: Path) -> None:
    control = complete_run(tmp_path, "majority", control={"kind": "majority", "of": None})
    (one,) = findings(read_ladder([control])).controls
    assert sentence(one) == "there is no rung to hold it against"
