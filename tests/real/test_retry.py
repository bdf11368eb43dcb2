"""Retries on real weights: one question of support_json, answered freely and asked again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.experiment import compose
from harness.ladder.retry import verdict
from harness.run import run
from tests.conftest import ROOT


def test_a_refused_answer_is_asked_for_again_and_everything_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    words = ["rung=retry", "rung.dialogue.times=1", "decoding=free", "task.max_new_tokens=60"]
    spec = compose(["+task=support_json", "~task.rungs", *words])[0]
    task = spec.build("task").limited(1)
    made = replace(spec.job(task), root=tmp_path, controls=False, dev_questions=0, probes=())
    folder = run(made)
    answer = task.materials.answer
    for p in folder.predictions():
        refused = [verdict(answer, text) is not None for text in (a.text for a in p.attempts)]
        assert refused == [True] * len(p.attempts)
        assert p.attempts or verdict(answer, p.text) is None
        for a in p.attempts:
            assert a.problem
            assert p.prompt_tokens > 2 * a.prompt_tokens  # the second prompt holds the first
            assert p.completion_tokens > a.completion_tokens
    assert any(p.attempts for p in folder.predictions()), "the bare prompt was right at once"
    assert folder.read("manifest.json")["declared_free"] is True
