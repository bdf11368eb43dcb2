"""A classification head on real weights: three intents, four examples of each."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.answer import Label
from harness.experiment import compose
from harness.load import load_task
from harness.record.results import RunFolder
from harness.run import run
from harness.task import Task
from tests.conftest import ROOT

MESSAGES = {
    "card_arrival": [
        "When will my new card be delivered?", "My card is still not here.",
        "Where is the card I ordered last week?", "How long does it take for a card to come?",
        "I am waiting for my card to arrive.",
    ],
    "exchange_rate": [
        "What is the rate for euros today?", "How do you set your currency conversion rates?",
        "Is the exchange rate updated daily?", "Which rate do I get when I change dollars?",
        "What rate applies when I convert pounds?",
    ],
    "forgotten_pin": [
        "I cannot remember my PIN.", "How do I reset the PIN that I forgot?",
        "My PIN slipped my mind, help!", "I lost the paper with my secret number.",
        "I do not know my PIN any more.",
    ],
}  # fmt: skip
"""The last of each is asked; the others are train, and dev is train."""


@pytest.fixture
def intents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RunFolder]:
    monkeypatch.chdir(ROOT)  # the shipped configuration names its folders relative to it
    rows = [
        {"id": f"{label}-{i}", "input": text, "target": label}
        for i in range(5)
        for label, texts in MESSAGES.items()
        for text in texts[i : i + 1]
    ]
    parts = {"train": rows[:9], "dev": rows[9:12], "eval": rows[12:]}
    for name, part in parts.items():
        lines = "".join(json.dumps(row) + "\n" for row in part)
        (tmp_path / f"{name}.jsonl").write_text(lines)
    for name in ("full", "short"):
        (tmp_path / f"instructions.{name}.md").write_text("Name the intent.\n")

    def call(rung: str, *words: str) -> RunFolder:
        spec = compose(["+task=banking77", f"rung={rung}", "~task.rungs", *words])[0]
        task: Task = load_task(
            name="intents",
            folder=str(tmp_path),
            answer=Label(),
            primary="accuracy",
            max_new_tokens=8,
        )
        made = spec.job(task)
        return run(
            replace(made, root=tmp_path / "results", controls=False, dev_questions=0, probes=())
        )

    return call


def test_a_head_alone_tells_intents_apart(intents: Callable[..., RunFolder]) -> None:
    folder = intents("classifier_head")
    told = {p.id.rpartition("-")[0]: p.text for p in folder.predictions()}
    assert set(told.values()) <= set(MESSAGES)
    assert sum(label == text for label, text in told.items()) >= 2
    training = folder.manifest()["training"]
    assert training["head"]["converged"]
    assert training["trainable"] == 3 * (576 + 1)


def test_a_head_learns_together_with_an_adapter(intents: Callable[..., RunFolder]) -> None:
    folder = intents("classifier_head_lora", "training.batch_size=4", "training.epochs=1")
    assert {p.text for p in folder.predictions()} <= set(MESSAGES)
    training = folder.manifest()["training"]
    assert training["steps"] == 3
    assert training["effect"] > 0.01
    assert training["zero_step"] is None
