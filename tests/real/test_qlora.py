"""qlora on real weights: SmolLM2-135M-Instruct in four bits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.run import run
from tests.conftest import ROOT
from tests.test_real_weights import configured

pytest.importorskip("bitsandbytes", reason="has no wheel for every machine")
WORDS = ("training.epochs=2", "training.batch_size=4", "training.evaluations_per_epoch=1")
"""Four steps of four examples."""


def test_an_adapter_over_four_bits_learns_and_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    spec = configured("rung=qlora", *WORDS)
    task = spec.build("task").limited(3)
    materials = task.materials
    few = replace(materials, train=materials.train[:8], dev=materials.dev[:2])
    made = spec.job(replace(task, materials=few))
    job = replace(made, root=tmp_path, controls=False, dev_questions=0, probes=[])
    folder = run(job)
    training = folder.read("manifest.json")["training"]
    assert training["answering"] == "4-bit base and adapter"
    assert training["zero_step"] == {"questions": 2, "identical": 2}
    assert training["effect"] > 0.01
    # Full weights are 538 MB; here 4-bit codes, embeddings and the adapter.
    assert training["weights_megabytes"] < 220
    losses = [p["loss"] for p in folder.read("training.json")["curve"]["points"] if "loss" in p]
    assert min(losses[2:]) < max(losses[:2])
    assert folder.read("metrics.json")["all"]["readable"]["value"] == 1.0
