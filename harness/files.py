"""Files that are there whole or not at all, and folders that one process at a time writes."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from harness.inert import say

__all__ = [
    "DEV_SCORES",
    "EXAMPLE_LOSSES",
    "PART",
    "SUMS",
    "TRANSFORM",
    "UNWRITABLE",
    "alone",
    "changed",
    "file_sha256",
    "free_bytes",
    "make_durable",
    "vouch",
    "write_whole",
    "writing",
]

PART = ".part"
"""Ending of a file that is still being written; a killed process may leave one."""

EXAMPLE_LOSSES = "example_losses.jsonl"
"""Of a tuned run: a line for each training example, in the order of train."""
TRANSFORM = "transform.json"
"""Of a run whose train was changed: what was done to which examples."""
DEV_SCORES = "dev_scores.jsonl"
"""Of a run: the primary metric of each dev question, where single ones have a value."""


UNWRITABLE = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there",
    errno.EFBIG: "raise the limit of the size of files (ulimit -f)",
    errno.EROFS: "choose a folder that can be written, such as results=FOLDER",
    errno.EACCES: "change its permissions, or choose another folder",
    errno.EPERM: "change its permissions, or choose another folder",
}
"""Errors of the operating system that say that a place cannot be written, and what helps."""
NO_ROOM_LEFT = 64 * 1024
"""Bytes: with fewer a disk is full, whatever a library says of why it could not write."""
SUMS = "sha256.json"
"""What every file of a folder was when the folder was finished."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What is written here: an error that names no place names this one, and a library's own error
    on a disk that is full becomes that of the operating system. Raises OSError."""
    try:
        yield
    except OSError as error:
        if error.errno in UNWRITABLE and error.filename is None:
            error.filename = str(path)
        raise
    except Exception as error:
        worded = any(words in str(error) for words in ("os error 28", os.strerror(errno.ENOSPC)))
        if worded or free_bytes(path) < NO_ROOM_LEFT:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise


def file_sha256(path: Path) -> str:
    """64 hex digits. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def free_bytes(path: Path) -> int:
    """Room on the disk of a file or folder, which need not exist yet."""
    there = next(
        parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists()
    )
    return shutil.disk_usage(there).free


def write_whole(path: Path, text: str, *, durable: bool = True) -> None:
    """Write all of a text or nothing: a reader never sees half a file.

    If `durable`, it survives a loss of power from then on.
    """
    # With the process in its name: two that write the same file do not take each other's away.
    scratch = path.with_name(f"{path.name}.{os.getpid()}{PART}")
    try:
        with writing(path), scratch.open("w", encoding="utf-8") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        scratch.replace(path)
    except OSError:
        scratch.unlink(missing_ok=True)  # on a full disk it would take room
        raise
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


def vouch(folder: Path) -> None:
    """Write down what every file of a folder is; they survive a loss of power from then on."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != SUMS]
    told = {}
    for path in files:
        make_durable(path)
        told[path.relative_to(folder).as_posix()] = {
            "bytes": path.stat().st_size,
            "sha256": file_sha256(path),
        }
    for below in {path.parent for path in files}:
        make_durable(below)
    write_whole(folder / SUMS, json.dumps(told, indent=1))


def changed(folder: Path, *, content: bool = True) -> str | None:
    """The first file of a folder that is not what `vouch` wrote down of it; None if all are, or if
    nobody vouched. Without `content` only sizes are compared, which takes no time."""
    if not (folder / SUMS).exists():
        return None
    try:
        told = json.loads((folder / SUMS).read_bytes())
        for name, wrote in told.items():
            path = folder / name
            if not path.is_file() or path.stat().st_size != wrote["bytes"]:
                return str(name)
            if content and file_sha256(path) != wrote["sha256"]:
                return str(name)
    except (ValueError, TypeError, KeyError, AttributeError):
        return SUMS
    return None


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
