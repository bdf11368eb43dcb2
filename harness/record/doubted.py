"""What an audit said against targets of an eval set, beside its runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from harness.errors import ResultsError
from harness.files import write_whole

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
    try:
        told: dict[str, str] = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ResultsError(
            f"{path}: cannot be read ({error}); delete it, and run the audit with --eval again"
        ) from error
    return told


def _path(task_folder: Path, fingerprint: str) -> Path:
    return task_folder / f"doubted-{fingerprint[:8]}.json"
