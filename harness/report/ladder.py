"""The ladder as data: one row per run, in ladder order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import ResultsError
from harness.evidence.statistics import Interval
from harness.record.results import RunFolder

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ORDER", "Row", "ladder", "ladders", "place", "warnings"]

ORDER = ("prompt", "few_shot", "rag", "lora", "rag_lora")
"""From the cheapest change to the deepest; rungs that are not named here follow by name."""
ONCE: dict[str, Any] = {
    "control": None, "dev": None, "dev_free": None, "template": None, "decoding": "free",
    "trials": [], "chosen": 0, "settings": "", "lowered": [],
}  # fmt: skip
"""What manifests of older results do not say."""


@dataclass(frozen=True)
class Row:
    """One run as a line of the table."""

    label: str
    """The rung, and whatever tells it from other runs of that rung."""
    key: str
    """The label without the seed: rows of one key are repetitions."""
    folder: RunFolder
    manifest: dict[str, Any]
    metrics: dict[str, Interval]
    slices: dict[str, dict[str, Interval]]
    prompt_tokens: float
    """Per question, as sent."""
    completion_tokens: float
    """Per question."""
    seconds: float
    """Per question."""
    scores: pd.DataFrame
    """Every measure [question, measure], by the question's id."""
    values: dict[str, float]
    """The primary metric of each question; empty if it only makes sense over a whole set."""
    groups: dict[str, str]
    """The scenario of each question."""

    @property
    def primary(self) -> Interval:
        return self.metrics[self.manifest["primary"]]


def ladders(folders: Iterable[RunFolder]) -> list[list[Row]]:
    """Runs as tables, one for each task and sealed eval set: others cannot be compared.

    The set that was answered last comes last.
    """
    tables: dict[tuple[str, str], list[RunFolder]] = {}
    for folder in folders:
        manifest = _manifest(folder)
        key = (manifest["task"], manifest["fingerprints"]["eval"])
        tables.setdefault(key, []).append(folder)
        tables[key] = tables.pop(key)
    return [ladder(group) for group in tables.values()]


def ladder(folders: Sequence[RunFolder]) -> list[Row]:
    """One table, in ladder order. Raises ResultsError if the eval sets differ."""
    manifests = [_manifest(folder) for folder in folders]
    for folder, manifest in zip(folders, manifests, strict=True):
        ours, theirs = manifest["fingerprints"]["eval"], manifests[0]["fingerprints"]["eval"]
        if ours != theirs:
            raise ResultsError(
                f"{folders[0].path} and {folder.path} answered different eval sets "
                f"({theirs[:8]}…, n={manifests[0]['n']} and {ours[:8]}…, n={manifest['n']}); "
                "they cannot stand in one table: compare runs of the same task and limit"
            )
    labels = _labels(manifests)
    rows = [_row(f, m, *names) for f, m, names in zip(folders, manifests, labels, strict=True)]
    return sorted(rows, key=_place)


def _manifest(folder: RunFolder) -> dict[str, Any]:
    return {**ONCE, **folder.read("manifest.json")}


def _row(folder: RunFolder, manifest: dict[str, Any], label: str, key: str) -> Row:
    numbers = folder.read("metrics.json")
    predictions = folder.predictions()
    scores = folder.table("scores.jsonl").set_index("id")
    primary = manifest["primary"]
    n = len(predictions)
    return Row(
        label=label,
        key=key,
        folder=folder,
        scores=scores,
        values=scores[primary].to_dict() if primary in scores else {},
        groups={str(i): str(group) for i, group in scores["group"].items()},
        manifest=manifest,
        metrics=_intervals(numbers["all"]),
        slices={tag: _intervals(part) for tag, part in numbers["slices"].items()},
        prompt_tokens=sum(p.prompt_tokens for p in predictions) / n,
        completion_tokens=sum(p.completion_tokens for p in predictions) / n,
        seconds=sum(p.seconds for p in predictions) / n,
    )


def _intervals(numbers: dict[str, Any]) -> dict[str, Interval]:
    return {name: Interval(**m) for name, m in numbers.items()}


def _labels(manifests: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """The rung's name, with the model, seed, overrides or hash where they differ between runs;
    and the same without the seed."""
    models = {m["model"] for m in manifests if m["model"]}
    variants = {m["variant"] for m in manifests}
    seeds = {m["seed"] for m in manifests if m["seed"] is not None}
    typed = []
    for m in manifests:
        parts = [m["rung"]]
        if len(variants) > 1:
            parts.append(m["variant"])
        if len(models) > 1:
            parts.append(m["model"])
        typed.append(" ".join(filter(None, parts)))
    marks = [_seedless(m) for m in manifests]
    labels: list[tuple[str, str]] = []
    for m, key, mark in zip(manifests, typed, marks, strict=True):
        # Nothing that was typed differs, so data, settings or weights do: a hash is left.
        twins = {other for name, other in zip(typed, marks, strict=True) if name == key}
        full = f"{key} {mark[:6]}" if len(twins) > 1 else key
        seed = f" seed={m['seed']}" if len(seeds) > 1 and m["seed"] is not None else ""
        labels.append((full + seed, full))
    return labels


def _seedless(manifest: dict[str, Any]) -> str:
    """A hash of all that determines the result but the seed; without a seed it is the folder's."""
    if manifest["seed"] is None:
        return str(manifest["run"].rpartition("/")[2])
    identity = json.dumps(manifest["identity"] | {"seed": None}, sort_keys=True)
    return hashlib.sha256(identity.encode()).hexdigest()


def place(rung: str) -> int:
    """Where a rung stands on the ladder, from 0; those that ORDER does not name are last."""
    return ORDER.index(rung) if rung in ORDER else len(ORDER)


def _place(row: Row) -> tuple[bool, str, int, str, str]:
    """Controls stand behind the ladder."""
    rung, control = row.manifest["rung"], row.manifest["control"] is not None
    return (control, row.manifest["model"] or "", place(rung), rung, row.label)


def warnings(rows: Sequence[Row]) -> list[str]:
    """What must be said loudly about these runs."""
    said: dict[str, None] = {}
    for row in rows:
        m = row.manifest
        if m["limit"] is not None:
            said[f"limit={m['limit']}: only the first {m['n']} eval examples were asked"] = None
        leaks = len(m["isolation"]["leaks"])
        if m["isolation"]["decision"] == "allowed":
            said[f"NOT ISOLATED: {leaks} leaks into eval were allowed; scores are inflated"] = None
        if m["isolation"]["decision"] == "dropped":
            said[f"{leaks} leaks into eval were found and taken out of what rungs learn from"] = (
                None
            )
        for line in m["lowered"]:
            said[f"{row.label}: {line}"] = None
        if row.metrics["failed"].value:
            count = round(row.metrics["failed"].value * m["n"])
            said[f"{row.label}: {count} predictions failed and count as wrong"] = None
    return list(said)
