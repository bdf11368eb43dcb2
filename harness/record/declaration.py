"""What a ladder declared to compare, beside its runs: written before the first answer.

The first declaration is the one made blind. A later one is kept beside it with the number of runs
that were finished by then, so that reports can say what was known when it was made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from harness.files import write_whole
from harness.record import file_types

__all__ = ["Declaration", "declaration_path", "declarations", "declare", "told_apart"]


@dataclass(frozen=True)
class Declaration:
    """Contrasts as they were declared at one time."""

    contrasts: Mapping[str, Any]
    """The fields of `evidence.contrasts.Contrasts`."""
    made: str
    """ISO 8601 in UTC."""
    after: int
    """Runs on this eval set that were finished by then; 0 is a declaration made blind."""


def declaration_path(task_folder: Path, fingerprint: str) -> Path:
    """The declarations for the eval set with this fingerprint; the file need not exist."""
    return task_folder / f"declared-{fingerprint[:8]}.json"


def declarations(path: Path) -> list[Declaration]:
    """All that were made, the oldest first; none if there is no file. Raises ResultsError."""
    if not path.exists():
        return []
    fix = "delete it: runs tell what they declared"
    found = file_types.value_of(
        file_types.bytes_of(path, fix), str(path), file_types.DECLARATIONS, fix
    )
    return [Declaration(**one) for one in found]


def declare(path: Path, contrasts: Mapping[str, Any], after: int) -> Declaration | None:
    """Write down what is declared, unless it is what was declared last.

    Returns the declaration that was changed by this one; None if there was none, or no change.
    `after` is how many runs on this eval set are finished.
    """
    wanted = json.loads(json.dumps(dict(contrasts)))
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        known = declarations(path)
        if known and known[-1].contrasts == wanted:
            return None
        made = datetime.now(UTC).isoformat(timespec="seconds")
        lines = [asdict(one) for one in [*known, Declaration(wanted, made, after)]]
        write_whole(path, json.dumps(lines, indent=1))
        return known[-1] if known else None


def told_apart(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, str]:
    """How two declarations differ, in words, and the overrides that give the first one.

    >>> told_apart({"against": ["prompt"], "margin": None}, {"against": ["prompt"], "margin": 0.02})
    ('contrasts.margin=null is now 0.02', 'contrasts.margin=null')
    """
    names = [name for name in now if _word(before.get(name)) != _word(now[name])]
    differ = [f"contrasts.{n}={_word(before.get(n))} is now {_word(now[n])}" for n in names]
    back = [f"contrasts.{name}={_word(before.get(name))}" for name in names]
    return ", ".join(differ), " ".join(back)


def _word(value: Any) -> str:
    """As an override says it."""
    return json.dumps(value, separators=(",", ":")).replace('"', "")
