"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["DEV_SCORES", "EXAMPLE_LOSSES", "PART", "TRANSFORM", "write_whole"]

PART = ".part"
"""Ending of a file that is still being written; a killed process may leave one."""

EXAMPLE_LOSSES = "example_losses.jsonl"
"""Of a tuned run: a line for each training example, in the order of train."""
TRANSFORM = "transform.json"
"""Of a run whose train was changed: what was done to which examples."""
DEV_SCORES = "dev_scores.jsonl"
"""Of a run: the primary metric of each dev question, where single ones have a value."""


def write_whole(path: Path, text: str, *, durable: bool = True) -> None:
    """Write all of a text or nothing: a reader never sees half a file.

    If `durable`, it survives a loss of power from then on.
    """
    scratch = path.with_name(path.name + PART)
    with scratch.open("w", encoding="utf-8") as file:
        file.write(text)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    scratch.replace(path)
