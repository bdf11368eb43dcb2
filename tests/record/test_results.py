"""results/: found again by what determines it, whole or not at all, read as tables."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from harness.analysis.runs import read_ladder
from harness.errors import ResultsError
from harness.evidence.contrasts import Contrasts
from harness.evidence.isolation import Isolation
from harness.evidence.statistics import group_labels, mean_interval
from harness.job import Job
from harness.ladder.rung import Rung
from harness.models.embedder import Embedder
from harness.models.local import ModelSpec
from harness.record.manifest import upgraded
from harness.record.results import RunFolder, find_runs, load_results
from harness.run import run
from harness.task import Score, Task
from harness.trials import Candidate
from tests.record.conftest import MANIFEST, complete_run, prediction

IDENTITY = {"task": {"eval": "e1", "train": "t1"}, "model": ["w1", "float32"], "seed": None}


@pytest.fixture
def started(tmp_path: Path) -> RunFolder:
    folder = RunFolder.of(tmp_path, "tickets", "prompt", IDENTITY)
    folder.start("seed: 0\n", force=False)
    return folder


def test_a_run_is_found_again_whatever_the_order_of_its_identity(tmp_path: Path) -> None:
    turned = {key: IDENTITY[key] for key in reversed(IDENTITY)}
    first = RunFolder.of(tmp_path, "tickets", "prompt", IDENTITY)
    assert RunFolder.of(tmp_path, "tickets", "prompt", turned).path == first.path
    assert first.path.parent == tmp_path / "tickets" / "prompt"


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 0},
        {"model": ["w1", "bfloat16"]},
        {"task": {"eval": "e1", "train": "t2"}},
        {"harness": "9"},
    ],
)
def test_any_change_of_what_determines_a_run_is_another_folder(
    tmp_path: Path, change: dict[str, object]
) -> None:
    first = RunFolder.of(tmp_path, "tickets", "prompt", IDENTITY)
    assert RunFolder.of(tmp_path, "tickets", "prompt", IDENTITY | change).path != first.path


def test_a_run_counts_only_when_everything_else_has_been_written(
    started: RunFolder, tmp_path: Path
) -> None:
    list(started.append([prediction("1", "red")]))
    scores, metrics = [Score("1", "1", {"accuracy": 1.0})], {"accuracy": mean_interval([1.0])}
    with pytest.raises(TypeError):  # as if killed on the way
        started.finish(scores, metrics, {}, {"what": object()}, [])
    assert not started.complete
    with pytest.raises(ResultsError):
        find_runs(tmp_path)
    started.finish(scores, metrics, {}, {"what": "all of it"}, [])
    assert started.complete
    written = {p.name: p.stat().st_mtime_ns for p in started.path.iterdir()}
    assert written["complete.json"] == max(written.values())


def test_a_complete_run_lists_the_sha256_of_all_its_files(started: RunFolder) -> None:
    list(started.append([prediction("1", "red")]))
    (started.path / "adapter").mkdir()
    (started.path / "adapter" / "adapter_model.safetensors").write_bytes(b"weights")
    started.finish([Score("1", "1", {"accuracy": 1.0})], {}, {}, {}, [])
    files = [p for p in started.path.rglob("*") if p.is_file() and p.name != "complete.json"]
    listed = started.read("complete.json")["sha256"]
    assert listed == {
        p.relative_to(started.path).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in files
    }
    assert {"predictions.jsonl", "adapter/adapter_model.safetensors"} < listed.keys()


def test_a_prediction_is_on_disk_before_it_is_passed_on(started: RunFolder) -> None:
    for count, _ in enumerate(started.append(prediction(str(i), "é") for i in range(3)), start=1):
        assert len(started.predictions()) == count


def test_an_interrupted_run_goes_on_where_it_stopped(started: RunFolder) -> None:
    answered = [prediction("1", "red"), prediction("2", "blue\n")]
    next(iter(started.append(answered)))
    started.start("seed: 0\n", force=False)
    assert started.predictions() == answered[:1]
    list(started.append(answered[1:]))
    assert started.predictions() == answered


def test_the_half_written_line_of_a_killed_run_is_cut_off_wherever_it_broke(
    started: RunFolder,
) -> None:
    whole, broken, later = (prediction(str(i), "café") for i in range(3))
    list(started.append([whole, broken]))
    path = started.path / "predictions.jsonl"
    data = path.read_bytes()
    first = data.index(b"\n") + 1
    for end in range(first, len(data)):
        path.write_bytes(data[:end])
        assert started.predictions() == [whole]
        assert path.read_bytes() == data[:end]
        list(started.append([later]))
        assert started.predictions() == [whole, later]


def test_force_leaves_nothing_of_the_earlier_run(tmp_path: Path) -> None:
    folder = complete_run(tmp_path)
    (folder.path / "checkpoints").mkdir()
    folder.start("seed: 1\n", force=True)
    assert [p.name for p in folder.path.iterdir()] == ["config.yaml"]
    assert folder.predictions() == []


def test_a_run_that_is_killed_while_it_makes_room_does_not_count_as_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    folder = complete_run(tmp_path)
    monkeypatch.setattr("shutil.rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        folder.start("", force=True)
    assert not folder.complete


def test_runs_are_rows_of_metric_and_slice_with_interval_and_n(tmp_path: Path) -> None:
    complete_run(tmp_path, "prompt")
    complete_run(tmp_path, "lora", answers={f"eval-{i}": "red" for i in range(4)}, seed=3)
    runs = load_results(tmp_path).runs
    about = ["run", "task", "rung", "model", "seed", "limit", "primary", "control", "eval_sha256"]
    numbers = ["slice", "metric", "value", "low", "high", "n", "method"]
    assert list(runs.columns) == about + numbers
    row = runs.query("rung == 'prompt' and slice == '' and metric == 'accuracy'").iloc[0]
    expected = mean_interval([1, 0, 1, 1])
    assert (row.value, row.low, row.high, row.n) == (0.75, expected.low, expected.high, 4)
    accuracy = runs[runs.metric == "accuracy"].set_index(["rung", "slice"]).value.to_dict()
    assert accuracy == {
        ("prompt", ""): 0.75, ("prompt", "odd=False"): 1.0, ("prompt", "odd=True"): 0.5,
        ("lora", ""): 1.0, ("lora", "odd=False"): 1.0, ("lora", "odd=True"): 1.0,
    }  # fmt: skip


def test_items_are_rows_of_run_and_example_with_answer_and_scores(tmp_path: Path) -> None:
    folder = complete_run(tmp_path)
    lines = (folder.path / "predictions.jsonl").read_text().splitlines()
    folder.write("predictions.jsonl", "\n".join(reversed(lines)) + "\n")
    items = load_results(tmp_path).items
    assert set(items.run) == {folder.path.relative_to(tmp_path).as_posix()}
    found = {row.id: (row.text, row.accuracy, row.passages) for row in items.itertuples()}
    assert found == {
        "eval-0": ("red", 1.0, ["P1", "P2"]),
        "eval-1": ("blue", 0.0, ["P1", "P2"]),
        "eval-2": ("red", 1.0, ["P1", "P2"]),
        "eval-3": ("red", 1.0, ["P1", "P2"]),
    }


def test_ids_and_answers_that_look_like_something_else_stay_text(tmp_path: Path) -> None:
    answers = {"007": "1", "1e3": "true", "2020-01-01": "null", "NaN": "", "7": "a\u2028b\x85c\r"}
    complete_run(tmp_path, answers=answers)
    items = load_results(tmp_path).items
    assert dict(zip(items.id, items.text, strict=True)) == answers


def test_ids_and_groups_that_look_like_one_number_stay_apart(tmp_path: Path) -> None:
    spelled = ["1", "01", "1.0", "1e0", "true", "null"]
    folder = complete_run(tmp_path, answers=dict.fromkeys(spelled, "red"))
    items = load_results(tmp_path).items
    assert list(items.id) == list(items.group) == spelled
    (run_result,) = read_ladder([folder]).runs
    assert run_result.groups == {name: name for name in spelled}
    assert list(run_result.values) == spelled
    assert len(set(group_labels(list(run_result.groups.values())))) == len(spelled)


def test_only_complete_runs_are_read(tmp_path: Path) -> None:
    complete_run(tmp_path, "prompt")
    (complete_run(tmp_path, "rag").path / "complete.json").unlink()
    assert set(load_results(tmp_path).runs.rung) == {"prompt"}


def test_runs_come_in_the_order_in_which_they_were_finished(tmp_path: Path) -> None:
    finished = [complete_run(tmp_path, rung) for rung in ("rag", "lora", "prompt")]
    assert [f.path for f in find_runs(tmp_path)] == [f.path for f in finished]


@pytest.mark.parametrize("where", [".", "nowhere"])
def test_without_a_complete_run_the_message_says_how_to_get_one(tmp_path: Path, where: str) -> None:
    with pytest.raises(ResultsError, match=r"holds no complete run; run `python -m harness"):
        load_results(tmp_path / where)


FILES = ["manifest.json", "metrics.json", "predictions.jsonl", "scores.jsonl"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [b'{"run": ', b"\xff\xfe", None])
def test_a_file_that_cannot_be_read_is_named_with_the_fix(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    folder = complete_run(tmp_path)
    folder.write(name, "")  # complete.json does not vouch for it any more
    path = folder.path / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(ResultsError, match=rf"{name}(:1)?: cannot be read \(.*run again"):
        load_results(tmp_path)


@pytest.mark.parametrize("content", [b'{"id": \n', b"\xff\xfe\n", b'{"id": "1"}\n', b"[]\n"])
def test_a_broken_line_of_predictions_is_named_with_the_fix(tmp_path: Path, content: bytes) -> None:
    folder = complete_run(tmp_path)
    folder.write("predictions.jsonl", (folder.path / "predictions.jsonl").read_text())
    with (folder.path / "predictions.jsonl").open("ab") as file:
        file.write(content)
    with pytest.raises(ResultsError, match=r"predictions.jsonl:5: cannot be read \(.*run again"):
        folder.predictions()


def test_the_runs_of_these_tests_record_what_a_real_run_records(
    tmp_path: Path, task: Task, tiny_spec: ModelSpec, letters: Embedder
) -> None:
    rung = Rung("prompt", "full")
    isolation = Isolation(near_duplicate=0.6, contained=0.9, leaks="stop")
    job = Job(
        task, [Candidate(rung, {"name": "prompt"}, "")], "free", tiny_spec, letters, isolation,
        Contrasts(["prompt"], True, [], None), controls=False, dev_questions=0, seed=0, force=False,
        root=tmp_path / "real", config="", variant="", sweep="s",
        command="",
    )  # fmt: skip
    real, ours = run(job), complete_run(tmp_path / "ours")
    assert sorted(p.name for p in real.path.iterdir()) == sorted(
        p.name for p in ours.path.iterdir()
    )
    assert real.read("manifest.json").keys() == upgraded(ours.read("manifest.json")).keys()
    assert real.read("manifest.json").keys() >= MANIFEST.keys()
    assert real.read("system.json")[0].keys() - {"gpu_memory_megabytes"} == (
        ours.read("system.json")[0].keys()
    )
    assert len(load_results(tmp_path / "real").items) == len(task.eval)
    assert json.loads((real.path / "predictions.jsonl").read_text().splitlines()[0]).keys() == (
        json.loads((ours.path / "predictions.jsonl").read_text().splitlines()[0]).keys()
    )
