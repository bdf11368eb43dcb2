"""Complete runs as harness/run.py leaves them, without a model that answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.evidence.statistics import Interval, mean_interval
from harness.record.ledger import record
from harness.record.results import RunFolder
from harness.task import Attempt, Prediction, Score

ANSWERS = {"eval-0": "red", "eval-1": "blue", "eval-2": "red", "eval-3": "red"}
"""Id and text; whatever is not `red` is wrong."""

TRAINING = {
    "trainable": 1536,
    "megabytes": 0.1,
    "examples": 16,
    "distinct": 400,
    "zero_step": {"questions": 2, "identical": 2},
    "sha256": "a" * 64,
    "effect": 2.5,
    "stop_rate": 1.0,
    "steps": 2,
    "best_step": 2,
    "seconds": 3.5,
    "tokens": 4000,
}
POINTS = [
    {"step": 1, "epoch": 0.5, "loss": 2.0},
    {"step": 2, "epoch": 1.0, "loss": 1.5},
    {"step": 2, "epoch": 1.0, "dev_loss": 1.75, "dev_accuracy": 0.5, "stop_rate": 1.0},
]
SYSTEM = [
    {
        "time": 1_700_000_000.0 + second,
        "cpu_utilization_percentage": 50.0 + second,
        "system_memory_usage_percentage": 25.0,
        "process_memory_megabytes": 400.0 + 56 * second,
    }
    for second in range(3)
]
MANIFEST: dict[str, Any] = {
    "search": None,
    "teacher": None,
    "task": "tickets",
    "model": "tiny",
    "seed": None,
    "variant": "",
    "sweep": "2026-01-01_10-00-00",
    "command": "python -m harness +task=tickets",
    "primary": "accuracy",
    "contrasts": {"against": ["prompt"], "best_untuned": True, "pairs": [], "margin": None},
    "control": None,
    "external": None,
    "decoding": "free",
    "declared_free": False,
    "max_new_tokens": 48,
    "dev": None,
    "dev_free": None,
    "lowered": [],
    "trials": [],
    "chosen": 0,
    "settings": "",
    "template": "d" * 64,
    "labelled": 0,
    "limit": None,
    "isolation": {
        "method": "character 5-grams",
        "thresholds": {"near_duplicate": 0.6, "contained": 0.9},
        "compared": {"train": 16, "dev": 6, "corpus": 4},
        "closest": {},
        "leaks": [],
        "suspects": [],
        "decision": "sealed",
    },
    "weights": "b" * 64,
    "dtype": "float32",
    "embedder": None,
    "licences": {"task": "CC0-1.0", "model": "CC0-1.0"},
    "gated": False,
    "parameters": 100_000,
    "train_size": None,
    "training": None,
    "trained": None,
    "index": None,
    "versions": {"harness": "0.1.0", "python": "3.11.2"},
    "git": None,
    "machine": {"platform": "Linux", "processor": "any", "cores": 2, "device": "cpu"},
    "seconds": {"fit": 0.0, "answer": 2.0, "total": 2.5},
    "peak_memory_mb": 512.0,
}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def prediction(name: str, text: str) -> Prediction:
    return Prediction(name, text, "stop", 100, 40, 5, 0.5, ("P1", "P2"))


def complete_run(
    root: Path,
    rung: str = "prompt",
    answers: Mapping[str, str] = ANSWERS,
    more: Mapping[str, Interval] | None = None,
    eval_set: str = "eval",
    reads: Collection[str] | None = None,
    train: str = "train",
    transform: Mapping[str, Any] | None = None,
    dialogue: str = "",
    earlier: Mapping[str, Sequence[Attempt]] | None = None,
    **changes: Any,
) -> RunFolder:
    """A complete run below `root`; `more` adds metrics, keyword arguments change the manifest.

    `reads` are the parts of the task that determine it (None: all of them); `train` stands for the
    content of train; `transform` says how it was altered. `dialogue` is the class of one, and
    `earlier` has what was written before the answers.
    """
    about = MANIFEST | {"rung": rung, "n": len(answers)} | changes
    splits = {s: sha256(s) for s in ("dev", "corpus", "prompt")}
    fingerprints = splits | {"train": sha256(train), "eval": sha256(eval_set)}
    about["fingerprints"] = fingerprints
    about["identity"] = {
        "harness": "0.1.0",
        "task": {k: v for k, v in fingerprints.items() if reads is None or k in reads},
        "model": [about["weights"], about["model"]],
        "embedder": None,
        "rung": {"name": rung, "instructions": "full", "variant": set_by(about["variant"])},
        "decoding": about["decoding"],
        "seed": about["seed"],
    }
    if transform:
        about["identity"]["rung"]["transform"] = {"_target_": "data_quality", **transform}
    if dialogue:
        about["identity"]["rung"]["dialogue"] = {"_target_": dialogue}
    folder = RunFolder.of(root, about["task"], rung, about["identity"])
    about["run"] = folder.path.relative_to(root).as_posix()
    folder.start(f"rung: {{name: {rung}}}\n", force=True)
    before = earlier or {}
    said = (prediction(n, text).after(before.get(n, ())) for n, text in answers.items())
    list(folder.append(said))
    if about["training"]:
        write_training(folder)
    scores = [Score(name, name, measures(text)) for name, text in answers.items()]
    slices = {"odd=False": scores[0::2], "odd=True": scores[1::2]}
    parts = {tag: means(part) for tag, part in slices.items() if part}
    folder.finish(scores, means(scores) | dict(more or {}), parts, about, SYSTEM)
    return folder


def failing(folder: RunFolder) -> RunFolder:
    """The run, whose first answer failed."""
    first, *others = folder.predictions()
    answered = [replace(first, error="out of memory"), *others]
    lines = (json.dumps(one.record()) + "\n" for one in answered)
    folder.write("predictions.jsonl", "".join(lines))
    return folder


def judge(root: Path, *rungs: str) -> list[RunFolder]:
    """Runs that the ledger knows of."""
    folders = [complete_run(root, rung) for rung in rungs]
    for folder in folders:
        record(folder.path.parents[1], folder.read("manifest.json"))
    return folders


def set_by(variant: str) -> str:
    """What overrides say of a rung's own settings: neither decoding nor how train was altered."""
    others = ("decoding=", "rung.transform.")
    return " ".join(word for word in variant.split() if not word.startswith(others))


def measures(text: str) -> dict[str, float]:
    right = float(text == "red")
    return {"accuracy": right, "readable": 1.0, "stopped": 1.0, "truncated": 0.0, "failed": 0.0}


def means(scores: list[Score]) -> dict[str, Interval]:
    return {name: mean_interval([s.values[name] for s in scores]) for name in scores[0].values}


def write_training(folder: RunFolder) -> None:
    """The record of a tuned rung, as harness/tuning/method.py keeps it."""
    import json

    names = ("steps", "best_step", "seconds", "tokens")
    curve = {"points": POINTS} | {name: TRAINING[name] for name in names}
    report = {k: v for k, v in TRAINING.items() if k not in names} | {"curve": curve}
    (folder.path / "training.json").write_text(json.dumps(report))
