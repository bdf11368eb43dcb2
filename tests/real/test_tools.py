"""Tools on real weights: a question of support_json_actions, with a worked example of calls."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.experiment import compose
from harness.run import run
from tests.conftest import ROOT


def test_the_model_calls_the_database_and_writes_a_valid_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    words = ["rung=tools", "rung.shots.k=1", "rung.dialogue.times=1", "rung.instructions=short"]
    spec = compose(["+task=support_json_actions", *words])[0]
    task = spec.build("task").limited(1)
    fewer = replace(task.materials, train=task.materials.train[:8], dev=task.materials.dev[:2])
    task = replace(task, materials=fewer)
    made = replace(spec.job(task), root=tmp_path, controls=False, dev_questions=0, probes=())
    (p,) = run(made).predictions()
    answer = task.materials.answer
    assert answer.parse(p.text).value is not None
    assert p.attempts, "no tool was called behind an example that shows how"
    for attempt in p.attempts:
        assert attempt.call is not None
        if not attempt.call.failed:
            written = json.loads(attempt.text)
            assert written == {"tool": attempt.call.tool, "arguments": attempt.call.arguments}
            assert attempt.call.result
