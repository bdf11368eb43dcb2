"""What probes found, as tables and in the page."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from harness.analysis.findings import Findings, findings
from harness.analysis.runs import read_ladder
from harness.evidence.statistics import Interval
from harness.record.measurements import Measurement, keep
from harness.report.markdown import markdown
from harness.report.page import page
from harness.report.probe_tables import broken, calibrated, consistent, plain
from harness.task import Example
from tests.analysis.test_gates import forgotten, spread
from tests.record.conftest import TRAINING, complete_run

IDS = [f"eval-{i}" for i in range(40)]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    """Two rungs with all that probes can find."""
    root = tmp_path_factory.mktemp("probed")
    prompt = complete_run(root, "prompt", dict.fromkeys(IDS, "blue"))
    seeds = [
        complete_run(root, "lora", dict.fromkeys(IDS, "red"), training=TRAINING, seed=seed)
        for seed in range(2)
    ]
    asked = [
        {"id": i, "given": n % 2, "log_probabilities": [math.log(0.6), math.log(0.4)]}
        for n, i in enumerate(IDS)
    ]
    lines = [
        {"id": i, "changed": n % 4 == 0, "extent": float(n % 4 == 0), "before": 1.0, "after": 0.0}
        for n, i in enumerate(IDS)
    ]
    for folder in (prompt, *seeds):
        choices = {"label": {"candidates": ["red", "blue"], "questions": asked}}
        keep(folder, Measurement("calibration", {}, [], {"choices": choices}, "", 1.0))
        told = {"perturbations": {"blank_lines": lines}}
        keep(folder, Measurement("consistency", {}, [], told, "", 1.0))
    for folder in seeds:
        forgotten(folder, spread(0.3))
    examples = [Example(i, f"ticket {i}?", "red", i, (), {}, "") for i in IDS]
    prompt.keep_eval(prompt.manifest()["fingerprints"]["eval"], examples)
    return findings(read_ladder([prompt, *seeds]))


def test_a_tuned_rung_stands_with_its_gate(found: Findings) -> None:
    forgetting, overfitting = broken(found)
    (line,) = forgetting.lines
    cells = dict(zip(forgetting.headings, line, strict=True))
    assert (cells["rung"], cells["limit"], cells["gate"]) == ("lora", "0.1", "failed")
    assert cells["increase"].startswith("+0.300")
    assert cells["general answers in the task's format"] == "1 of 1"
    assert overfitting.lines == [["lora", "1.750", "1.750", "+0.000", "2 of 2", "+0.000"]]


def test_changes_and_seeds_stand_beside_each_other(found: Findings) -> None:
    seeds, changes = consistent(found)
    assert seeds.lines[0][:2] == ["lora", "2"]
    assert [line[:3] for line in changes.lines] == [
        ["prompt", "blank lines", "40"],
        ["lora", "blank lines", "40"],
    ]
    assert changes.lines[0][3].startswith("25.0 (")
    assert changes.headings[-1] == "accuracy: with – without"
    assert "how much of them" not in changes.headings, "labels are the same or not"


def test_calibration_says_of_how_many_questions(found: Findings) -> None:
    (table,) = calibrated(found)
    cells = dict(zip(table.headings, table.lines[0], strict=True))
    assert (cells["n"], cells["confidence"]) == ("40", "50.0")
    assert "field" not in cells


def test_numbers_that_are_no_shares() -> None:
    assert plain(Interval(2.0, None, None, 3, "none")) == "2.000"
    assert plain(Interval(2.0, 1.5, 2.5, 3, "t")) == "2.000 (1.500–2.500)"
    assert plain(Interval(0.1, -0.1, 0.3, 3, "t"), "+") == "+0.100 (-0.100 to +0.300)"


def test_the_page_shows_both_answers_and_a_curve_and_so_does_markdown_the_tables(
    found: Findings,
) -> None:
    text = page(found)
    for section in ("broken", "consistency", "calibration"):
        assert f'<h2 id="{section}"' in text and f'<a href="#{section}"' in text
    assert "Say hello." in text and "{&#34;colour&#34;:&#34;red&#34;}" in text
    assert "risk and coverage: label" in text
    assert "what tuning breaks" in "\n".join(markdown(found))


def test_a_ladder_that_was_not_probed_shows_nothing_of_it(tmp_path: Path) -> None:
    text = page(findings(read_ladder([complete_run(tmp_path, "prompt")])))
    assert not any(f'id="{name}"' in text for name in ("broken", "consistency", "calibration"))
