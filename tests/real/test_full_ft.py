"""full_ft on real weights: all of SmolLM2-135M-Instruct."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.run import run
from tests.conftest import ROOT
from tests.test_real_weights import configured

WORDS = ("training.epochs=1", "training.batch_size=2", "training.evaluations_per_epoch=1")
"""Two steps of two examples and one checkpoint, of 1.6 GB."""


def test_all_weights_learn_and_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    spec = configured("rung=full_ft", *WORDS)
    task = spec.build("task").limited(1)
    materials = task.materials
    few = replace(materials, train=materials.train[:4], dev=materials.dev[:1])
    made = spec.job(replace(task, materials=few))
    job = replace(made, root=tmp_path, controls=False, dev_questions=0, probes=[])
    folder = run(job)
    manifest = folder.read("manifest.json")
    training = manifest["training"]
    assert training["trainable"] == manifest["parameters"] == 134_515_008
    assert training["megabytes"] == pytest.approx(538, abs=1)
    assert training["effect"] > 0.01
    left = {path.name for path in (tmp_path / manifest["trained"]).iterdir()}
    assert {"weights", "training.json"} <= left
    assert "checkpoints" not in left
    assert folder.read("metrics.json")["all"]["readable"]["value"] == 1.0
