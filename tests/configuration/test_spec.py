"""What one job is made from: what it records, what it builds, where its files are."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from harness.configuration.compose import compose
from harness.configuration.spec import JobSpec
from harness.errors import ConfigError, TaskError
from harness.home import HOME

TASK = "+task=support_json"


def spec(*words: str) -> JobSpec:
    return compose([TASK, *words])[0]


def test_a_job_records_the_words_that_make_it_again_and_those_that_change_it() -> None:
    made = spec(
        "rung=lora", "seed=3", "limit=5", "training.epochs=1", "~rung.tuning.config.lora_dropout"
    )
    job = made.job()
    words = f"rung=lora {TASK} seed=3 limit=5 training.epochs=1"
    assert job.command == f"python -m harness {words} '~rung.tuning.config.lora_dropout=null'"
    assert job.variant == "training.epochs=1 ~rung.tuning.config.lora_dropout=null"
    assert (job.seed, job.task.limit, job.rung.name) == (3, 5, "lora")
    config = OmegaConf.create(job.config)
    assert (config.seed, config.results, config.task.folder) == (3, "results", "tasks/support_json")
    assert "hydra" not in config


def test_folders_of_ones_own_are_in_the_command(tmp_path: Path) -> None:
    one = compose([TASK], config_dirs=[tmp_path])[0]
    assert one.command.startswith(f"python -m harness --config-dir={tmp_path} rung=prompt")
    other = tmp_path / "other"
    other.mkdir()
    two = compose([TASK], config_dirs=[tmp_path, other])[0]
    assert f"hydra.searchpath=['file://{tmp_path}','file://{other}']" in two.command.replace(
        "'\"'\"'", "'"
    )


def test_results_and_the_store_are_in_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = spec("rung=prompt")
    assert made.build("tracking").uri == f"sqlite:///{tmp_path}/mlflow.db"
    job = made.job()
    assert job.root == tmp_path / "results"
    assert OmegaConf.create(job.config).tracking.uri == f"sqlite:///{tmp_path}/mlflow.db"


def test_tasks_that_come_with_harness_are_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_home = spec("rung=prompt").task().fingerprints()
    monkeypatch.chdir(tmp_path)
    elsewhere = spec("rung=prompt").task()
    assert elsewhere.fingerprints() == at_home
    assert elsewhere.eval[0].where == f"{HOME}/tasks/support_json/eval.jsonl:1"


def test_a_folder_in_the_current_directory_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task_folder: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks").mkdir()
    task_folder.rename(tmp_path / "tasks" / "support_json")
    assert (
        spec("rung=prompt", "~task.update").task().eval[0].where
        == "tasks/support_json/eval.jsonl:1"
    )


def test_a_folder_that_is_nowhere_is_told_with_the_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["task.folder=tasks/mine", f"task.answer.schema={HOME}/tasks/support_json/schema.json"]
    places = f"{tmp_path}/tasks/mine and {HOME}/tasks/mine"
    with pytest.raises(TaskError, match=rf"no folder tasks/mine \(looked for {places}\); fix"):
        spec(*words).task()


def test_jobs_that_differ_in_nothing_of_the_task_share_it() -> None:
    one, two = compose([TASK, "rung=prompt,lora"])
    assert one.task_settings == two.task_settings
    assert one.task_settings != spec("limit=3").task_settings
    assert one.task_settings != spec("task.max_new_tokens=9").task_settings
    assert one.task_settings != spec("train_share=0.5").task_settings


def test_a_job_learns_from_its_share_of_train_which_is_told_by_its_size() -> None:
    less = spec("rung=lora", "train_share=0.125").job()
    assert (len(less.task.materials.train), less.variant) == (52, "")
    whole = spec("rung=lora")
    assert whole.task().fingerprints() == whole.build("task").fingerprints()
    with pytest.raises(ConfigError, match="train_share=2: must be a share of train"):
        spec("train_share=2").task()


def test_what_a_rungs_yaml_says_is_tried_first_of_all_is_what_was_chosen_for_the_task() -> None:
    tried = [candidate.words for candidate in spec("rung=few_shot", "trials=3").job().candidates]
    assert tried == ["rung.shots.k=2", "", "rung.shots.diversity=0.3"]


@pytest.mark.parametrize("words", [["model=folder"], ["results=???"], ["limit=${nothing}"]])
def test_a_value_that_is_missing_or_leads_nowhere_is_one_line(words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        spec("rung=prompt", *words).job()
    assert "\n" not in str(caught.value)


def test_probes_are_built_with_the_job_and_change_nothing_of_what_it_is_called() -> None:
    made = spec("rung=lora", "probes.consistency.enabled=true", "probes.calibration=null")
    job = made.job()
    assert {probe.name: probe.enabled for probe in job.probes} == {
        "forgetting": None, "consistency": True, "knowledge_update": None,
    }  # fmt: skip
    assert job.variant == ""


def test_a_task_says_which_changes_leave_its_targets_alone() -> None:
    (probe,) = (p for p in spec("rung=prompt").job().probes if p.name == "consistency")
    assert probe.settings["perturbations"] is None
    words = ("rung=prompt", "+task.perturbations=[typos,blank_lines]")
    (probe,) = (p for p in spec(*words).job().probes if p.name == "consistency")
    assert probe.settings["perturbations"] == ["typos", "blank_lines"]
    with pytest.raises(ConfigError, match=r"probes\.consistency\.perturbations=tipos: must be "):
        spec("rung=prompt", "+task.perturbations=[tipos]").job()
