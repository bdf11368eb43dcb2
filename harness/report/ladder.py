"""The ladder as data: one row per run, in ladder order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import ResultsError
from harness.evidence.statistics import Interval
from harness.record.results import RunFolder

__all__ = ["ORDER", "Row", "ladder", "ladders", "warnings"]

ORDER = (
    "prompt", "few_shot", "rag", "rag_few_shot", "constrained", "constrained_few_shot",
    "lora", "constrained_lora", "rag_lora",
)  # fmt: skip
"""From the cheapest change to the deepest; rungs that are not named here follow by name."""


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
        manifest = folder.read("manifest.json")
        key = (manifest["task"], manifest["fingerprints"]["eval"])
        tables.setdefault(key, []).append(folder)
        tables[key] = tables.pop(key)
    return [ladder(group) for group in tables.values()]


def ladder(folders: Sequence[RunFolder]) -> list[Row]:
    """One table, in ladder order. Raises ResultsError if the eval sets differ."""
    manifests = [folder.read("manifest.json") for folder in folders]
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
    models = {m["model"] for m in manifests}
    variants = {m["variant"] for m in manifests}
    seeds = {m["seed"] for m in manifests if m["seed"] is not None}
    labels: list[tuple[str, str]] = []
    for m in manifests:
        parts = [m["rung"]]
        if len(variants) > 1:
            parts.append(m["variant"])
        if len(models) > 1:
            parts.append(m["model"])
        key = label = " ".join(filter(None, parts))
        if len(seeds) > 1 and m["seed"] is not None:
            label = f"{key} seed={m['seed']}"
        labels.append((label, key))
    # Nothing that was typed differs, so data or weights do: the folder's hash is left.
    twins = {names for names in labels if labels.count(names) > 1}
    hashes = [f" {m['run'].rpartition('/')[2][:6]}" for m in manifests]
    return [
        (label + mark, key + mark) if (label, key) in twins else (label, key)
        for (label, key), mark in zip(labels, hashes, strict=True)
    ]


def _place(row: Row) -> tuple[str, int, str, str]:
    rung = row.manifest["rung"]
    place = ORDER.index(rung) if rung in ORDER else len(ORDER)
    return (row.manifest["model"], place, rung, row.label)


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
        if row.metrics["failed"].value:
            count = round(row.metrics["failed"].value * m["n"])
            said[f"{row.label}: {count} predictions failed and count as wrong"] = None
    return list(said)
