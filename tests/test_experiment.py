"""What the command line does, called from Python; nothing of a call survives it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

import harness
import harness.run
from harness.analysis.factorial_cells import FACTORS
from harness.errors import ConfigError, TrainingError
from harness.evidence.isolation import Isolation
from harness.models.embedder import Embedder
from harness.models.local import ModelSpec
from harness.report.mlflow import main as mlflow_main
from tests.conftest import TASK, LetterEmbedder, write_lines
from tests.test_main import manifests

Settings = dict[str, Any]

SHORT = """
defaults:
  - prompt
  - _self_
name: short
instructions: short
"""


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_folder: Path, task_folder: Path
) -> Settings:
    """A current directory with a task and a rung of the user's own; a tiny model; no controls."""
    for group, text in {"task/mine": TASK.format(folder=task_folder), "rung/short": SHORT}.items():
        path = tmp_path / "conf" / f"{group}.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    return {
        "config_dirs": "conf",
        "model": "folder",
        "model.weights.path": tiny_folder,
        "tracking": "none",
        "controls": False,
        "dev_questions": 0,
        "limit": 2,
    }


def as_words(settings: Settings) -> list[str]:
    given = {k: v for k, v in settings.items() if k != "config_dirs"}
    return [f"{name}={value}" for name, value in given.items()]


def rungs(folder: Path) -> list[str]:
    """The rung of each run."""
    return [m["rung"] for m in manifests(folder / "results")]


def test_a_ladder_is_run_and_its_findings_come_back(here: Settings, tmp_path: Path) -> None:
    found = harness.compare("mine", rungs=["prompt", "short"], seed=[0, 1], **here)
    assert rungs(tmp_path) == ["prompt", "short"], "without training a seed changes nothing"
    assert [entry.manifest["rung"] for entry in found.rungs] == ["prompt", "short"]
    assert list((tmp_path / "results" / "mine").glob("report-*.html"))
    assert not (tmp_path / "mlflow.db").exists()


def test_a_run_from_python_records_what_the_command_line_would(
    here: Settings, tmp_path: Path
) -> None:
    harness.compare("mine", rungs=["prompt"], **here | {"rung.role": "user"})
    (manifest,) = manifests(tmp_path / "results")
    words = "+task=mine model=folder"
    assert manifest["command"].startswith(
        f"python -m harness --config-dir={tmp_path}/conf rung=prompt {words}"
    )
    assert manifest["variant"].split()[-1] == "rung.role=user"
    assert (manifest["limit"], manifest["n"]) == (2, 2)
    harness.compare_all(
        ["+task=mine", "rung=prompt", *as_words(here), "rung.role=user"],
        config_dirs=["conf"],
    )
    assert manifests(tmp_path / "results") == [manifest], "the same run was run again"


def test_without_progress_nothing_is_said_and_with_it_the_jobs_are(
    here: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    here["task.max_new_tokens"] = 96  # else it is raised, which is always said
    harness.compare("mine", rungs=["prompt"], progress=False, **here)
    assert capsys.readouterr() == ("", "")
    harness.compare("mine", rungs=["prompt"], **here)
    out, err = capsys.readouterr()
    assert out == ""
    assert "1 run, mine: prompt; LIMIT: only a sample of eval, limit=2; results go " in err
    assert "[0] mine / prompt  limit=2\n" in err
    assert "report: " in err


@pytest.mark.parametrize(
    ("error", "reports"), [(TrainingError("nothing was learnt"), 1), (KeyboardInterrupt(), 0)]
)
def test_what_was_finished_before_a_failure_is_reported_and_a_second_call_goes_on(
    here: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    reports: int,
) -> None:
    run = harness.run.run

    def failing(job: harness.run.Job, *arguments: Any) -> Any:
        if job.rung.name == "short":
            raise error
        return run(job, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(harness.run, "run", failing)
        with pytest.raises(type(error)):
            harness.compare("mine", rungs=["prompt", "short"], **here)
    assert rungs(tmp_path) == ["prompt"]
    # Whoever presses Ctrl-C does not wait for a report.
    assert len(list((tmp_path / "results" / "mine").glob("report-*.html"))) == reports
    assert not GlobalHydra.instance().is_initialized()
    assert not HydraConfig.initialized()
    harness.compare("mine", rungs=["prompt", "short"], **here)
    assert rungs(tmp_path) == ["prompt", "short"]


def test_a_sweep_over_sizes_of_train_runs_again_only_what_reads_train(
    here: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here |= {"task.max_new_tokens": 96, "training.epochs": 1}
    words = ["+task=mine", "rung=prompt,lora", "seed=0,1", *as_words(here)]
    (found,) = harness.compare_all([*words, "train_share=1,0.5"], config_dirs=["conf"])
    runs = {(m["rung"], m["train_size"], m["seed"]) for m in manifests(tmp_path / "results")}
    tuned = {("lora", size, seed) for size in (8, 16) for seed in (0, 1)}
    assert runs == {("prompt", None, None)} | tuned
    assert [rung.key for rung in found.rungs] == ["prompt", "lora"]
    assert found.curve is not None and found.curve.sizes == [8, 16]
    assert [[p.key for p in one.points] for one in found.curve.curves] == [["lora train=8", "lora"]]
    assert (
        "mine: 8, 16 train examples: 5 of 5 runs to do; 4 trainings over 48 examples an epoch; "
        "no finished run tells how long prompt, lora takes\n"
    ) in capsys.readouterr().err
    harness.compare_all([*words, "train_share=0.5,1"], config_dirs=["conf"])
    assert "8, 16 train examples: 0 of 5 runs to do" in capsys.readouterr().err


def test_a_task_is_certified_once_in_a_sweep(
    here: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed: list[str] = []
    certify = Isolation.certify

    def counted(isolation: Isolation, task: harness.Task, encoder: Any = None) -> Any:
        sealed.append(task.name)
        return certify(isolation, task, encoder)

    monkeypatch.setattr(Isolation, "certify", counted)
    words = ["+task=mine", "rung=prompt", "rung.role=system,user", *as_words(here)]
    harness.compare_all([*words, "rung.instructions=full,short"], config_dirs=["conf"])
    assert len(manifests(tmp_path / "results")) == 4
    assert sealed == ["mine"]
    harness.compare_all(words, config_dirs=["conf"])
    assert sealed == ["mine", "mine"], "another sweep looks again"


def test_every_model_of_a_sweep_is_reported(
    here: Settings, tmp_path: Path, tiny_folder: Path, apt_spec: ModelSpec
) -> None:
    folder = tmp_path / "conf" / "model"
    folder.mkdir()
    shipped = (harness.home.CONF / "model" / "folder.yaml").read_text()
    for name, path in {"one": tiny_folder, "two": apt_spec.weights.resolve()}.items():
        text = shipped.replace("name: folder", f"name: {name}").replace("???", str(path))
        (folder / f"{name}.yaml").write_text(text)
    del here["model.weights.path"]
    found = harness.compare("mine", rungs=["prompt"], **here | {"model": ["one", "two"]})
    assert [entry.manifest["model"] for entry in found.rungs] == ["one", "two"]


def test_several_tasks_have_findings_each_and_compare_is_for_one(
    here: Settings, tmp_path: Path
) -> None:
    mine = (tmp_path / "conf" / "task" / "mine.yaml").read_text()
    yours = mine.replace("name: mine", "name: yours")
    (tmp_path / "conf" / "task" / "yours.yaml").write_text(yours)
    words = ["+task=mine,yours", "rung=prompt", *as_words(here)]
    with pytest.raises(ConfigError, match=r"here are 2 \(mine, yours\); fix: harness\.compare_all"):
        harness.compare(["mine", "yours"], rungs=["prompt"], **here)  # type: ignore[arg-type]
    assert not (tmp_path / "results").exists(), "nothing was run"
    both = harness.compare_all(words, config_dirs=["conf"])
    assert [found.rungs[0].manifest["task"] for found in both] == ["mine", "yours"]
    words = ["+task=mine", "rung=prompt", *as_words(here | {"limit": "2,3"})]
    several = harness.compare_all(words, config_dirs=["conf"])
    assert [found.rungs[0].manifest["n"] for found in several] == [2, 3]


def test_a_store_that_fails_is_said_once_with_the_command_that_mirrors_later(
    here: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "store").mkdir()
    uri = f"sqlite:///{tmp_path}/store"
    here |= {"tracking": "mlflow", "tracking.uri": uri}
    harness.compare("mine", rungs=["prompt", "short"], **here)
    said = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert len(said) == 1, "two runs and a ladder were not mirrored"
    command = f"python -m harness.report.mlflow {tmp_path}/results --uri {uri}"
    assert said[0].startswith("warning: ") and said[0].endswith(f"with `{command}`")
    (tmp_path / "store").rmdir()
    assert mlflow_main(shlex.split(command)[3:]) == 0
    assert capsys.readouterr().out == f"mirrored 2 runs to {uri}\n"


def test_rungs_left_out_are_warned_of_and_if_all_are_it_is_an_error(
    here: Settings, task_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (task_folder / "corpus.jsonl").unlink()
    for split in task_folder.glob("*.jsonl"):
        lines = [json.loads(line) | {"sources": []} for line in split.read_text().splitlines()]
        split.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(ConfigError, match="nothing was run: every rung was left out"):
        harness.compare("mine", rungs="rag", progress=False, **here)
    assert capsys.readouterr().err.startswith("warning: rag is left out of mine: it retrieves")


def test_mistakes_are_harness_errors_of_one_line(here: Settings) -> None:
    with pytest.raises(harness.HarnessError, match=r"task/mina: is not there \(did you mean mine"):
        harness.compare("mina", **here)
    with pytest.raises(harness.HarnessError, match="limit=0: must be a whole number from 1 up"):
        harness.compare("mine", **here | {"limit": 0})
    with pytest.raises(harness.HarnessError, match=r"seeds: .* \(did you mean seed\?\)"):
        harness.compare("mine", seeds=[1], **here)


@pytest.mark.parametrize("corpus", [True, False], ids=["with a corpus", "without"])
def test_an_ablation_crosses_what_the_task_has_and_trains_once_for_each_kind_of_prompt(
    here: Settings,
    tmp_path: Path,
    task_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    corpus: bool,
) -> None:
    for name in ("encode", "seconds"):
        monkeypatch.setattr(Embedder, name, getattr(LetterEmbedder, name))
    if not corpus:
        (task_folder / "corpus.jsonl").unlink()
        for path in task_folder.glob("*.jsonl"):
            write_lines(path, [json.loads(line) | {"sources": []} for line in path.open()])
    here |= {"+experiment": "ablation", "training.epochs": 1, "training.dtype": "float32"}
    found = harness.compare("mine", **here).ablation
    assert found is not None and found.complete
    assert list(found.factors) == [f for f in FACTORS if corpus or f != "retrieval"]
    assert len(found.cells) == len(manifests(tmp_path / "results")) == (16 if corpus else 8)
    (trained,) = (tmp_path / "results").glob("*/trained")
    assert len(list(trained.glob("*/training.json"))) == (2 if corpus else 1)
    assert (found.shots_in_training, found.unequal) == (False, {})
    assert found.instructions == {"untuned": ["full"], "tuned": ["short"]}
    left_out = [line for line in capsys.readouterr().err.splitlines() if "left out" in line]
    assert len(left_out) == (0 if corpus else 8)
    (tables,) = (tmp_path / "results").rglob("ladder-*.md")
    assert "**what each slot adds: points of" in tables.read_text()
