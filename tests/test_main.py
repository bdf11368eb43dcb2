"""The command line, as a user meets it: every command is a process of its own.

All but one are forks of a process that has imported everything, which takes longer than most of
them.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from bench.soak.forks import become, fork_server
from tests.conftest import TASK

ROOT = Path(__file__).resolve().parent.parent
TASKS = sorted(["mine", *(path.stem for path in (ROOT / "conf" / "task").glob("*.yaml"))])
RUNGS = sorted(path.stem for path in (ROOT / "conf" / "rung").glob("*.yaml"))
Shell = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def harness(tmp_path: Path, tiny_folder: Path, task_folder: Path) -> Shell:
    """Run `python -m harness` on a task of the user's own, with a tiny model, in an empty folder."""
    conf = tmp_path / "conf" / "task"
    conf.mkdir(parents=True)
    (conf / "mine.yaml").write_text(TASK.format(folder=task_folder))

    def call(
        *arguments: str, module: str = "harness", own: bool = True, fresh: bool = False
    ) -> subprocess.CompletedProcess[str]:
        conf = ["--config-dir", str(tmp_path / "conf")] if own and module == "harness" else []
        words = [module, *conf, *arguments]
        environment = {
            "PYTHONPATH": str(ROOT), "HARNESS_CACHE": str(tmp_path / "cache"), "PATH": "",
        }  # fmt: skip
        if fresh:
            command = [sys.executable, "-m", *words]
            return subprocess.run(
                command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )
        out, err = (Path(tempfile.mkstemp(dir=tmp_path, prefix=".said-")[1]) for _ in range(2))
        forked = fork_server().Process(
            target=become, args=(words, tmp_path, environment, out, err), daemon=True
        )
        forked.start()
        forked.join()
        return subprocess.CompletedProcess(
            words, forked.exitcode or 0, out.read_text(), err.read_text()
        )

    call.model = ["model=folder", f"model.weights.path={tiny_folder}"]  # type: ignore[attr-defined]
    return call


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a user's mistake is worth."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_help_says_what_one_can_do(harness: Shell) -> None:
    done = harness("--help")
    assert done.returncode == 0
    assert "python -m harness +task=support_json" in done.stdout
    for group in (
        f"task: {', '.join(TASKS)}",
        f"rung: {', '.join(RUNGS)}",
    ):
        assert group in done.stdout


def test_hydras_own_flags_work(harness: Shell) -> None:
    shown = harness("--cfg", "job", "--package", "task", "+task=mine").stdout
    assert shown.startswith("# @package task\n_target_: harness.load.load_task\nname: mine\n")
    assert "command-line" in harness("--info", "searchpath").stdout
    refused = complaint(harness("--config-name=other", "+task=mine"))
    assert refused == "error: --config-name: is not for harness; fix: --config-dir=FOLDER"
    assert "rung/no: is not there" in complaint(harness("--run", "+task=mine", "rung=no"))


def test_the_first_line_comes_before_torch_is_loaded(harness: Shell, tmp_path: Path) -> None:
    spy = "import sys\n\ndef load(**arguments):\n    sys.exit(str('torch' in sys.modules))\n"
    (tmp_path / "spy.py").write_text(spy)
    done = harness(
        "+task=mine", "rung=prompt", "task._target_=spy.load", "trusted=[spy]", fresh=True
    )
    typed, planned, torch = done.stderr.splitlines()
    assert typed == "harness +task=mine rung=prompt task._target_=spy.load trusted=[spy]"
    assert planned == (
        f"1 run, mine: prompt; results go to {tmp_path}/results; conf/ and tasks/ are those of {ROOT}"
    )
    assert torch == "False"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["rung=prompt,few_shot", "rung.shots.k=-1"], "rung.shots.k=-1"),
        (["rung=prompt,lora", "rung.tuning.config.r=abc"], "r"),
        (["rung=prompt,lora", "training.epochs=0"], "training.epochs=0"),
        (["seed=0,abc", "rung=prompt"], "seed=abc"),
        (["rung=prompt", "task.primary=kind/formt"], "kind/formt"),
    ],
)
def test_a_mistake_anywhere_in_a_sweep_is_found_before_the_first_answer(
    harness: Shell, tmp_path: Path, words: list[str], line: str
) -> None:
    assert line in complaint(harness("+task=mine", *harness.model, *words, *ALONE))  # type: ignore[attr-defined]
    assert not (tmp_path / "results").exists()


def test_the_examples_of_help_take_an_override_behind_them(harness: Shell, tmp_path: Path) -> None:
    """As a user types it: folder and override behind the task, in the order of the example."""
    behind = ["--config-dir", str(tmp_path / "conf"), "limit=0"]
    assert "limit=0" in complaint(harness("+task=mine", *behind, own=False))


def test_without_a_task_the_tasks_are_listed(harness: Shell) -> None:
    assert complaint(harness()).endswith(f"there are: {', '.join(TASKS)}")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["+task=nothing"], ["task/nothing", "banking77", "mine"]),
        (["+task=mine", "rung=nothing"], ["rung/nothing", "few_shot"]),
        (["+task=mine", "sead=1"], ["sead"]),
        (["+task=mine", "sead=1", "rung=prompt,lora"], ["sead"]),
        (["+task=mine", "limit=0"], ["limit=0", "from 1 up"]),
        (["+task=mine", "prices.machine_hour=-1"], ["prices.machine_hour=-1", "from 0 up"]),
        (["+task=mine", "decoding=maybe"], ["decoding=maybe: must be 'constrained' or 'free'"]),
        (["+task=mine", "rung=prompt", "trials=9"],
         ["trials=9: must be from 1 to the 4 settings that rung prompt has"]),
        (["+task=mine", "rung=prompt", "trials=2", "dev_questions=0"], ["set dev_questions above 0"]),
        (["+task=mine", "isolation.leaks=maybe"], ["isolation.leaks=maybe", "stop, drop, allow"]),
        (["+task=mine", "+task.colour=red"], ["task.colour: there is no such setting", "there are: name,"]),
        (["+task=mine", "task.folder=gone"], ["gone/schema.json: no such schema", "write it"]),
        (["+task=mine", "rung._target_=harness.ladder.Nothing"], ["Nothing", "fix the _target_"]),
        (["+task=mine", "model=folder", "model.weights.path=gone"], ["gone: no such folder"]),
    ],
)  # fmt: skip
def test_what_a_user_can_fix_is_one_line_and_exit_code_2(
    harness: Shell, arguments: list[str], words: list[str]
) -> None:
    line = complaint(harness(*arguments))
    assert all(word in line for word in words), line


def test_a_broken_line_is_named_with_its_file_and_number(harness: Shell, task_folder: Path) -> None:
    with (task_folder / "train.jsonl").open("a") as file:
        file.write('{"input": "cut o')
    line = complaint(harness("+task=mine"))
    assert f"{task_folder}/train.jsonl:17: not JSON" in line
    assert "fix or delete the line" in line


def test_a_sweep_leaves_results_a_table_and_a_mirror(harness: Shell, tmp_path: Path) -> None:
    sweep = ["+task=mine", "rung=prompt,few_shot,lora", *harness.model, "training.epochs=1"]  # type: ignore[attr-defined]
    sweep.append("probes.forgetting.enabled=false")  # its passages are fetched
    first = harness(*sweep, "limit=6")
    assert first.returncode == 0, first.stderr
    assert "limit=6: only a sample of 6 eval examples was asked" in first.stdout
    assert "LIMIT: only a sample of eval, limit=6" in first.stderr
    first_cells = [line.split()[:2] for line in first.stdout.splitlines()]
    # The table of dev without the constraint has six questions too.
    rows = dict.fromkeys(cells[0] for cells in first_cells if cells[1:] == ["6"])
    assert list(rows) == ["prompt", "few_shot", "lora*"]
    assert (tmp_path / "mlflow.db").exists()
    marks = sorted((tmp_path / "results" / "mine").rglob("complete.json"))
    stamps = [mark.stat().st_mtime_ns for mark in marks]
    assert [mark.parent.parent.name for mark in marks] == [
        "few_shot", "lora", "majority", "nearest_answer", "prompt",
    ]  # fmt: skip

    priced = harness(*sweep, "limit=6", "prices.machine_hour=1.2")
    assert [mark.stat().st_mtime_ns for mark in marks] == stamps, "a finished run ran again"
    assert "money, USD" not in first.stdout
    assert "money, USD" in priced.stdout
    report = harness("results/mine", module="harness.report")
    assert report.returncode == 0
    assert "few_shot" in report.stdout
    assert "money, USD" in report.stdout


def test_every_task_of_a_sweep_is_reported_and_mirrored(harness: Shell, tmp_path: Path) -> None:
    tasks = tmp_path / "conf" / "task"
    mine = (tasks / "mine.yaml").read_text()
    (tasks / "yours.yaml").write_text(mine.replace("name: mine", "name: yours"))
    done = harness("+task=mine,yours", "rung=prompt", "controls=false", *harness.model)  # type: ignore[attr-defined]
    assert done.returncode == 0, done.stderr
    reports = [line for line in done.stdout.splitlines() if line.startswith("report: ")]
    assert [Path(line.removeprefix("report: ")).parent.name for line in reports] == [
        "mine", "yours",
    ]  # fmt: skip
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    told = {e.name: client.search_runs([e.experiment_id]) for e in client.search_experiments()}
    kinds = {name: len(runs) for name, runs in told.items() if runs}
    assert kinds == {"mine": 2, "yours": 2}, "a run, and the sweep with the report"


def test_a_control_that_cannot_be_had_loses_nothing(harness: Shell) -> None:
    gone = ["embedder.weights.sha256=gone", "embedder.weights.path=gone", "tracking=none"]
    done = harness("+task=mine", "rung=prompt", *harness.model, *gone)  # type: ignore[attr-defined]
    assert done.returncode == 0, done.stderr
    assert "warning: control nearest_answer is left out: " in done.stderr
    assert "majority" in done.stdout


def test_an_internal_fault_keeps_its_traceback(harness: Shell, tmp_path: Path) -> None:
    (tmp_path / "faulty.py").write_text("def load(**arguments): return 1 / 0\n")
    done = harness("+task=mine", "task._target_=faulty.load", "trusted=[faulty]")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ZeroDivisionError: division by zero" in done.stderr


def test_results_that_are_not_there_are_one_line(harness: Shell) -> None:
    line = complaint(harness("results/mine", module="harness.report"))
    assert "holds no complete run" in line


def test_the_command_that_a_run_records_finds_the_same_run_again(
    harness: Shell, tmp_path: Path
) -> None:
    alone = ["controls=false", "tracking=none"]
    done = harness("+task=mine", "rung=prompt", *harness.model, *alone)  # type: ignore[attr-defined]
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "mlflow.db").exists()
    (manifest,) = (tmp_path / "results").rglob("manifest.json")
    written = manifest.stat().st_mtime_ns
    python, _, _, *arguments = shlex.split(json.loads(manifest.read_text())["command"])
    assert python == "python"
    again = harness(*arguments, own=False)
    assert again.returncode == 0, again.stderr
    assert [m.stat().st_mtime_ns for m in (tmp_path / "results").rglob("manifest.json")] == [
        written
    ]


ALONE = ("controls=false", "tracking=none", "dev_questions=0")


def manifests(folder: Path) -> list[dict[str, Any]]:
    """Of all runs below a folder, by folder name."""
    return [json.loads(p.read_text()) for p in sorted(folder.rglob("manifest.json"))]


def test_a_rung_that_the_task_cannot_have_is_left_out_and_the_others_run(
    harness: Shell, tmp_path: Path, task_folder: Path
) -> None:
    (task_folder / "corpus.jsonl").unlink()
    for split in task_folder.glob("*.jsonl"):
        lines = [json.loads(line) | {"sources": []} for line in split.read_text().splitlines()]
        split.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = harness("+task=mine", "rung=rag,prompt", *harness.model, *ALONE)  # type: ignore[attr-defined]
    assert done.returncode == 0, done.stderr
    warned = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert warned == [
        "warning: rag is left out of mine: it retrieves, but the task has no corpus.jsonl; add one"
    ]
    assert [m["rung"] for m in manifests(tmp_path / "results")] == ["prompt"]


def test_what_is_typed_wins_over_candidates(harness: Shell) -> None:
    """Of few_shot's four settings two differ from the rung in nothing but k."""
    line = complaint(harness("+task=mine", "rung=few_shot", "rung.shots.k=3", "trials=3"))
    assert "trials=3: must be from 1 to the 2 settings that rung few_shot has" in line


def test_settings_chosen_for_a_task_come_first_and_what_is_typed_wins_over_them(
    harness: Shell, tmp_path: Path
) -> None:
    with (tmp_path / "conf" / "task" / "mine.yaml").open("a") as file:
        file.write("rungs:\n  prompt: {rung.role: user}\n")
    for typed, role in ((), "user"), (("rung.role=system",), "system"):
        root = tmp_path / role
        where = f"results={root}"
        done = harness("+task=mine", "rung=prompt", *harness.model, *ALONE, where, *typed)  # type: ignore[attr-defined]
        assert done.returncode == 0, done.stderr
        (manifest,) = manifests(root)
        assert manifest["identity"]["rung"]["role"] == role


def test_decoding_can_be_swept_and_each_rung_is_compared_with_itself(
    harness: Shell, tmp_path: Path
) -> None:
    done = harness(
        "+task=mine", "rung=prompt", "decoding=free,constrained", *harness.model, *ALONE  # type: ignore[attr-defined]
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {m["decoding"] for m in manifests(tmp_path / "results")} == {"free", "constrained"}
    (kept,) = (tmp_path / "results" / "mine").glob("contrasts-*.jsonl")
    compared = {(c["rung"], c["baseline"]) for c in map(json.loads, kept.read_text().splitlines())}
    ((rung, baseline),) = compared
    assert (rung, baseline) == ("prompt", "prompt decoding=free")
