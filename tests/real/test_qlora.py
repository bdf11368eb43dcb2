"""qlora on real weights: SmolLM2-135M-Instruct in four bits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.models.local.engine import LocalEngine
from tests.conftest import ROOT
from tests.real.conftest import configured

pytest.importorskip("bitsandbytes", reason="has no wheel for every machine")
WORDS = ("training.epochs=1", "training.batch_size=2", "training.evaluations_per_epoch=1")
"""Two steps of two examples."""


def test_an_adapter_over_four_bits_learns_and_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    spec = configured("rung=qlora", *WORDS)
    rung, task, embedder = spec.build("rung"), spec.build("task"), spec.build("embedder")
    few = replace(task.materials, train=task.materials.train[:4], dev=task.materials.dev[:1])
    shared: LocalEngine = spec.build("model").load()
    model = LocalEngine(shared.spec, shared.folder, shared.fingerprint)
    predictor = rung.fit(few, model, embedder, 0, tmp_path)
    assert model._model is None, "the full weights were never loaded"
    report = predictor.training
    assert report.answering == "4-bit base and adapter"
    assert report.zero_step == {"questions": 1, "identical": 1}
    assert report.effect > 0.01
    # Full weights are 538 MB; here 4-bit codes, embeddings and the adapter.
    assert report.curve.weights_megabytes < 220
    prompts = [
        predictor.engine.encode(asked.messages) for asked in predictor.render(task.questions[:2])
    ]
    together, alone = (
        {done.index: done.tokens for done in predictor.engine.generate(prompts, 3, batch)}
        for batch in (2, 1)
    )
    assert together == alone
    assert all(together.values())
