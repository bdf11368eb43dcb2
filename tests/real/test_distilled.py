"""A student that learns what real weights answer to train."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.experiment import compose
from harness.files import EXAMPLE_LOSSES
from harness.job import Job
from harness.ladder.distillation import Distilled
from harness.run import run
from harness.task import Task
from tests.conftest import ROOT, fixed


def job(rung: str, root: Path) -> Job:
    """The shipped rung on the shortest tickets of support_json, its teacher with less to say."""
    words = ("training.epochs=1", "training.batch_size=4", "training.evaluations_per_epoch=1")
    made = compose(["+task=support_json", f"rung={rung}", "rung.transform.min_score=null", *words])[
        0
    ]
    task: Task = made.build("task")
    m = task.materials
    short = sorted(m.train, key=lambda e: len(e.input) + len(e.target))[:4]
    task = replace(task, materials=replace(m, train=tuple(short), dev=m.dev[:1])).limited(1)
    (candidate,) = made.job(task).candidates
    transform = candidate.rung.transform
    assert isinstance(transform, Distilled)
    assert transform.teacher is not None
    teacher = replace(transform.teacher, instructions="short", shots=fixed(1))
    changed = replace(candidate.rung, transform=replace(transform, teacher=teacher))
    ours = replace(candidate, rung=changed)
    return replace(
        made.job(task), candidates=[ours], root=root, controls=False, dev_questions=0, probes=()
    )


def test_the_student_learns_what_the_model_itself_answered_to_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    made = job("distilled", tmp_path)
    folder = run(made)
    lines = folder.table(EXAMPLE_LOSSES).to_dict("records")
    learned = {line["id"]: line["target"] for line in lines}
    (answers,) = (tmp_path / "support_json" / "taught").glob("*/train.jsonl")
    said = {line["id"]: line["text"] for line in map(json.loads, answers.read_text().splitlines())}
    gold = {e.id: e.target for e in made.task.materials.train}
    assert said.keys() == gold.keys()
    assert all(said[i].startswith(target) for i, target in learned.items())
    assert all(learned[i] != gold[i][: len(learned[i])] for i in learned)
    told = folder.manifest()["teacher"]
    assert (told["name"], told["asked"], told["kept"]) == ("few_shot", 4, 4)
    assert told["completion_tokens"] > 4 * 20
