"""MLflow on a real SQLite store: a mirror of results/ that can be made again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from harness.analysis.findings import findings
from harness.analysis.runs import read_ladder
from harness.errors import TrackingError
from harness.evidence.statistics import Interval
from harness.record.results import RunFolder, load_results
from harness.report import mlflow_run, patience
from harness.report.mlflow import Mlflow, _make_whole, main
from tests.record.conftest import ANSWERS, MANIFEST, TRAINING, complete_run

SWEEP = str(MANIFEST["sweep"])
NOBODY = "http://127.0.0.1:9"


@pytest.fixture(scope="module", autouse=True)
def locks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Lock files do not pile up in the machine's temporary folder."""
    with pytest.MonkeyPatch.context() as patch:
        folder = str(tmp_path_factory.mktemp("locks"))
        patch.setattr(tempfile, "tempdir", folder)
        patch.setenv("TMPDIR", folder)
        yield


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Making a store takes seconds; copying one does not."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    with Mlflow(f"sqlite:///{path}")._client() as client:
        assert client.search_experiments()
    return path


class Store(NamedTuple):
    uri: str
    client: MlflowClient

    def runs(self, kind: str = "run") -> list[Run]:
        experiment = self.client.get_experiment_by_name("tickets")
        query = f"tags.`harness.kind` = '{kind}'"
        found = self.client.search_runs([experiment.experiment_id], query) if experiment else []
        return sorted(found, key=lambda run: run.info.run_name)

    def artifact(self, run: Run, name: str) -> Path:
        return Path(self.client.download_artifacts(run.info.run_id, name))

    def series(self, run: Run, name: str) -> list[tuple[int, float]]:
        history = self.client.get_metric_history(run.info.run_id, name)
        return sorted((m.step, m.value) for m in history)


def copied(empty_store: Path, folder: Path) -> Store:
    shutil.copy(empty_store, folder / "mlflow.db")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    return Store(uri, MlflowClient(tracking_uri=uri))


@pytest.fixture
def store(empty_store: Path, tmp_path: Path) -> Store:
    return copied(empty_store, tmp_path)


class Mirrored(NamedTuple):
    store: Store
    lora: Run
    prompt: Run
    folders: list[RunFolder]


@pytest.fixture(scope="module")
def mirrored(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Mirrored:
    """A sweep of two rungs, mirrored and concluded; these tests only look at it."""
    folder = tmp_path_factory.mktemp("mirrored")
    store = copied(empty_store, folder)
    folders = [
        complete_run(folder, "prompt", more={"bleu/bleu": Interval(0.5, None, None, 4, "none")}),
        complete_run(folder, "lora", training=TRAINING, seed=7, variant="rung.adapter.config.r=4"),
    ]
    tracking = Mlflow(store.uri)
    for run in folders:
        tracking.mirror(run)
    tracking.conclude(SWEEP, findings(read_ladder(folders)))
    lora, prompt = store.runs()
    return Mirrored(store, lora, prompt, folders)


def test_a_sweep_is_a_parent_run_with_one_child_for_each_run(mirrored: Mirrored) -> None:
    (parent,) = mirrored.store.runs("sweep")
    assert parent.info.run_name == f"sweep {SWEEP}"
    for child in (mirrored.lora, mirrored.prompt):
        assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert child.info.status == parent.info.status == "FINISHED"
    names = [child.info.run_name for child in (mirrored.lora, mirrored.prompt)]
    assert names == ["lora rung.adapter.config.r=4 seed=7", "prompt"]


def test_tags_tell_what_was_run_on_which_eval_set(mirrored: Mirrored) -> None:
    manifest = mirrored.folders[1].read("manifest.json")
    expected = {
        "task": "tickets",
        "rung": "lora",
        "model": "tiny",
        "seed": "7",
        "harness.sweep": SWEEP,
        "harness.run": manifest["run"],
        "eval_sha256": manifest["fingerprints"]["eval"],
        "isolation": "sealed",
        "licence": "CC0-1.0",
    }
    assert expected.items() <= mirrored.lora.data.tags.items()


def test_a_control_says_so(store: Store, tmp_path: Path) -> None:
    control = {"kind": "majority", "of": None}
    folder = complete_run(tmp_path / "results", "majority", control=control)
    Mlflow(store.uri).mirror(folder)
    Mlflow(store.uri).conclude(SWEEP, findings(read_ladder([folder])))
    (run,) = store.runs()
    assert run.data.tags["control"] == "majority"
    (parent,) = store.runs("sweep")
    assert not any(name.startswith("ladder/") for name in parent.data.metrics)


def test_params_are_what_determines_the_run(mirrored: Mirrored) -> None:
    identity = mirrored.folders[1].read("manifest.json")["identity"]
    params = mirrored.lora.data.params
    assert params["rung.name"] == "lora"
    assert params["seed"] == "7"
    assert params["task.eval"] == identity["task"]["eval"]
    assert params["model"] == str(identity["model"])
    assert mirrored.prompt.data.params["seed"] == "None"


def test_metrics_come_with_their_intervals_slices_and_costs(mirrored: Mirrored) -> None:
    numbers = mirrored.folders[0].read("metrics.json")
    metrics = mirrored.prompt.data.metrics
    assert metrics["accuracy"] == 0.75
    assert metrics["interval/accuracy low"] == pytest.approx(numbers["all"]["accuracy"]["low"])
    assert metrics["interval/accuracy high"] == pytest.approx(numbers["all"]["accuracy"]["high"])
    assert metrics["slice/odd True/accuracy"] == 0.5
    assert metrics["bleu/bleu"] == 0.5
    assert "interval/bleu/bleu low" not in metrics
    assert metrics["cost/prompt_tokens per question"] == 100
    assert metrics["cost/seconds per question"] == 0.5
    assert metrics["cost/peak memory MB"] == 512
    assert "cost/training seconds" not in metrics
    assert mirrored.lora.data.metrics["cost/training seconds"] == 3.5
    assert mirrored.lora.data.metrics["cost/training trainable"] == 1536


def test_training_curves_and_the_machine_are_series(mirrored: Mirrored) -> None:
    store, lora = mirrored.store, mirrored.lora
    assert store.series(lora, "training/loss") == [(1, 2.0), (2, 1.5)]
    assert store.series(lora, "training/dev_accuracy") == [(2, 0.5)]
    processor = "system/cpu_utilization_percentage"
    assert store.series(lora, processor) == [(0, 50.0), (1, 51.0), (2, 52.0)]
    times = [m.timestamp for m in store.client.get_metric_history(lora.info.run_id, processor)]
    assert sorted(times) == [1_700_000_000_000, 1_700_000_001_000, 1_700_000_002_000]


def test_the_data_of_a_run_are_its_inputs(mirrored: Mirrored) -> None:
    fingerprints = mirrored.folders[0].read("manifest.json")["fingerprints"]
    found = {
        tag.value: (given.dataset.name, given.dataset.digest)
        for given in mirrored.prompt.inputs.dataset_inputs
        for tag in given.tags
        if tag.key == "mlflow.data.context"
    }
    splits = ("train", "dev", "eval", "corpus")
    assert found == {s: (f"tickets-{s}", fingerprints[s][:36]) for s in splits}


def test_config_manifest_and_predictions_are_artifacts(mirrored: Mirrored) -> None:
    store, (prompt, lora) = mirrored.store, mirrored.folders
    for run, folder in ((mirrored.prompt, prompt), (mirrored.lora, lora)):
        for name in ("config.yaml", "manifest.json", "metrics.json"):
            assert store.artifact(run, name).read_text() == (folder.path / name).read_text()
    assert json.loads(store.artifact(mirrored.lora, "training.json").read_text())["curve"]["points"]
    table = json.loads(store.artifact(mirrored.prompt, "predictions.json").read_text())
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    assert {row["id"]: row["text"] for row in rows} == ANSWERS
    assert [row["accuracy"] for row in rows] == [1.0, 0.0, 1.0, 1.0]


def test_the_parent_run_shows_the_ladder_as_table_and_chart(mirrored: Mirrored) -> None:
    (parent,) = mirrored.store.runs("sweep")
    table = json.loads(mirrored.store.artifact(parent, "ladder.json").read_text())
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    labels = ["prompt", "lora rung.adapter.config.r=4*"]
    assert [(r["rung"], r["n"], r["accuracy"]) for r in rows] == [(x, 4, 0.75) for x in labels]
    findings = json.loads(mirrored.store.artifact(parent, "findings.json").read_text())
    assert [rung["label"] for rung in findings["rungs"]] == labels
    text = mirrored.store.artifact(parent, "ladder.md").read_text()
    assert all(label in text for label in labels)
    assert text.index("scored the same on every question") < text.index("scores, %")
    assert parent.data.tags["mlflow.note.content"] == text
    assert [k for k in sorted(parent.data.metrics) if k.startswith("ladder/")] == [
        "ladder/10 prompt", "ladder/40 lora rung.adapter.config.r 4",
    ]  # fmt: skip
    chart = mirrored.store.artifact(parent, "ladder.png").read_bytes()
    assert chart.startswith(b"\x89PNG")


def test_artifacts_lie_beside_the_store(mirrored: Mirrored) -> None:
    beside = Path(mirrored.store.uri.removeprefix("sqlite:///")).parent / "mlartifacts"
    assert mirrored.lora.info.artifact_uri.startswith(beside.as_uri())


def test_mirroring_again_adds_nothing(store: Store, tmp_path: Path) -> None:
    folder = complete_run(tmp_path / "results")
    for _ in range(2):
        Mlflow(store.uri).mirror(folder)
        Mlflow(store.uri).conclude(SWEEP, findings(read_ladder([folder])))
    assert (len(store.runs()), len(store.runs("sweep"))) == (1, 1)
    (run,) = store.runs()
    table = json.loads(store.artifact(run, "predictions.json").read_text())
    assert len(table["data"]) == len(ANSWERS)


def test_a_run_that_was_done_again_takes_the_place_of_its_mirror(
    store: Store, tmp_path: Path
) -> None:
    tracking = Mlflow(store.uri)
    tracking.mirror(complete_run(tmp_path / "results"))
    tracking.mirror(complete_run(tmp_path / "results", answers=dict.fromkeys(ANSWERS, "red")))
    (run,) = store.runs()
    assert run.data.metrics["accuracy"] == 1.0


def test_a_mirroring_that_broke_off_is_made_again(store: Store, tmp_path: Path) -> None:
    folder = complete_run(tmp_path / "results")
    text = (folder.path / "system.json").read_text()
    folder.write("system.json", '[{"time": 1.0, "cpu_utilization_percentage": NaN}]')
    with pytest.raises(TrackingError):
        Mlflow(store.uri).mirror(folder)
    folder.write("system.json", text)
    Mlflow(store.uri).mirror(folder)
    (run,) = store.runs()
    assert run.info.status == "FINISHED"
    assert run.data.metrics["system/cpu_utilization_percentage"] == 52.0


def test_a_metric_that_is_nan_is_refused(store: Store, tmp_path: Path) -> None:
    nan = Interval(float("nan"), None, None, 4, "none")
    folder = complete_run(tmp_path / "results", more={"bleu/bleu": nan})
    with pytest.raises(TrackingError, match="metric 'bleu/bleu' is NaN"):
        Mlflow(store.uri).mirror(folder)


def test_a_fault_of_harness_is_not_taken_for_one_of_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow_run, "_curves", lambda folder: {}["no such key"])
    with pytest.raises(KeyError):
        Mlflow(NOBODY).mirror(complete_run(tmp_path / "results"))


@pytest.mark.parametrize("value", ["@ = [1]", "a//b", "/../a", "x" * 300, "1/2/", "ü"])
def test_tags_of_any_spelling_become_metric_names_that_mlflow_takes(
    store: Store, tmp_path: Path, value: str
) -> None:
    folder = complete_run(tmp_path / "results")
    numbers = folder.read("metrics.json")
    numbers["slices"] = {f"place={value}": numbers["slices"]["odd=True"]}
    folder.write("metrics.json", json.dumps(numbers))
    Mlflow(store.uri).mirror(folder)
    (run,) = store.runs()
    found = [v for k, v in run.data.metrics.items() if k.startswith("slice/place ")]
    assert sorted(found) == sorted(m["value"] for m in numbers["slices"][f"place={value}"].values())


def test_settings_that_are_long_are_shortened(store: Store, tmp_path: Path) -> None:
    Mlflow(store.uri).mirror(complete_run(tmp_path / "results", variant="x" * 7000))
    (run,) = store.runs()
    assert run.data.params["rung.variant"] == "x" * 6000


def test_hostile_names_and_commands_are_text_in_the_ui(store: Store, tmp_path: Path) -> None:
    variant, command = "![x](http://a.b) \x1b[31m\u202e", "python ` <img src=x onerror=alert(1)>"
    Mlflow(store.uri).mirror(complete_run(tmp_path / "results", variant=variant, command=command))
    (run,) = store.runs()
    assert run.info.run_name == r"prompt ![x](http://a.b) \x1b[31m\u202e"
    note = run.data.tags["mlflow.note.content"]  # rendered as Markdown
    assert note.startswith(f"`` {command} ``\n\nAll of it: `results/tickets/prompt/")


def test_a_task_from_somebody_else_names_no_folder_elsewhere(store: Store, tmp_path: Path) -> None:
    folder = complete_run(tmp_path / "results")
    text = (folder.path / "manifest.json").read_text()
    folder.write("manifest.json", text.replace('"task": "tickets"', '"task": "../../x"'))
    with pytest.raises(TrackingError, match="must be the name of one folder"):
        Mlflow(store.uri).mirror(folder)


def test_a_server_that_is_down_is_noticed_soon_and_loses_nothing(
    store: Store, tmp_path: Path
) -> None:
    folder = complete_run(tmp_path / "results")
    before = {p.name: p.read_bytes() for p in folder.path.iterdir()}
    began = time.perf_counter()
    with pytest.raises(TrackingError, match=r"127\.0\.0\.1:9 failed .*start the server, fix"):
        Mlflow(NOBODY).mirror(folder)
    assert time.perf_counter() - began < 15
    assert {p.name: p.read_bytes() for p in folder.path.iterdir()} == before
    assert len(load_results(tmp_path / "results").items) == len(ANSWERS)
    Mlflow(store.uri).mirror(folder)
    assert len(store.runs()) == 1


@pytest.mark.parametrize(
    "uri", ["nonsense://here", "sqlite:///{}/notes.txt", "{}/mlruns", "sqlite:///{}"]
)
def test_a_store_that_cannot_be_used_is_a_tracking_error_at_once(
    tmp_path: Path, uri: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """MLflow opens a file that is no database ten times, in two minutes, with a page for each."""
    (tmp_path / "notes.txt").write_text("This is no database, however long one looks at it.\n" * 9)
    began = time.perf_counter()
    with pytest.raises(TrackingError, match="say tracking=none"):
        Mlflow(uri.format(tmp_path)).mirror(complete_run(tmp_path / "results"))
    assert time.perf_counter() - began < 15
    assert capfd.readouterr().err == ""


class Answering(BaseHTTPRequestHandler):
    """A server that is no MLflow server: it answers what its class says."""

    status = 200
    body = b"<html>It works!</html>"
    seconds = 0.0

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        time.sleep(self.seconds)
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


class Listening(ThreadingHTTPServer):
    """A server whose late answers, to a client that has hung up, tell no later test of it."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@contextmanager
def server(**changes: object) -> Iterator[str]:
    """The URI of a server that answers so."""
    kind = type("Kind", (Answering,), changes)
    with Listening(("127.0.0.1", 0), kind) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


@pytest.mark.parametrize(
    "changes", [{}, {"status": 500}, {"status": 401, "body": b"wrong password"}, {"seconds": 60}]
)
def test_whatever_a_server_answers_is_a_tracking_error_within_patience(
    tmp_path: Path, changes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "QUICK", 0.5)
    folder = complete_run(tmp_path / "results")
    with server(**changes) as uri:
        tracking = Mlflow(uri, patience=1)
        began = time.perf_counter()
        for _ in range(3):
            with pytest.raises(TrackingError, match=f"tracking at {uri} failed"):
                tracking.mirror(folder)
    assert time.perf_counter() - began < 15


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    tracking = Mlflow("http://me:secret@127.0.0.1:9")
    with pytest.raises(TrackingError, match=r"tracking at http://\*\*\*@127") as error:
        tracking.mirror(complete_run(tmp_path / "results"))
    assert "secret" not in f"{error.value} {tracking.command(tmp_path)}"


def test_what_a_request_without_an_answer_made_twice_is_there_once_after_the_next_mirroring(
    store: Store, tmp_path: Path
) -> None:
    tracking, folder = Mlflow(store.uri), complete_run(tmp_path / "results")
    tracking.mirror(folder)
    (run,), (parent,) = store.runs(), store.runs("sweep")
    for one in (run, parent):
        tags = {k: v for k, v in one.data.tags.items() if k != "harness.complete"}
        store.client.create_run(one.info.experiment_id, tags=tags)
    tracking.mirror(folder)
    tracking.conclude(SWEEP, findings(read_ladder([folder])))
    assert [one.info.run_id for one in store.runs()] == [run.info.run_id]
    (kept,) = store.runs("sweep")
    assert store.runs()[0].data.tags["mlflow.parentRunId"] == kept.info.run_id


def test_the_command_mirrors_a_results_folder_sweep_by_sweep(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    complete_run(results, "prompt", sweep="monday")
    complete_run(results, "rag", sweep="tuesday")
    for _ in range(2):
        assert main([str(results), "--uri", store.uri]) == 0
    assert capsys.readouterr().out.count(f"mirrored 2 runs to {store.uri}") == 2
    assert [run.info.run_name for run in store.runs()] == ["prompt", "rag"]
    shown = {
        parent.info.run_name: json.loads(store.artifact(parent, "ladder.json").read_text())["data"]
        for parent in store.runs("sweep")
    }
    assert {name: [row[0] for row in rows] for name, rows in shown.items()} == {
        "sweep monday": ["prompt"],
        "sweep tuesday": ["rag"],
    }


def test_the_command_says_in_one_line_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path), "--uri", f"sqlite:///{tmp_path}/mlflow.db"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and said[0].startswith(f"error: {tmp_path}: holds no complete run")


MIRROR = """
import sys
from pathlib import Path
from harness.record.results import RunFolder
from harness.report.mlflow import Mlflow
Mlflow(sys.argv[2]).mirror(RunFolder(Path(sys.argv[1])))
"""


def test_four_processes_may_open_one_fresh_store_at_once(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    rungs = ("few_shot", "lora", "prompt", "rag")
    everyone = [
        subprocess.Popen(
            [sys.executable, "-c", MIRROR, str(complete_run(tmp_path, rung).path), uri],
            stderr=subprocess.PIPE,
            text=True,
        )
        for rung in rungs
    ]
    complaints = [process.communicate(timeout=120)[1] for process in everyone]
    assert [process.returncode for process in everyone] == [0, 0, 0, 0], complaints
    store = Store(uri, MlflowClient(tracking_uri=uri))
    assert [run.info.run_name for run in store.runs()] == list(rungs)
    (parent,) = store.runs("sweep")
    assert {run.data.tags["mlflow.parentRunId"] for run in store.runs()} == {parent.info.run_id}


def test_a_fresh_store_is_there_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mlflow.db"
    (tmp_path / "mlflow.db.1.part").touch()  # of a process that was killed
    made: list[Path] = []

    class Client:
        def __init__(self, tracking_uri: str) -> None:
            made.append(Path(tracking_uri.removeprefix("sqlite:///")))

        def search_experiments(self, max_results: int) -> None:
            assert not path.exists()
            made[-1].write_text("tables")

    monkeypatch.setattr(mlflow, "MlflowClient", Client)
    for uri in (f"sqlite:///{path}", f"sqlite:///{path}", NOBODY):
        _make_whole(uri)
    assert path.read_text() == "tables"
    assert len(made) == 1
    assert list(tmp_path.iterdir()) == [path]
