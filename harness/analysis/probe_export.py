"""What probes found, as plain data: a part of `findings-<eval>.json`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.analysis.findings import Findings

__all__ = ["probed"]


def probed(found: Findings) -> dict[str, Any]:
    """The fields of findings about what rungs were asked beside the task."""
    return {
        "gates": {
            key: [asdict(gate) | {"outcome": gate.outcome} for gate in gates]
            for key, gates in found.gates.items()
        },
        "forgetting": [asdict(one) | {"in_format": one.in_format} for one in found.forgetting],
        "overfitting": [
            asdict(one) | {"gap": one.gap, "rise": one.rise} for one in found.overfitting
        ],
        "consistency": asdict(found.consistency),
        "calibration": [asdict(one) for one in found.calibration],
    }
