"""The ledger of an eval set: one line for every configuration that it has judged.

It stands beside the runs and outlives them: to delete a bad run is not to have never seen it.
docs/method.md says what the count is for.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from harness.files import writing
from harness.record import file_types
from harness.record.manifest import spoiled
from harness.secrets import redacted

__all__ = ["Judged", "configuration", "judged", "ledger_path", "read", "record"]

FIX = "fix or delete the line"


@dataclass(frozen=True)
class Judged:
    """One configuration that an eval set has judged."""

    configuration: str
    """Hash of all that determines the result but the seed."""
    rung: str
    variant: str
    """What the command line changed beside task, rung, model and seed."""
    model: str | None
    first: str
    """When its first run finished, as ISO 8601 in UTC."""


def configuration(identity: Mapping[str, Any]) -> str:
    """16 hex digits for all that determines a result but the seed."""
    canonical = json.dumps({**identity, "seed": None}, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def ledger_path(task_folder: Path, fingerprint: str) -> Path:
    """The ledger of the eval set with this fingerprint; it need not exist."""
    return task_folder / f"ledger-{fingerprint[:8]}.jsonl"


def record(task_folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write down that a finished run's configuration was judged, if that is not there yet.

    Controls and planted errors are not counted: nobody would choose one. Raises ResultsError for a
    broken ledger.
    """
    if manifest["control"] is not None or spoiled(manifest):
        return
    path = ledger_path(task_folder, manifest["fingerprints"]["eval"])
    line = Judged(
        configuration=configuration(manifest["identity"]),
        rung=manifest["rung"],
        variant=manifest["variant"],
        model=manifest["model"],
        first=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    with FileLock(path.with_name(f".{path.name}.lock")):
        known = {one.configuration for one in read(path)}
        if line.configuration not in known:
            _append(path, json.dumps(redacted(asdict(line)), ensure_ascii=False))


def read(path: Path) -> list[Judged]:
    """The lines of a ledger, the oldest first; none if there is no ledger.

    The half-written last line of a killed process does not count. Raises ResultsError for any other
    line that cannot be read.
    """
    found = file_types.lines_of(_whole(path), str(path), file_types.JUDGED, FIX)
    return [Judged(**one) for one in found]


def judged(path: Path) -> int:
    """How many configurations an eval set has judged; 0 if there is no ledger."""
    return len({one.configuration for one in read(path)})


def _whole(path: Path) -> bytes:
    """All lines that were written to their end."""
    data = file_types.bytes_of(path, FIX) if path.exists() else b""
    return data[: data.rfind(b"\n") + 1]


def _append(path: Path, line: str) -> None:
    """Add a line, in the place of a half-written one; only the holder of the lock may."""
    with writing(path), path.open("ab") as file:
        file.truncate(len(_whole(path)))
        file.write(line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
