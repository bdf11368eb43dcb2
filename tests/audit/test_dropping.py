"""A rung that distrusts its train: what is planted, who judges, and what is left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.audit.classifier import label_suspects
from harness.audit.losses import read_losses
from harness.errors import ConfigError, RungUnavailableError
from harness.files import EXAMPLE_LOSSES, TRANSFORM
from harness.job import Job, identity
from harness.ladder.rung import Rung
from harness.ladder.transform import data_quality
from harness.models.local import ModelSpec
from harness.record.manifest import altered, spoiled
from harness.run import run
from harness.task import Task
from harness.trials import Candidate
from harness.tuning.adapter import Adapter
from tests.conftest import LetterEmbedder, example, fixed, lora, plan, write_lines
from tests.test_run import PROMPT, job_of

TUNED = Rung("lora", "short", tuning=Adapter(lora(), plan(epochs=2)))
SHOTS = replace(PROMPT, name="few_shot", shots=fixed(2))


def job(task: Task, model: ModelSpec, root: Path, rung: Rung, **said: Any) -> Job:
    """A job with the transform that these settings describe, as a configuration says it."""
    settings = {"planted": 0.0, "without": None, "dropped": None} | said
    described = {"_target_": "harness.ladder.transform.data_quality", **settings}
    told = {"name": rung.name, "transform": described}
    made = Candidate(replace(rung, transform=data_quality(**settings)), told, "")
    return job_of(task, model, root, rung, candidates=(made,))


def test_a_transform_that_does_nothing_leaves_the_run_what_it_was(
    task: Task, apt_spec: ModelSpec, tmp_path: Path
) -> None:
    plain = job_of(
        task, apt_spec, tmp_path, candidates=(Candidate(PROMPT, {"name": "prompt"}, ""),)
    )
    fingerprints = task.fingerprints()
    same = identity(job(task, apt_spec, tmp_path, PROMPT), fingerprints)
    assert same == identity(plain, fingerprints)
    assert identity(job(task, apt_spec, tmp_path, PROMPT, planted=0.5), fingerprints) != same


def test_losses_of_the_very_training_say_who_is_left_out(
    task: Task, apt_spec: ModelSpec, tmp_path: Path
) -> None:
    spoiled_run = run(job(task, apt_spec, tmp_path, TUNED, planted=0.25, dropped=0.25))
    losses = read_losses(spoiled_run)
    assert losses.keys() == {e.id for e in task.materials.train}
    cleaned = run(
        job(task, apt_spec, tmp_path, TUNED, planted=0.25, without="losses", dropped=0.25)
    )
    told = cleaned.read(TRANSFORM)
    worst = sorted(losses, key=lambda i: -losses[i])[:4]
    assert told["dropped"] == worst
    assert told["planted"] == spoiled_run.read(TRANSFORM)["planted"]
    left = [line["id"] for line in cleaned.table(EXAMPLE_LOSSES).to_dict("records")]
    assert left == [e.id for e in task.materials.train if e.id not in worst]
    manifests = [folder.manifest() for folder in (spoiled_run, cleaned)]
    assert all(spoiled(m) for m in manifests)
    assert (altered(manifests[1]) or {})["without"] == "losses"


@pytest.mark.parametrize("rung", [TUNED, SHOTS], ids=["not yet trained", "untuned"])
def test_without_such_a_training_the_rung_is_left_out(
    task: Task, apt_spec: ModelSpec, tmp_path: Path, rung: Rung
) -> None:
    with pytest.raises(RungUnavailableError, match=r"rung\.transform\.without=null"):
        run(job(task, apt_spec, tmp_path, rung, without="losses", dropped=0.25))


def test_classifiers_judge_the_train_with_the_planted_errors_and_know_nothing_of_them(
    load: Callable[..., Task], task_folder: Path, apt_spec: ModelSpec, tmp_path: Path
) -> None:
    write_lines(task_folder / "train.jsonl", [example("train", n) for n in range(40)])
    task = load()
    made = job(task, apt_spec, tmp_path, SHOTS, planted=0.25, without="classifier", dropped=0.25)
    told = run(made).read(TRANSFORM)
    transform = data_quality(0.25)
    assert transform is not None
    suspects = label_suspects(transform.apply(task.materials, 0), LetterEmbedder())
    assert suspects is not None
    assert told["doubt"] == dict(suspects.doubt)
    assert told["dropped"] == suspects.worst(0.25, 40)


def test_a_train_of_which_nothing_can_be_classified_leaves_the_rung_out(
    task: Task, apt_spec: ModelSpec, tmp_path: Path
) -> None:
    few = replace(task, materials=replace(task.materials, train=task.materials.train[:4]))
    with pytest.raises(RungUnavailableError, match="no column of its targets can be classified"):
        run(job(few, apt_spec, tmp_path, SHOTS, without="classifier"))


def test_several_settings_cannot_share_suspects(
    task: Task, apt_spec: ModelSpec, tmp_path: Path
) -> None:
    made = job(task, apt_spec, tmp_path, SHOTS, without="classifier")
    several = replace(made, candidates=(*made.candidates, *made.candidates), dev_questions=2)
    with pytest.raises(ConfigError, match="fix: trials=1"):
        run(several)
