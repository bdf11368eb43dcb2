"""MLflow, as a mirror of results/: whatever it loses can be made again from disk.

`python -m harness.record.tracking RESULTS` mirrors every complete run below a folder; runs that
are there already are left alone. The only file that imports mlflow.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import math
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd
from filelock import FileLock

from harness.errors import HarnessError, TrackingError, first_line
from harness.record.results import COMPLETE, RunFolder, find_runs

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from harness.report.findings import Findings
    from harness.report.ladder import Row

__all__ = ["Mlflow", "NoTracking", "Tracking", "main"]

DEFAULT_URI = f"sqlite:///{Path.cwd()}/mlflow.db"
LONGEST_PARAM = 6000
NOTE = "mlflow.note.content"
"""What the UI shows as a run's description, as Markdown."""
LONGEST_NOTE = 8000
"""MLflow would cut a longer description off, wherever that is."""
LONGEST_NAME = 250


class Tracking(Protocol):
    """Where runs are mirrored."""

    def mirror(self, folder: RunFolder) -> None:
        """Show a complete run. Raises TrackingError; the run on disk is safe either way."""

    def conclude(self, sweep: str, rows: Sequence[Row], found: Findings) -> None:
        """Show the ladder on the sweep's parent run."""


class NoTracking:
    """Nowhere."""

    def mirror(self, folder: RunFolder) -> None:
        pass

    def conclude(self, sweep: str, rows: Sequence[Row], found: Findings) -> None:
        pass


class Mlflow:
    """An MLflow store or server: one experiment per task, a parent run per sweep."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def mirror(self, folder: RunFolder) -> None:
        manifest = folder.read("manifest.json")
        with self._client() as client:
            experiment = self._experiment(client, manifest["task"])
            state = (folder.path / COMPLETE).read_text()
            found = _search(client, experiment, "harness.run", manifest["run"])
            if any(run.data.tags.get("harness.complete") == _short(state) for run in found):
                return
            for run in found:  # an earlier state of this run, or a mirroring that broke off
                client.delete_run(run.info.run_id)
            began, _ = _times(folder)
            parent = self._parent(client, experiment, manifest["sweep"], manifest["task"], began)
            run_id = _log_run(client, experiment, parent, folder, manifest)
            client.set_tag(run_id, "harness.complete", _short(state))

    def conclude(self, sweep: str, rows: Sequence[Row], found: Findings) -> None:
        from harness.report.entries import summary
        from harness.report.figures import ladder_chart, save
        from harness.report.ladder import place
        from harness.report.markdown import fitting, markdown
        from harness.report.page import page

        task = rows[0].manifest["task"]
        with self._client() as client, tempfile.TemporaryDirectory() as scratch:
            experiment = self._experiment(client, task)
            parent = self._parent(client, experiment, sweep, task, began=None)
            client.set_terminated(parent, end_time=max(_times(row.folder)[1] for row in rows))
            # Numbered as the ladder is, so that the UI sorts them; the same in every sweep.
            names = [f"ladder/{1 + place(e.manifest['rung'])} {e.key}" for e in found.ladder]
            values = [entry.primary.value for entry in found.ladder]
            _log_batch(client, parent, [(k, v, 0, 0) for k, v in zip(names, values, strict=True)])
            table = pd.DataFrame([summary(entry) for entry in found.ladder])
            client.log_text(parent, table.to_json(orient="split"), "ladder.json")
            parts = markdown(rows, found)
            client.log_text(parent, "\n\n".join(parts), "ladder.md")
            note = fitting(parts, LONGEST_NOTE, "The rest is in the artifact ladder.md.")
            client.set_tag(parent, NOTE, note)
            client.log_text(parent, page(rows, found), "report.html")
            if found.ladder:
                save(ladder_chart(found.ladder), Path(scratch) / "ladder.png")
                client.log_artifact(parent, str(Path(scratch) / "ladder.png"))

    @contextmanager
    def _client(self) -> Iterator[MlflowClient]:
        """A client, one process at a time: a fresh SQLite store does not survive a race."""
        # A server that is down should be noticed in seconds, not after minutes of retries.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        for chatty in ("alembic", "mlflow"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
        lock = FileLock(Path(tempfile.gettempdir()) / f"harness-{_short(self.uri)}.lock")
        try:
            with lock:
                yield MlflowClient(tracking_uri=self.uri)
        except (MlflowException, SQLAlchemyError, OSError) as error:
            reason = first_line(error)[:200]
            raise TrackingError(
                f"tracking at {self.uri} failed ({reason}); start the server, mend tracking.uri, "
                "or say tracking=none"
            ) from error

    def _experiment(self, client: MlflowClient, name: str) -> str:
        found = client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        match = re.match(r"sqlite:///(/.*)", self.uri)
        # SQLite's default would be ./mlruns, wherever that happens to be.
        where = (Path(match[1]).parent / "mlartifacts" / name).as_uri() if match else None
        return str(client.create_experiment(name, artifact_location=where))

    def _parent(
        self, client: MlflowClient, experiment: str, sweep: str, task: str, began: int | None
    ) -> str:
        found = _search(client, experiment, "harness.sweep", sweep, parents=True)
        if found:
            return str(found[0].info.run_id)
        tags = {"harness.sweep": sweep, "harness.kind": "sweep", "task": task}
        run = client.create_run(experiment, began, tags, run_name=f"sweep {sweep}")
        client.set_terminated(run.info.run_id)
        return str(run.info.run_id)


def _search(
    client: MlflowClient, experiment: str, tag: str, value: str, *, parents: bool = False
) -> list[Any]:
    kind = "sweep" if parents else "run"
    query = f"tags.`{tag}` = '{value}' and tags.`harness.kind` = '{kind}'"
    return list(client.search_runs([experiment], query))


def _log_run(
    client: MlflowClient,
    experiment: str,
    parent: str,
    folder: RunFolder,
    manifest: dict[str, Any],
) -> str:
    """Everything there is to see of one run; returns MLflow's id of it."""
    tags = {
        "harness.kind": "run",
        "harness.run": manifest["run"],
        "harness.sweep": manifest["sweep"],
        "mlflow.parentRunId": parent,
        "task": manifest["task"],
        "rung": manifest["rung"],
        "model": manifest["model"],
        "seed": str(manifest["seed"]),
        "eval_sha256": manifest["fingerprints"]["eval"],
        "isolation": manifest["isolation"]["decision"],
        "licence": manifest["licences"]["model"],
        "limit": str(manifest["limit"]),
        NOTE: f"`{manifest['command']}`\n\nAll of it: `results/{manifest['run']}`",
    }
    if manifest.get("control"):  # older results do not say
        tags["control"] = manifest["control"]["kind"]
    seed = "" if manifest["seed"] is None else f"seed={manifest['seed']}"
    name = " ".join(filter(None, [manifest["rung"], manifest["variant"], seed]))
    began, ended = _times(folder)
    run_id = client.create_run(experiment, began, tags, run_name=name).info.run_id
    _log_params(client, run_id, manifest)
    _log_metrics(client, run_id, folder, manifest)
    _log_curves(client, run_id, folder)
    _log_datasets(client, run_id, manifest)
    for artifact in ("config.yaml", "manifest.json", "metrics.json", "training.json"):
        if (folder.path / artifact).exists():
            client.log_artifact(run_id, str(folder.path / artifact))
    client.log_table(run_id, _predictions(folder), "predictions.json")
    client.set_terminated(run_id, end_time=ended)
    return str(run_id)


def _times(folder: RunFolder) -> tuple[int, int]:
    """When a run began and ended, in milliseconds."""
    samples = folder.read("system.json")
    return round(1000 * samples[0]["time"]), round(1000 * samples[-1]["time"])


def _log_params(client: MlflowClient, run_id: str, manifest: dict[str, Any]) -> None:
    from mlflow.entities import Param

    flat = pd.json_normalize(manifest["identity"], sep=".").iloc[0].to_dict()
    params = [Param(_legal(str(k)), str(v)[:LONGEST_PARAM]) for k, v in flat.items()]
    client.log_batch(run_id, params=params)


def _log_metrics(
    client: MlflowClient, run_id: str, folder: RunFolder, manifest: dict[str, Any]
) -> None:
    numbers = folder.read("metrics.json")
    values: dict[str, float] = {}
    for name, m in numbers["all"].items():
        values[name] = m["value"]
        if m["low"] is not None:
            values[f"interval/{name} low"], values[f"interval/{name} high"] = m["low"], m["high"]
    for tag, part in numbers["slices"].items():
        values |= {f"slice/{tag}/{name}": m["value"] for name, m in part.items()}
    predictions = folder.predictions()
    for cost in ("prompt_tokens", "computed_tokens", "completion_tokens", "seconds"):
        total = sum(getattr(p, cost) for p in predictions)
        values[f"cost/{cost} per question"] = total / len(predictions)
    values["cost/peak memory MB"] = manifest["peak_memory_mb"]
    values["cost/total seconds"] = manifest["seconds"]["total"]
    for name in ("seconds", "trainable", "megabytes", "tokens"):
        if manifest["training"]:
            values[f"cost/training {name}"] = manifest["training"][name]
    _log_batch(client, run_id, [(name, value, 0, 0) for name, value in values.items()])


def _log_curves(client: MlflowClient, run_id: str, folder: RunFolder) -> None:
    """Loss by step, and what the machine was doing by second."""
    points: list[tuple[str, float, int, int]] = []
    if (folder.path / "training.json").exists():
        for point in folder.read("training.json")["curve"]["points"]:
            step = int(point["step"])
            points += [
                (f"training/{k}", v, step, 0)
                for k, v in point.items()
                if k not in ("step", "epoch")
            ]
    for step, sample in enumerate(folder.read("system.json")):
        at = int(1000 * sample.pop("time"))
        points += [(f"system/{name}", value, step, at) for name, value in sample.items()]
    _log_batch(client, run_id, points)


def _log_batch(
    client: MlflowClient, run_id: str, points: Sequence[tuple[str, float, int, int]]
) -> None:
    """Metrics as (name, value, step, milliseconds); NaN is an error, MLflow would take it."""
    from mlflow.entities import Metric

    for name, value, _, _ in points:
        if math.isnan(value):
            raise TrackingError(f"metric '{name}' is NaN; it is not sent")
    entities = [Metric(_legal(name), float(v), at, step) for name, v, step, at in points]
    for start in range(0, len(entities), 1000):
        client.log_batch(run_id, metrics=entities[start : start + 1000])


def _log_datasets(client: MlflowClient, run_id: str, manifest: dict[str, Any]) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    client.log_inputs(
        run_id,
        datasets=[
            DatasetInput(
                Dataset(
                    name=f"{manifest['task']}-{split}",
                    digest=manifest["fingerprints"][split][:36],
                    source_type="local",
                    source=json.dumps({"uri": f"tasks/{manifest['task']}"}),
                ),
                [InputTag("mlflow.data.context", split)],
            )
            for split in ("train", "dev", "eval", "corpus")
        ],
    )


def _predictions(folder: RunFolder) -> pd.DataFrame:
    scores = folder.table("scores.jsonl")
    rows = [{"id": p.id, "text": p.text, "finish": p.finish} for p in folder.predictions()]
    return pd.DataFrame(rows).merge(scores, on="id")


def _legal(name: str) -> str:
    """A metric or param name that MLflow takes: its letters, no odd path, at most 250 long."""
    parts = re.sub(r"[^\w./ -]", " ", name).split("/")
    legal = "/".join(part for part in parts if part not in ("", ".", ".."))
    return legal if len(legal) <= LONGEST_NAME else f"{legal[: LONGEST_NAME - 17]} {_short(name)}"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def main(arguments: list[str] | None = None) -> int:
    """Mirror all complete runs below a folder; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m harness.record.tracking",
        description="Mirror the complete runs of a results folder to MLflow, without duplicates.",
    )
    parser.add_argument("results", help="a results folder, or a folder of one run")
    parser.add_argument("--uri", default=DEFAULT_URI, help="tracking URI (default: %(default)s)")
    options = parser.parse_args(arguments)
    tracking = Mlflow(options.uri)
    from harness.report.findings import findings
    from harness.report.ladder import ladders

    try:
        folders = find_runs(options.results)
        for folder in folders:
            tracking.mirror(folder)
        for rows in ladders(folders):
            for sweep in dict.fromkeys(row.manifest["sweep"] for row in rows):
                ours = [row for row in rows if row.manifest["sweep"] == sweep]
                tracking.conclude(sweep, ours, findings(ours))
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"mirrored {len(folders)} runs to {options.uri}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
