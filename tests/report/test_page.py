"""The report as one HTML file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.analysis.findings import Findings, findings
from harness.analysis.runs import read_ladder
from harness.report.conclude import write_reports
from harness.report.page import page
from harness.task import Example
from tests.record.conftest import ANSWERS, TRAINING, complete_run

CLOSE = {
    "eval_text": "where is my parcel", "text": "where is the parcel", "similarity": 0.5,
    "eval_where": "eval.jsonl:1", "where": "train.jsonl:1", "containment": 0.5,
}  # fmt: skip
ISOLATION = {
    "method": "5-grams",
    "thresholds": {"near_duplicate": 0.6, "contained": 0.9},
    "compared": {"train": 16, "dev": 6},
    "closest": {"train": CLOSE},
    "leaks": [],
    "decision": "sealed",
}


@pytest.fixture
def found(tmp_path: Path) -> Findings:
    better = {**dict.fromkeys(ANSWERS, "red"), "eval-0": "<b>blue</b>"}
    folders = [
        complete_run(tmp_path, "prompt", isolation=ISOLATION),
        complete_run(tmp_path, "lora", better, training=TRAINING, isolation=ISOLATION),
    ]
    examples = [Example(i, f"ticket {i}?", "red", i, (), {}, "") for i in ANSWERS]
    folders[0].keep_eval(folders[0].read("manifest.json")["fingerprints"]["eval"], examples)
    return findings(read_ladder(folders))


def test_the_recommendation_comes_first_then_verdict_and_ladder(found: Findings) -> None:
    text = page(found)
    ids = re.findall(r'<h2 id="(\w+)"', text)
    assert ids == [
        "recommendation", "verdict", "ladder", "contrasts", "slices", "broken", "changes", "cost",
        "training", "isolation",
        "badges", "licences", "again",
    ]  # fmt: skip
    assert "no detectable difference between lora and prompt" in text


def test_changed_questions_stand_with_both_answers_and_what_was_asked(found: Findings) -> None:
    text = page(found)
    assert len(re.findall(r'class="item (improved|worsened)"', text)) == 2
    assert "ticket eval-1?" in text
    assert "100.0 → 0.0" in text


def test_what_a_model_wrote_is_text_and_not_markup(found: Findings) -> None:
    text = page(found)
    assert "&lt;b&gt;blue&lt;/b&gt;" in text
    assert "<b>blue</b>" not in text


def test_the_page_needs_no_network(found: Findings) -> None:
    text = page(found)
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", text)
    assert "@import" not in text


def test_how_to_get_a_run_again_stands_at_the_end(found: Findings) -> None:
    text = page(found)
    assert "<code>python -m harness +task=tickets</code>" in text
    assert "where is my parcel" in text


def test_loss_curves_are_drawn_for_tuned_rungs_only(found: Findings) -> None:
    assert ">Training</h2>" in page(found)
    assert ">Training</h2>" not in page(findings(read_ladder([found.runs[0].folder])))


def test_writing_it_again_writes_the_same(found: Findings) -> None:
    path = write_reports(found)
    before = path.read_text()
    assert write_reports(found) == path
    assert path.read_text() == before


def test_a_badge_says_what_it_saw_on_hover_and_in_print(found: Findings) -> None:
    text = page(found)
    assert 'class="pass" title="lora was tuned on 400 different examples"' in text
    assert "✓ was tuned on 400 different examples" in text[text.index("<details>") :]


def test_controls_have_a_section_of_their_own(found: Findings, tmp_path: Path) -> None:
    control = complete_run(
        tmp_path, "majority", control={"kind": "majority", "of": None}, isolation=ISOLATION,
        model=None, weights=None, dtype=None, template=None,
    )  # fmt: skip
    text = page(findings(read_ladder([*(run.folder for run in found.runs), control])))
    section = text[text.index('id="controls"') : text.index('id="changes"')]
    assert "always the commonest answer" in section
    assert "majority" not in text[text.index('id="ladder"') : text.index('id="slices"')]
