"""full_ft on real weights: all of SmolLM2-135M-Instruct."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.real.conftest import configured

WORDS = ("training.epochs=1", "training.batch_size=2", "training.evaluations_per_epoch=1")
"""Two steps of two examples and one checkpoint, of 1.6 GB."""


def test_all_weights_learn_and_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    spec = configured("rung=full_ft", *WORDS)
    rung, task, embedder = spec.build("rung"), spec.build("task"), spec.build("embedder")
    few = replace(task.materials, train=task.materials.train[:4], dev=task.materials.dev[:1])
    model = spec.build("model").load()
    predictor = rung.fit(few, model, embedder, 0, tmp_path)
    report = predictor.training
    assert report.trainable == model.parameters == 134_515_008
    assert report.megabytes == pytest.approx(538, abs=1)
    assert report.effect > 0.01
    # Weights, gradients and Adam's two moments, all of them float32.
    assert report.curve.peak_megabytes > 4 * 538
    assert {path.name for path in tmp_path.iterdir()} == {
        "weights", "training.json", "example_losses.jsonl",
    }  # fmt: skip
    prompts = [predictor.engine.encode(a.messages) for a in predictor.render(task.questions[:2])]
    assert all(done.tokens for done in predictor.engine.generate(prompts, 3))
