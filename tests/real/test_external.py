"""Answers of real weights, scored again as if they had been made elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.experiment import compare_all
from tests.conftest import ROOT


def test_a_runs_own_answers_score_the_same_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    words = ["+task=support_json", "limit=3", "tracking=none", f"results={tmp_path}"]
    quick = ["rung=prompt", "controls=false", "dev_questions=0", "probes=null"]
    (asked,) = compare_all([*words, *quick], progress=False)
    file = asked.runs[0].folder.path / "predictions.jsonl"
    (found,) = compare_all(
        [*words, "rung=external", f"rung.predictions={file}", "rung.name=again"], progress=False
    )
    assert [rung.key for rung in found.rungs] == ["again", "prompt"]
    again, prompt = (rung.runs[0] for rung in found.rungs)
    assert again.values == prompt.values
    assert again.per_question("prompt_tokens") == prompt.per_question("prompt_tokens")
    (contrast,) = found.contrasts
    assert contrast.identical
