"""Passages in training and when answering, on real weights: bolted together, and distractors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.experiment import compose
from harness.job import Job
from harness.run import run
from harness.task import Task
from tests.conftest import ROOT

WORDS = ("training.epochs=1", "training.batch_size=2", "training.evaluations_per_epoch=1")


@pytest.fixture(autouse=True)
def _in_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def job(rung: str, root: Path) -> Job:
    """The shipped rung on the shortest tickets of support_json."""
    made = compose(["+task=support_json", "~task.rungs", f"rung={rung}", *WORDS])[0]
    task: Task = made.build("task")
    m = task.materials
    short = sorted(m.train, key=lambda e: len(e.input) + len(e.target))[:2]
    task = replace(task, materials=replace(m, train=tuple(short), dev=m.dev[:1])).limited(1)
    return replace(made.job(task), root=root, controls=False, dev_questions=0, probes=())


def test_bolted_shares_the_weights_of_lora_and_shows_passages_all_the_same(tmp_path: Path) -> None:
    plain, bolted = run(job("lora", tmp_path)), run(job("rag_lora_bolted", tmp_path))
    ours, theirs = bolted.manifest(), plain.manifest()
    assert ours["trained"] == theirs["trained"]
    assert ours["training"]["sha256"] == theirs["training"]["sha256"]
    (shown,), (bare,) = bolted.predictions(), plain.predictions()
    assert len(shown.passages) == 1
    assert shown.prompt_tokens > bare.prompt_tokens + 40


def test_raft_puts_the_governing_passage_among_those_that_the_real_search_mistakes(
    tmp_path: Path,
) -> None:
    made = job("rag_lora_raft", tmp_path)
    rung, m = made.rung, made.task.materials
    predictor = replace(rung, tuning=None).prepare(m, made.model.load(), made.embedder, made.seed)
    train, dev = predictor.lessons()
    assert predictor.index is not None
    for example, (messages, _) in zip(m.train, train, strict=True):
        shown = {p.id for p in m.corpus if f"[{p.id}]" in messages[-1]["content"]}
        (found,) = predictor.index.search([example.question])
        assert len(shown) == 3
        assert len(shown & {p.id for p in found}) >= 2
    assert dev == predictor.pairs(m.dev)
