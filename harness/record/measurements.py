"""What probes found of a run: `probe-<name>.json` in its folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from harness.record import file_types
from harness.record.results import RunFolder

__all__ = ["Measurement", "keep", "measured", "measurements", "now"]

PREFIX = "probe-"


@dataclass(frozen=True)
class Measurement:
    """What one probe found of one run."""

    probe: str
    settings: Mapping[str, Any]
    """What the probe was set to: all that determines `found` beside the run."""
    limits: Sequence[Mapping[str, Any]]
    """Thresholds of the probe's gate as they were declared (`limits`, and when: `made`), the
    oldest first. That one stood before anything was measured; a later one did not."""
    found: Mapping[str, Any]
    made: str
    """ISO 8601 in UTC."""
    seconds: float

    @property
    def limit(self) -> Mapping[str, float]:
        """The thresholds that were declared last; empty for a probe without a gate."""
        declared: Mapping[str, float] = self.limits[-1]["limits"] if self.limits else {}
        return declared

    @property
    def declared_late(self) -> bool:
        """Whether the thresholds were changed when the measurement was known."""
        return len(self.limits) > 1

    def limited(self, limits: Mapping[str, float]) -> Measurement:
        """The same under other thresholds; itself if they are those that hold."""
        if dict(limits) == dict(self.limit):
            return self
        return replace(self, limits=[*self.limits, {"limits": dict(limits), "made": now()}])


def now() -> str:
    """ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def keep(folder: RunFolder, measurement: Measurement) -> None:
    """Write a measurement into the folder of its run; a complete run tells of it too."""
    name = f"{PREFIX}{measurement.probe}.json"
    folder.write(name, json.dumps(asdict(measurement), indent=1, ensure_ascii=False))
    folder.cover(f"{PREFIX}*")


def measured(folder: RunFolder, probe: str) -> Measurement | None:
    """What one probe found; None if it has not measured this run. Raises ResultsError."""
    return measurements(folder, probe).get(probe)


def measurements(folder: RunFolder, probe: str = "*") -> dict[str, Measurement]:
    """All that probes found, by name. Raises ResultsError for what cannot be read."""
    found: dict[str, Measurement] = {}
    for path in sorted(folder.path.glob(f"{PREFIX}{probe}.json")):
        fix = "delete it and run again: only it is measured"
        one = Measurement(**folder.read(path.name, file_types.MEASUREMENT, fix))
        found[one.probe] = one
    return found
