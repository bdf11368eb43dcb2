"""What probes found of the seeds of one rung, and means of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.analysis.rungs import RungResult
from harness.analysis.runs import RunResult
from harness.evidence.statistics import Interval, group_labels, standard_error
from harness.record.measurements import Measurement

__all__ = ["mean", "measured"]


def measured(rung: RungResult, probe: str) -> list[tuple[RunResult, Measurement]]:
    """The seeds that a probe has measured with the settings of the first of them."""
    found = [(run, one) for run in rung.runs if (one := run.measurements.get(probe))]
    return [(run, one) for run, one in found if one.settings == found[0][1].settings]


def mean(values: Sequence[Sequence[float]], groups: Sequence[str]) -> Interval:
    """The mean of any numbers over seeds and questions, aligned with `groups`; for shares there
    is `mean_over_seeds`. No interval where there is nothing to estimate an error from."""
    data = np.asarray(values, dtype=float)
    value = float(data.mean())
    low, high = standard_error(data, None, group_labels(groups)).around(value)
    method = "none" if low is None else "Student's t"
    return Interval(value, low, high, data.shape[1], method)
