"""Which probes a run still lacks, and measuring them."""

from __future__ import annotations

import time
from collections.abc import Sequence

from harness.errors import ProbeUnavailableError
from harness.ladder.rung import Rung
from harness.probe.probe import FittedRun, Probe
from harness.progress import say_once
from harness.record.measurements import Measurement, keep, measured, now
from harness.record.results import RunFolder
from harness.task import Task

__all__ = ["available", "measure", "unmeasured", "wanted"]


def wanted(probes: Sequence[Probe], rung: Rung, task: Task) -> list[Probe]:
    """The probes that this rung is to be asked, with what they must know of the task."""
    return [probe.of(task) for probe in probes if probe.wanted(rung, task)]


def available(probes: Sequence[Probe], task: Task) -> list[Probe]:
    """Those that can be had here; the others are left out with a line each.

    Raises HarnessError for the user's mistakes.
    """
    found = []
    for probe in probes:
        try:
            probe.check(task)
        except ProbeUnavailableError as error:
            _left_out(probe, error)
        else:
            found.append(probe)
    return found


def unmeasured(probes: Sequence[Probe], folder: RunFolder) -> list[Probe]:
    """Those that have not measured this run, or with other settings.

    Where only thresholds differ nothing is measured: the new ones are kept beside the old.
    """
    left = []
    for probe in probes:
        known = measured(folder, probe.name)
        if known is None or known.settings != probe.settings:
            left.append(probe)
        elif (limited := known.limited(probe.limits)) is not known:
            say_once(
                f"{probe.name}: other thresholds are declared than before it was measured; "
                "reports judge by these, and say so"
            )
            keep(folder, limited)
    return left


def measure(probes: Sequence[Probe], run: FittedRun) -> None:
    """Measure a run and keep what is found in its folder."""
    for probe in probes:
        began = time.perf_counter()
        try:
            found = probe.measure(run)
        except ProbeUnavailableError as error:
            _left_out(probe, error)
            continue
        limits = [{"limits": dict(probe.limits), "made": now()}] if probe.gate else []
        seconds = time.perf_counter() - began
        keep(run.folder, Measurement(probe.name, probe.settings, limits, found, now(), seconds))


def _left_out(probe: Probe, error: ProbeUnavailableError) -> None:
    say_once(f"warning: probe {probe.name} is left out: {error}")
