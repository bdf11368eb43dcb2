"""One run as MLflow shows it: tags, params, metrics, curves, inputs and artifacts."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from harness.analysis.runs import known
from harness.errors import TrackingError
from harness.inert import code, visible
from harness.record.results import RunFolder

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["NOTE", "PARENT", "log_batch", "log_run", "shortened", "times"]

LONGEST_PARAM = 6000
NOTE = "mlflow.note.content"
"""What the UI shows as a run's description, as Markdown."""
PARENT = "mlflow.parentRunId"
"""The tag by which the UI puts a run below another."""
LONGEST_NAME = 250


def log_run(
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
        PARENT: parent,
        "task": manifest["task"],
        "rung": manifest["rung"],
        "model": str(manifest["model"]),
        "seed": str(manifest["seed"]),
        "eval_sha256": manifest["fingerprints"]["eval"],
        "isolation": manifest["isolation"]["decision"],
        "licence": str(manifest["licences"].get("model")),
        "limit": str(manifest["limit"]),
        NOTE: f"{code(manifest['command'])}\n\nAll of it: {code('results/' + manifest['run'])}",
    }
    if manifest["control"]:
        tags["control"] = manifest["control"]["kind"]
    seed = "" if manifest["seed"] is None else f"seed={manifest['seed']}"
    name = " ".join(filter(None, [manifest["rung"], manifest["variant"], seed]))
    began, ended = times(folder)
    shown = {key: value if key == NOTE else visible(value) for key, value in tags.items()}
    run_id = client.create_run(experiment, began, shown, run_name=visible(name)).info.run_id
    _log_params(client, run_id, manifest)
    _log_metrics(client, run_id, folder, manifest)
    _log_curves(client, run_id, folder)
    _log_datasets(client, run_id, manifest)
    probes = sorted(path.name for path in folder.path.glob("probe-*.json"))
    for artifact in ("config.yaml", "manifest.json", "metrics.json", "training.json", *probes):
        if (folder.path / artifact).exists():
            client.log_artifact(run_id, str(folder.path / artifact))
    client.log_table(run_id, _predictions(folder), "predictions.json")
    client.set_terminated(run_id, end_time=ended)
    return str(run_id)


def times(folder: RunFolder) -> tuple[int, int]:
    """When a run began and ended, in milliseconds."""
    looks = [sample["time"] for sample in folder.read("system.json")]
    return round(1000 * min(looks)), round(1000 * max(looks))  # a clock may have been set back


def _log_params(client: MlflowClient, run_id: str, manifest: dict[str, Any]) -> None:
    from mlflow.entities import Param

    flat = pd.json_normalize(manifest["identity"], sep=".").iloc[0].to_dict()
    params = [Param(_legal(str(k)), visible(str(v))[:LONGEST_PARAM]) for k, v in flat.items()]
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
        if found := known(predictions, cost):
            values[f"cost/{cost} per question"] = sum(found) / len(found)
    if not manifest["external"]:
        values["cost/peak memory MB"] = manifest["peak_memory_mb"]
        values["cost/total seconds"] = manifest["seconds"]["total"]
    for name in ("seconds", "trainable", "megabytes", "tokens"):
        if manifest["training"]:
            values[f"cost/training {name}"] = manifest["training"][name]
    log_batch(client, run_id, [(name, value, 0, 0) for name, value in values.items()])


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
    log_batch(client, run_id, points)


def log_batch(
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
    return (
        legal if len(legal) <= LONGEST_NAME else f"{legal[: LONGEST_NAME - 17]} {shortened(name)}"
    )


def shortened(text: str) -> str:
    """16 hex digits for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
