"""One run as MLflow shows it: tags, params, metrics, curves, inputs and artifacts."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from harness.analysis.runs import known
from harness.errors import TrackingError
from harness.inert import code, visible
from harness.record.results import RunFolder

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["NOTE", "PARENT", "Run", "log_batch", "shortened", "times"]

LONGEST_PARAM = 6000
NOTE = "mlflow.note.content"
"""What the UI shows as a run's description, as Markdown."""
PARENT = "mlflow.parentRunId"
"""The tag by which the UI puts a run below another."""
LONGEST_NAME = 250
FILES = ("config.yaml", "manifest.json", "metrics.json", "training.json")
Point = tuple[str, float, int, int]
"""A metric's name, value and step, and when it was taken in milliseconds."""


@dataclass(frozen=True)
class Run:
    """What MLflow shows of one run, made before a store is asked for anything."""

    task: str
    id: str
    """Its path below results/."""
    sweep: str
    name: str
    began: int
    """Milliseconds, as `ended`."""
    ended: int
    tags: dict[str, str]
    params: dict[str, str]
    points: list[Point]
    digests: dict[str, str]
    """The data it was given, by split."""
    files: list[Path]
    predictions: pd.DataFrame

    @classmethod
    def of(cls, folder: RunFolder) -> Run:
        manifest = folder.manifest()
        seed = "" if manifest["seed"] is None else f"seed={manifest['seed']}"
        name = " ".join(filter(None, [manifest["rung"], manifest["variant"], seed]))
        began, ended = times(folder)
        flat = pd.json_normalize(manifest["identity"], sep=".").iloc[0].to_dict()
        probes = sorted(path.name for path in folder.path.glob("probe-*.json"))
        files = [folder.path / file for file in (*FILES, *probes)]
        return cls(
            task=manifest["task"],
            id=manifest["run"],
            sweep=manifest["sweep"],
            name=visible(name),
            began=began,
            ended=ended,
            tags=_tags(manifest),
            params={_legal(str(k)): visible(str(v))[:LONGEST_PARAM] for k, v in flat.items()},
            points=[*_metrics(folder, manifest), *_curves(folder)],
            digests=manifest["fingerprints"],
            files=[file for file in files if file.exists()],
            predictions=_predictions(folder),
        )

    def send(self, client: MlflowClient, experiment: str, parent: str) -> str:
        """Returns MLflow's id of it."""
        from mlflow.entities import Param

        tags = self.tags | {PARENT: parent}
        made = client.create_run(experiment, self.began, tags, run_name=self.name)
        run_id = str(made.info.run_id)
        client.log_batch(run_id, params=[Param(key, value) for key, value in self.params.items()])
        log_batch(client, run_id, self.points)
        self._send_inputs(client, run_id)
        for file in self.files:
            client.log_artifact(run_id, str(file))
        client.log_table(run_id, self.predictions, "predictions.json")
        client.set_terminated(run_id, end_time=self.ended)
        return run_id

    def _send_inputs(self, client: MlflowClient, run_id: str) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        source = json.dumps({"uri": f"tasks/{self.task}"})
        inputs = [
            DatasetInput(
                Dataset(f"{self.task}-{split}", self.digests[split][:36], "local", source),
                [InputTag("mlflow.data.context", split)],
            )
            for split in ("train", "dev", "eval", "corpus")
        ]
        client.log_inputs(run_id, datasets=inputs)


def _tags(manifest: dict[str, Any]) -> dict[str, str]:
    tags = {
        "harness.kind": "run",
        "harness.run": manifest["run"],
        "harness.sweep": manifest["sweep"],
        "task": manifest["task"],
        "rung": manifest["rung"],
        "model": str(manifest["model"]),
        "seed": str(manifest["seed"]),
        "eval_sha256": manifest["fingerprints"]["eval"],
        "isolation": manifest["isolation"]["decision"],
        "licence": str(manifest["licences"].get("model")),
        "limit": str(manifest["limit"]),
    }
    if manifest["control"]:
        tags["control"] = manifest["control"]["kind"]
    note = f"{code(manifest['command'])}\n\nAll of it: {code('results/' + manifest['run'])}"
    return {key: visible(value) for key, value in tags.items()} | {NOTE: note}


def times(folder: RunFolder) -> tuple[int, int]:
    """When a run began and ended, in milliseconds."""
    looks = [sample["time"] for sample in folder.read("system.json")]
    return round(1000 * min(looks)), round(1000 * max(looks))  # a clock may have been set back


def _metrics(folder: RunFolder, manifest: dict[str, Any]) -> list[Point]:
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
    return [(name, value, 0, 0) for name, value in values.items()]


def _curves(folder: RunFolder) -> list[Point]:
    """Loss by step, and what the machine was doing by second."""
    points: list[Point] = []
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
    return points


def log_batch(client: MlflowClient, run_id: str, points: Sequence[Point]) -> None:
    """Metrics; NaN is an error, MLflow would take it."""
    from mlflow.entities import Metric

    for name, value, _, _ in points:
        if math.isnan(value):
            raise TrackingError(f"metric '{name}' is NaN; it is not sent")
    entities = [Metric(_legal(name), float(v), at, step) for name, v, step, at in points]
    for start in range(0, len(entities), 1000):
        client.log_batch(run_id, metrics=entities[start : start + 1000])


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
