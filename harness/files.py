"""Files that are there whole or not at all, and folders that one process at a time writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from harness.inert import say

__all__ = [
    "DEV_SCORES",
    "EXAMPLE_LOSSES",
    "PART",
    "TRANSFORM",
    "alone",
    "make_durable",
    "write_whole",
]

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
    # With the process in its name: two that write the same file do not take each other's away.
    scratch = path.with_name(f"{path.name}.{os.getpid()}{PART}")
    with scratch.open("w", encoding="utf-8") as file:
        file.write(text)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    scratch.replace(path)
    if durable:
        make_durable(path.parent)  # the new name too


def make_durable(path: Path) -> None:
    """A file's content, or a folder's names, survive a loss of power from then on."""
    if path.is_dir() and os.name == "nt":
        return  # Windows opens no folder, and writes names through
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def alone(folder: Path, does: str) -> Iterator[None]:
    """The right to write in a folder, whose parent is made; a process that is killed loses it.

    While another process has it, this one waits and says what the other does, such as `trains`.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"{folder}: another process {does} the same; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
