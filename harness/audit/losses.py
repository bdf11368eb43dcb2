"""Doubtful targets: what finished trainings found hard to believe in every epoch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from harness.errors import ResultsError
from harness.files import EXAMPLE_LOSSES
from harness.ladder.transform import Suspects
from harness.record.results import RunFolder, find_runs

__all__ = ["loss_suspects", "read_losses", "trained_runs"]


def trained_runs(task_folder: Path, train: str) -> list[RunFolder]:
    """Finished runs that trained on this very train (its SHA-256) as it is, and kept the losses of
    its examples: none that planted errors or left anything out, and no control."""
    try:
        folders = find_runs(task_folder)
    except ResultsError:
        return []
    return [
        folder
        for folder in folders
        if (folder.path / EXAMPLE_LOSSES).is_file() and _on(folder, train)
    ]


def read_losses(folder: RunFolder) -> dict[str, float]:
    """By id, the mean over the epochs of an example's loss per completion token.

    The logarithm of what Swayamdipta et al. 2020 call confidence, with the sign turned. Raises
    ResultsError for a file that cannot be read.
    """
    path = folder.path / EXAMPLE_LOSSES
    try:
        lines = [json.loads(line) for line in path.read_bytes().splitlines()]
        return {line["id"]: fmean(line["loss"]) for line in lines if line["loss"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultsError(f"{path}: cannot be read ({error}); delete the run's folder") from error


def loss_suspects(folders: Sequence[RunFolder]) -> Suspects:
    """Doubt about each example: its loss, averaged over the runs. Nothing is flagged."""
    runs = [read_losses(folder) for folder in folders]
    ids = dict.fromkeys(i for run in runs for i in run)
    return Suspects({i: fmean(run[i] for run in runs if i in run) for i in ids}, ())


def _on(folder: RunFolder, train: str) -> bool:
    manifest = folder.manifest()
    rung = manifest["identity"]["rung"]
    return bool(
        manifest["control"] is None
        and manifest["identity"]["task"].get("train") == train
        and "transform" not in rung
    )
