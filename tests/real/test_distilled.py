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
    short = sorted(m.train, key=lambda e: len(e.input) + len(e.target))[:5]
    task = replace(task, materials=replace(m, train=tuple(short), dev=m.dev[:1])).limited(2)
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


def test_the_student_learns_valid_answers_and_its_twin_their_targets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    ours, gold = run(job("distilled", tmp_path)), run(job("distilled_gold", tmp_path))
    learned, right = (
        {line["id"]: line["target"] for line in one.table(EXAMPLE_LOSSES).to_dict("records")}
        for one in (ours, gold)
    )
    assert list(learned) == list(right)
    assert learned != right
    (answers,) = (tmp_path / "support_json" / "taught").glob("*/train.jsonl")
    said = {line["id"]: line["text"] for line in map(json.loads, answers.read_text().splitlines())}
    assert all(said[i].startswith(target) for i, target in learned.items())
    told = ours.manifest()["teacher"]
    assert (told["name"], told["asked"], told["kept"]) == ("few_shot", 5, len(learned))
    assert told["completion_tokens"] > 5 * 20
    assert ours.manifest()["trained"] != gold.manifest()["trained"]
