"""A ladder that has run to its end, once for all trials, and copies of it to damage."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from bench.soak.forks import fork, timed
from bench.soak.tiny import Tiny, configure, write

__all__ = ["RUNGS", "Finished", "copied", "finished", "move_artifacts", "only"]

RUNGS = ("prompt", "few_shot", "rag", "lora")
MADE = ("results", "mlflow.db", "mlartifacts", "cache")
"""What a run leaves in a folder."""


@dataclass(frozen=True)
class Finished:
    """What was left, and how long it took."""

    tiny: Tiny
    seconds: float


@lru_cache(maxsize=1)
def finished() -> Finished:
    """The ladder, from nothing. Raises RuntimeError if it did not end well without any fault."""
    tiny = write(Path(tempfile.mkdtemp(prefix="soak-finished-")))
    forked = fork(tiny)
    code, seconds = timed(forked)
    if code or "warning: " in forked.said:
        raise RuntimeError(f"the ladder ended with {code} without any fault: {forked.said[-2000:]}")
    return Finished(tiny, seconds)


def copied(source: Tiny, folder: Path, made: Sequence[str] = MADE) -> Tiny:
    """A copy that no run has touched: of what a run leaves only the parts that are named."""
    folder.mkdir(parents=True)
    for part in ("models", "wheels", "task", *made):
        if (source.folder / part).is_dir():
            shutil.copytree(source.folder / part, folder / part)
        elif (source.folder / part).exists():
            shutil.copy2(source.folder / part, folder / part)
    if "mlflow.db" in made:
        move_artifacts(folder / "mlflow.db", source.folder, folder)
    return configure(folder)


def only(tiny: Tiny, rung: str) -> None:
    """Take away what a rung left, so that the same command runs it again and nothing else."""
    shutil.rmtree(tiny.results / "tiny" / rung)
    if rung == "lora":
        shutil.rmtree(tiny.results / "tiny" / "trained")


def move_artifacts(store: Path, before: Path, after: Path) -> None:
    """Let a copied store keep its artifacts beside it."""
    with sqlite3.connect(store) as database:
        for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
            change = f"UPDATE {table} SET {column} = replace({column}, ?, ?)"
            database.execute(change, (str(before), str(after)))
    database.close()
