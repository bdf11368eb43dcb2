"""Runs read from results/: one `RunResult` for each, one `Ladder` for each sealed eval set."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.analysis.labels import labels
from harness.errors import ResultsError
from harness.evidence.cost import Prices
from harness.evidence.statistics import Interval, effective_groups, group_labels
from harness.record import file_types, ledger
from harness.record.declaration import Declaration, declaration_path, declarations
from harness.record.doubted import doubted
from harness.record.measurements import Measurement, measurements
from harness.record.prices import read_prices
from harness.record.results import RunFolder
from harness.task import Prediction

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Ladder",
    "RunResult",
    "known",
    "read_ladder",
    "read_ladders",
]


@dataclass(frozen=True, eq=False)
class RunResult:
    """One complete run."""

    label: str
    """The rung, and whatever tells it from other runs of that rung."""
    key: str
    """The label without the seed: runs of one key are repetitions."""
    folder: RunFolder
    manifest: Mapping[str, Any]
    """As record/manifest.py completes it."""
    metrics: Mapping[str, Interval]
    """Over all questions, by name."""
    slices: Mapping[str, Mapping[str, Interval]]
    """The same over the questions of one tag value, by `tag=value`."""
    scores: pd.DataFrame
    """Every measure [question, measure], by the question's id."""
    predictions: Sequence[Prediction]
    curve: Sequence[Mapping[str, float]]
    """Points of the training curve, by step; none for an untuned rung."""
    measurements: Mapping[str, Measurement]
    """What probes found, by their names."""

    @property
    def primary(self) -> Interval:
        return self.metrics[self.manifest["primary"]]

    @cached_property
    def values(self) -> dict[str, float]:
        """The primary metric of each question; empty if it only makes sense over a whole set."""
        name = self.manifest["primary"]
        return self.scores[name].to_dict() if name in self.scores else {}

    @cached_property
    def groups(self) -> dict[str, str]:
        """The scenario of each question."""
        return {str(i): str(group) for i, group in self.scores["group"].items()}

    @property
    def effective_groups(self) -> float:
        """Groups of questions of one size that would say as much."""
        return effective_groups(group_labels(list(self.groups.values())))

    def per_question(self, count: str) -> float | None:
        """The mean of one of a prediction's numbers: tokens, seconds; None if it is not known."""
        found = known(self.predictions, count)
        return sum(found) / len(found) if found else None


@dataclass(frozen=True, eq=False)
class Ladder:
    """All runs on one sealed eval set, and what stands beside them in `results/<task>/`."""

    folder: Path
    """`results/<task>`."""
    runs: Sequence[RunResult]
    """By place on the ladder, controls last; at least one."""
    questions: Mapping[str, Mapping[str, Any]]
    """The sealed questions by id; empty if the runs' folders were moved without them."""
    prices: Prices | None
    """Of the last sweep."""
    ledger: Collection[str] | None
    """Configurations that the eval set has judged; None if no ledger was kept."""
    declarations: Sequence[Declaration]
    """What was declared to compare, the oldest first; none if only the manifests tell."""
    doubted: Mapping[str, str]
    """By question, what an audit said against its target; empty if none judged this eval set."""
    left_out: Sequence[str] = ()
    """Runs of the task that cannot be read, and why: a sentence each."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """Of the first run; what it says of the task holds for all."""
        return self.runs[0].manifest

    @property
    def eval_set(self) -> str:
        """SHA-256 of the sealed eval set."""
        return str(self.manifest["fingerprints"]["eval"])


def known(predictions: Iterable[Prediction], *counts: str) -> list[float] | None:
    """The sum of some numbers of each answer; None unless all are known of all answers.

    A question that was answered elsewhere and has no answer took nothing that counts.
    """
    answered = [p for p in predictions if not (p.unknown and p.error)]
    if any(set(counts) & set(p.unknown) for p in answered) or not answered:
        return None
    return [float(sum(getattr(p, count) for count in counts)) for p in answered]


def read_ladders(folders: Iterable[RunFolder]) -> list[Ladder]:
    """Runs by task and sealed eval set: others cannot be compared.

    The set that was answered last comes last. A run that cannot be read is left out, and every
    ladder of its task says so: whatever it was, the others are what they are. Raises ResultsError
    if none can be read, and for a broken file beside the runs.
    """
    read: list[_Read] = []
    left_out: dict[Path, list[str]] = {}
    first: ResultsError | None = None

    def leave_out(folder: RunFolder, why: object) -> None:
        task = folder.path.parents[1]
        left_out.setdefault(task, []).append(f"{folder.path.relative_to(task)} is left out: {why}")

    for folder in folders:
        try:
            read.append(_read(folder))
        except ResultsError as error:
            first = first or error
            leave_out(folder, error)
    originals: dict[str, RunFolder] = {}
    for one in sorted(read, key=_was_moved):
        originals.setdefault(_same(one), one.folder)
    sets: dict[tuple[str, str], list[_Read]] = {}
    for one in read:
        if (original := originals[_same(one)]) is not one.folder:
            # Taken for another seed it would make intervals narrower.
            leave_out(one.folder, f"it is a copy of {original.path}; delete one of them")
            continue
        key = (one.manifest["task"], one.manifest["fingerprints"]["eval"])
        sets.setdefault(key, []).append(one)
        sets[key] = sets.pop(key)
    if first is not None and not sets:
        raise first
    return [
        _ladder(runs, [line for task in _tasks(runs) for line in left_out.get(task, ())])
        for runs in sets.values()
    ]


def _same(one: _Read) -> str:
    """What two copies of a run have in common, and no other two runs."""
    return json.dumps([one.manifest["task"], one.manifest["identity"]], sort_keys=True)


def _was_moved(one: _Read) -> bool:
    """Whether a run stands elsewhere than where it was made."""
    return not one.folder.path.as_posix().endswith(one.manifest["run"])


def _tasks(runs: Sequence[_Read]) -> Iterable[Path]:
    """The folders of tasks that the runs stand in."""
    return dict.fromkeys(one.folder.path.parents[1] for one in runs)


def read_ladder(folders: Sequence[RunFolder]) -> Ladder:
    """The runs of one eval set, in ladder order. Raises ResultsError if the eval sets differ, and
    for a run that cannot be read."""
    return _ladder([_read(folder) for folder in folders])


@dataclass(frozen=True)
class _Read:
    """What stands in the folder of a run."""

    folder: RunFolder
    manifest: Mapping[str, Any]
    numbers: Mapping[str, Any]
    scores: pd.DataFrame
    predictions: Sequence[Prediction]
    curve: Sequence[Mapping[str, float]]
    measurements: Mapping[str, Measurement]


def _read(folder: RunFolder) -> _Read:
    """Raises ResultsError."""
    manifest = folder.manifest()
    tuned = manifest["training"] is not None
    one = _Read(
        folder=folder,
        manifest=manifest,
        numbers=folder.read("metrics.json", file_types.METRICS),
        scores=folder.table("scores.jsonl", file_types.SCORE).set_index("id"),
        predictions=folder.predictions(),
        curve=folder.read("training.json", file_types.CURVE)["curve"]["points"] if tuned else [],
        measurements=measurements(folder),
    )
    answered, scored = sorted(p.id for p in one.predictions), sorted(one.scores.index)
    if not answered == scored == sorted(set(scored)) or len(scored) != manifest["n"]:
        raise ResultsError(
            f"{folder.path}: has {len(answered)} predictions and {len(scored)} scores of "
            f"{manifest['n']} questions, or of different ones; delete it and run again"
        )
    primary = one.numbers["all"].get(manifest["primary"])
    if primary is None or not math.isfinite(primary["value"]):
        raise ResultsError(
            f"{folder.path}/metrics.json: has no value of {manifest['primary']}, the primary "
            f"metric; delete {folder.path} and run again"
        )
    return one


def _ladder(read: Sequence[_Read], left_out: Sequence[str] = ()) -> Ladder:
    folders, manifests = [one.folder for one in read], [one.manifest for one in read]
    for one in read:
        ours, theirs = one.manifest["fingerprints"]["eval"], manifests[0]["fingerprints"]["eval"]
        if ours != theirs:
            raise ResultsError(
                f"{folders[0].path} and {one.folder.path} answered different eval sets "
                f"({theirs[:8]}…, n={manifests[0]['n']} and {ours[:8]}…, n={one.manifest['n']}); "
                "they cannot stand in one table: compare runs of the same task and limit"
            )
        if sorted(one.scores.index) != sorted(read[0].scores.index):
            raise ResultsError(
                f"{folders[0].path} and {one.folder.path} answered different questions of one eval "
                "set; delete the one that is wrong and run again"
            )
    named = zip(read, labels(manifests), strict=True)
    runs = sorted((_run(one, *names) for one, names in named), key=_place)
    task, eval_set = folders[0].path.parents[1], manifests[0]["fingerprints"]["eval"]
    judged = ledger.ledger_path(task, eval_set)
    return Ladder(
        folder=task,
        runs=runs,
        questions=_questions(folders[0].eval_path(eval_set)),
        prices=read_prices(task),
        ledger={one.configuration for one in ledger.read(judged)} if judged.exists() else None,
        declarations=declarations(declaration_path(task, eval_set)),
        doubted=doubted(task, eval_set),
        left_out=left_out,
    )


def _run(one: _Read, label: str, key: str) -> RunResult:
    return RunResult(
        label=label,
        key=key,
        folder=one.folder,
        manifest=one.manifest,
        metrics=_intervals(one.numbers["all"]),
        slices={tag: _intervals(part) for tag, part in one.numbers["slices"].items()},
        scores=one.scores,
        predictions=one.predictions,
        curve=one.curve,
        measurements=one.measurements,
    )


def _intervals(numbers: Mapping[str, Any]) -> dict[str, Interval]:
    fields = ("value", "low", "high", "n", "method")
    return {name: Interval(*(m[field] for field in fields)) for name, m in numbers.items()}


def _questions(path: Path) -> dict[str, dict[str, Any]]:
    if not path.exists():
        return {}
    fix = "delete it: the next run writes it again"
    lines = file_types.lines_of(file_types.bytes_of(path, fix), str(path), file_types.QUESTION, fix)
    return {line["id"]: line for line in lines}


def _place(run: RunResult) -> tuple[bool, str, int, str, str]:
    """Controls stand behind the ladder, and each model has its own."""
    m = run.manifest
    return (m["control"] is not None, m["model"] or "", m["place"], m["rung"], run.label)
