"""What a rung must not break, whatever it scores: declared thresholds, and what was measured.

A failed gate does not make a score doubtful; it is a price, and part of the verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.analysis.forgetting import Forgetting
from harness.evidence.contrasts import Contrast
from harness.evidence.sanity import Badge
from harness.evidence.statistics import Interval

__all__ = ["Gate", "badge", "gates", "prices"]

Outcome = Literal["passed", "failed", "undecided"]


@dataclass(frozen=True)
class Gate:
    """One threshold for one rung."""

    name: str
    measure: str
    """What was measured, and its unit: "nats per token on general text"."""
    measured: Interval
    """Higher is worse."""
    limit: float
    declared_late: bool
    """Whether the limit was changed when the measurement was known."""

    @property
    def outcome(self) -> Outcome:
        """passed: the whole interval lies within the limit; failed: all of it beyond."""
        low, high = self.measured.low, self.measured.high
        if low is None or high is None:
            return "undecided"
        if high <= self.limit:
            return "passed"
        return "failed" if low > self.limit else "undecided"

    @property
    def price(self) -> str:
        """What was measured, in words."""
        m = self.measured
        bounds = "" if m.low is None or m.high is None else f" ({m.low:+.3f} to {m.high:+.3f})"
        late = ", a limit that was changed after it was measured" if self.declared_late else ""
        return f"{m.value:+.3f}{bounds} {self.measure} (limit {self.limit:g}{late})"


def gates(found: Sequence[Forgetting]) -> dict[str, list[Gate]]:
    """The gates of each rung that has any, by its key."""
    return {
        one.rung: [
            Gate(
                "forgetting",
                "nats per token of cross-entropy on general text",
                one.increase,
                one.max_increase,
                one.declared_late,
            )
        ]
        for one in found
    }


def badge(gate: Gate) -> Badge:
    """A gate among the badges of its rung; it blocks no verdict."""
    ends = {
        "passed": "within the limit",
        "failed": "beyond the limit",
        "undecided": "whether that is within the limit is undecided",
    }
    text = f"changed by {gate.price}: {ends[gate.outcome]}"
    return Badge(gate.name, gate.outcome != "failed", text, blocks=False)


def prices(contrast: Contrast, found: Mapping[str, Sequence[Gate]]) -> list[tuple[str, Gate]]:
    """The gates that the rungs which a verdict speaks for did not pass: rung, gate.

    Those of the better one; of both where none is better.
    """
    match contrast.verdict:
        case "better":
            keys = [contrast.rung]
        case "worse":
            keys = [contrast.baseline]
        case _:
            keys = [contrast.rung, contrast.baseline]
    return [(key, gate) for key in keys for gate in found.get(key, ()) if gate.outcome != "passed"]
