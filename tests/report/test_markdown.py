"""The ladder as Markdown."""

from __future__ import annotations

from pathlib import Path

from harness.analysis.findings import findings
from harness.analysis.runs import read_ladder
from harness.evidence.statistics import Interval
from harness.report.markdown import fitting, markdown
from tests.record.conftest import TRAINING, complete_run


def test_the_verdict_comes_before_the_tables_with_what_blocks_it(tmp_path: Path) -> None:
    cut = {"truncated": Interval(0.75, 0.3, 0.95, 4, "wilson")}
    ladder = read_ladder(
        [
            complete_run(tmp_path, "prompt", more=cut),
            complete_run(tmp_path, "lora", training=TRAINING, seed=0),
        ]
    )
    warning, advice, rule, verdict, footnote, inputs, scores, *_ = markdown(findings(ladder))
    assert warning == "**only 4 groups of questions: below ten, intervals are rough**"
    assert advice.startswith("Undecided: ") and rule.startswith("Rule: ")
    assert verdict.startswith("- lora* and prompt scored the same on every question.")
    assert "**Blocked: " in verdict and "prompt cut off 75% of its answers" in verdict
    assert footnote.startswith("\\* one seed")
    assert inputs.startswith("**the rule's inputs")
    assert scores.startswith("**scores, %")


def test_what_does_not_fit_is_left_out_by_whole_parts() -> None:
    parts = ["a" * 10, "b" * 10, "c" * 10]
    assert fitting(parts, 34, "more") == "\n\n".join(parts)
    assert fitting(parts, 33, "more") == f"{'a' * 10}\n\n{'b' * 10}\n\nmore"
    assert fitting(parts, 20, "more") == f"{'a' * 10}\n\nmore"
