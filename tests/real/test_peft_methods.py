"""Every way to tune by PEFT on SmolLM2-135M-Instruct: two steps, three questions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.experiment import compose
from harness.run import run
from harness.task import Task
from tests.conftest import ROOT

RUNGS = ("prefix", "ia3", "bottleneck", "rslora", "dora", "adalora")
QUESTIONS = 3


@pytest.fixture(scope="module", autouse=True)
def _in_root() -> Iterator[None]:
    """The shipped configuration names its folders relative to the checkout."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        yield


@pytest.fixture(scope="module")
def support() -> Task:
    task = compose(["+task=support_json"])[0].task().limited(QUESTIONS)
    few = replace(task.materials, train=task.materials.train[:8], dev=task.materials.dev[:2])
    return replace(task, materials=few)


@pytest.mark.parametrize("name", RUNGS)
def test_it_trains_has_an_effect_and_answers(support: Task, tmp_path: Path, name: str) -> None:
    words = [f"rung={name}", "training.epochs=1", "training.batch_size=4", "controls=false"]
    spec = compose(["+task=support_json", *words, "probes.forgetting.enabled=false"])[0]
    job = replace(spec.job(support), root=tmp_path, dev_questions=0)
    folder = run(job)
    training = folder.read("training.json")
    assert training["curve"]["steps"] == 2
    assert training["effect"] > 0
    if name == "prefix":
        assert training["zero_step"] is None
    else:
        assert training["zero_step"] == {"questions": 2, "identical": 2}
    if name == "adalora":
        ranks = training["ranks"]
        assert ranks["final"] == ranks["target"] < ranks["initial"]
        assert ranks["least"] < ranks["most"]
    answered = folder.predictions()
    assert len(answered) == QUESTIONS
    assert all(p.error is None and p.completion_tokens > 0 for p in answered)
    assert folder.read("metrics.json")["all"]["valid"]["value"] == 1.0
