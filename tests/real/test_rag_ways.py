"""Passages in training and when answering, on real weights: bolted together, and among distractors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.experiment import compose
from harness.ladder.rung import Predictor
from harness.run import run
from harness.task import Task
from tests.conftest import ROOT

WORDS = ("training.epochs=1", "training.batch_size=4", "training.evaluations_per_epoch=1")


@pytest.fixture(autouse=True)
def _in_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def job(rung: str, root: Path, *words: str) -> Any:
    """The shipped rung on the shortest tickets of support_json."""
    made = compose(["+task=support_json", "~task.rungs", f"rung={rung}", *WORDS, *words])[0]
    task: Task = made.build("task")
    m = task.materials
    short = sorted(m.train, key=lambda e: len(e.input) + len(e.target))[:4]
    task = replace(task, materials=replace(m, train=tuple(short), dev=m.dev[:1])).limited(2)
    return replace(made.job(task), root=root, controls=False, dev_questions=0, probes=())


def test_bolted_shares_the_weights_of_lora_and_shows_passages_all_the_same(tmp_path: Path) -> None:
    plain, bolted = run(job("lora", tmp_path)), run(job("rag_lora_bolted", tmp_path))
    ours, theirs = bolted.manifest(), plain.manifest()
    assert ours["trained"] == theirs["trained"]
    assert ours["training"]["sha256"] == theirs["training"]["sha256"]
    asked = {p.id: p for p in plain.predictions()}
    for p in bolted.predictions():
        assert len(p.passages) == 1
        assert p.prompt_tokens > asked[p.id].prompt_tokens + 40


def test_raft_trains_beside_the_passages_that_the_real_search_mistakes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[Any] = []
    lessons = Predictor.lessons
    monkeypatch.setattr(Predictor, "lessons", lambda p: learned.append(lessons(p)) or learned[-1])
    two = ("rung.retrieval.k=2", "rung.retrieval.distractors=1", "rung.retrieval.governing_share=1")
    made = job("rag_lora_raft", tmp_path, *two)
    assert run(made).manifest()["training"]["effect"] > 0
    ((train, _),) = learned
    for example, (messages, _) in zip(made.task.materials.train, train, strict=True):
        shown = messages[-1]["content"]
        assert f"[{example.gold_passages[0]}]" in shown
        assert shown.count("[KB-") == 2
