"""What an audit said against targets of an eval set, beside its runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from harness.files import write_whole
from harness.record import file_types

__all__ = ["doubted", "keep_doubted"]


def keep_doubted(task_folder: Path, fingerprint: str, why: Mapping[str, str]) -> Path:
    """Write what speaks against each doubtful target, by the question's id."""
    path = _path(task_folder, fingerprint)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(why, ensure_ascii=False, indent=1))
    return path


def doubted(task_folder: Path, fingerprint: str) -> dict[str, str]:
    """What was kept; empty if no audit judged this eval set. Raises ResultsError."""
    path = _path(task_folder, fingerprint)
    if not path.exists():
        return {}
    fix = "delete it, and say `python -m harness.audit +task=NAME --eval` again"
    found: dict[str, str] = file_types.value_of(
        file_types.bytes_of(path, fix), str(path), file_types.DOUBTED, fix
    )
    return found


def _path(task_folder: Path, fingerprint: str) -> Path:
    return task_folder / f"doubted-{fingerprint[:8]}.json"
