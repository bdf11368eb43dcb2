"""Every way to tune by PEFT on SmolLM2-135M-Instruct: two steps, one question."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.answer import Json
from harness.experiment import compose
from harness.models.local.engine import LocalEngine
from harness.task import Task
from tests.conftest import ROOT

RUNGS = ("prefix", "ia3", "bottleneck", "rslora", "dora", "adalora")
QUESTIONS, STEPS = 1, 2


@pytest.fixture(scope="module", autouse=True)
def _in_root() -> Iterator[None]:
    """The shipped configuration names its folders relative to the checkout."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        yield


@pytest.fixture(scope="module")
def model() -> LocalEngine:
    engine: LocalEngine = compose(["+task=support_json"])[0].build("model").load()
    return engine


@pytest.fixture(scope="module")
def support() -> Task:
    task = compose(["+task=support_json"])[0].task().limited(QUESTIONS)
    m = task.materials
    short = tuple(sorted(m.train, key=lambda e: len(e.input))[:STEPS])
    return replace(task, materials=replace(m, train=short, dev=m.dev[:1], max_new_tokens=16))


@pytest.mark.parametrize("name", RUNGS)
def test_it_trains_has_an_effect_and_answers(
    support: Task, model: LocalEngine, tmp_path: Path, name: str
) -> None:
    words = ["training.epochs=1", "training.batch_size=1", "training.evaluations_per_epoch=1"]
    job = compose(["+task=support_json", f"rung={name}", *words])[0].job(support)
    held = support.materials.answer.constraint
    predictor = job.rung.fit(support.materials, model, job.embedder, 0, tmp_path, held)
    report = predictor.training
    assert report is not None and report.curve is not None
    assert (report.curve.steps, len(report.curve.losses)) == (STEPS, STEPS)
    assert report.effect is not None and report.effect > 0
    assert report.zero_step == (None if name == "prefix" else {"questions": 1, "identical": 1})
    if name == "adalora":
        assert report.ranks is not None
        assert report.ranks["final"] == report.ranks["target"] < report.ranks["initial"]
        assert report.ranks["least"] < report.ranks["most"]
    answered = list(predictor(support.questions))
    assert len(answered) == QUESTIONS
    assert isinstance(support.materials.answer, Json)
    assert all(p.error is None and p.text.startswith("{") for p in answered)
