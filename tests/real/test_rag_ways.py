"""Passages in training and when answering, on real weights: bolted together, and distractors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.experiment import compose
from harness.job import Job
from harness.ladder.rung import Predictor
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


def prepared(made: Job) -> Predictor:
    """The rung as it stands before training."""
    rung = replace(made.rung, tuning=None)
    return rung.prepare(made.task.materials, made.model.load(), made.embedder, made.seed)


def test_bolted_learns_what_lora_learns_and_shows_passages_all_the_same(tmp_path: Path) -> None:
    plain, made = prepared(job("lora", tmp_path)), job("rag_lora_bolted", tmp_path)
    assert prepared(made).lessons() == plain.lessons()
    folder = run(made)
    assert folder.manifest()["training"]["effect"] > 0
    (answered,) = folder.predictions()
    (bare,) = plain.engine.count([plain.render(made.task.questions)[0].messages])
    assert len(answered.passages) == 1
    assert answered.prompt_tokens > bare + 40


def test_raft_puts_the_governing_passage_among_those_that_the_real_search_mistakes(
    tmp_path: Path,
) -> None:
    made = job("rag_lora_raft", tmp_path)
    m, predictor = made.task.materials, prepared(made)
    train, dev = predictor.lessons()
    assert predictor.index is not None
    for example, (messages, _) in zip(m.train, train, strict=True):
        shown = {p.id for p in m.corpus if f"[{p.id}]" in messages[-1]["content"]}
        (found,) = predictor.index.search([example.question])
        assert len(shown) == 3
        assert len(shown & {p.id for p in found}) >= 2
    assert dev == predictor.pairs(m.dev)
