"""A search among prompts on real weights: how urgent a ticket is, four dev questions for each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.answer import Label
from harness.experiment import compose
from harness.run import run
from harness.task import Example
from tests.conftest import ROOT

WORDS = [
    "+task=support_json",
    "~task.rungs",
    "rung=prompt_search",
    "rung.shots=null",
    "rung.search.questions=4",
    "dev_questions=4",
    "controls=false",
]
RULES = (
    "A ticket to a shop. Write p1 if somebody may be hurt, p2 if it is urgent or not the first "
    "message, p4 for questions and praise, p3 for all else."
)


def urgency(examples: Sequence[Example], count: int) -> tuple[Example, ...]:
    """The first tickets, with their priority alone for a target."""
    return tuple(replace(e, target=json.loads(e.target)["priority"]) for e in examples[:count])


def test_the_best_of_the_prompts_answers_eval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    spec = compose(WORDS)[0]
    task = spec.task()
    m = replace(
        task.materials,
        train=urgency(task.materials.train, 8),
        dev=urgency(task.materials.dev, 12),
        instructions={"full": RULES, "short": RULES},
        variants={"bare": "p1, p2, p3 or p4?"},
        answer=Label(["p1", "p2", "p3", "p4"]),
        max_new_tokens=4,
    )
    labels = replace(task, materials=m, eval=urgency(task.eval, 3), primary="accuracy")
    folder = run(replace(spec.job(labels), root=tmp_path, probes=()))
    found = folder.manifest()["search"]
    values = {t["name"]: t["value"] for t in found["tried"]}
    assert values.keys() == {"bare", "full", "short"}
    assert values["full"] == values["short"]  # the same text is worth the same
    assert found["chosen"]["value"] == max(values.values())
    assert found["asked"] == 3 * found["n"] <= 12
    assert folder.manifest()["dev"]["n"] >= 1
    assert folder.read("metrics.json")["all"]["readable"]["value"] == 1.0
