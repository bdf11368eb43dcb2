"""Retries on real weights: intents of support_json as labels, answered freely and asked again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.answer import Label
from harness.experiment import compose
from harness.ladder.retry import verdict
from harness.run import run
from harness.task import Example, Task
from tests.conftest import ROOT


def labelled(task: Task) -> Task:
    """The same tickets with a short answer: the intent."""

    def intents(examples: tuple[Example, ...]) -> tuple[Example, ...]:
        return tuple(replace(e, target=json.loads(e.target)["intent"]) for e in examples)

    m = task.materials
    train, dev = intents(m.train[:8]), intents(m.dev[:4])
    answer = Label(["return", "exchange", "fault", "hazard", "late", "parcel", "change", "money",
                    "care", "advice", "account", "thanks"])  # fmt: skip
    told = {"full": answer.describe("Which of these is it? {labels}"), "short": "Intent?"}
    m = replace(m, train=train, dev=dev, answer=answer, instructions=told, max_new_tokens=12)
    return replace(task, materials=m, eval=intents(task.eval[:2]), primary="accuracy", update=None)


def test_a_refused_answer_is_asked_for_again_and_everything_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    spec = compose(["+task=support_json", "~task.rungs", "rung=retry"])[0]
    task = labelled(spec.build("task"))
    made = replace(spec.job(task), root=tmp_path, controls=False, dev_questions=0, probes=())
    folder = run(made)
    answer = task.materials.answer
    for p in folder.predictions():
        assert all(verdict(answer, a.text) for a in p.attempts)
        assert len(p.attempts) == 2 or verdict(answer, p.text) is None
        for a in p.attempts:
            assert a.problem
            assert p.prompt_tokens > a.prompt_tokens
    assert any(p.attempts for p in folder.predictions()), "the bare prompt was right at once"
    assert folder.read("manifest.json")["declared_free"] is True
