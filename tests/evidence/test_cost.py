"""What a rung costs, as a thread beside it sees it."""

from __future__ import annotations

import time

import numpy as np
import psutil
import pytest
import torch

from harness.evidence import cost
from harness.evidence.cost import Monitor

MEGABYTES = 64


def resident() -> float:
    return float(psutil.Process().memory_info().rss / 1e6)


def test_what_a_block_holds_at_its_end_is_in_the_peak() -> None:
    before = resident()
    with Monitor() as monitor:
        held = np.ones(MEGABYTES * 10**6, dtype=np.uint8)
    assert held.all()
    assert monitor.peak_memory_mb > before + 0.9 * MEGABYTES


def test_what_a_block_has_freed_is_in_the_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "PERIOD", 0.01)
    before = resident()
    with Monitor() as monitor:
        held = np.ones(MEGABYTES * 10**6, dtype=np.uint8)
        seen, deadline = len(monitor.samples), time.monotonic() + 10
        while len(monitor.samples) < seen + 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        del held
    assert monitor.samples[-1]["process_memory_megabytes"] < before + 0.5 * MEGABYTES
    assert monitor.peak_memory_mb > before + 0.9 * MEGABYTES


def test_samples_are_in_the_order_of_time_and_have_a_beginning_and_an_end() -> None:
    began = time.time()
    with Monitor() as monitor:
        pass
    times = [sample["time"] for sample in monitor.samples]
    assert len(times) >= 2
    assert began <= times[0] and times == sorted(times) and times[-1] <= time.time()
    for sample in monitor.samples:
        assert 0 <= sample["cpu_utilization_percentage"] <= 100
        assert 0 < sample["system_memory_usage_percentage"] <= 100


def test_an_error_ends_the_watch_and_goes_on() -> None:
    monitor = Monitor()
    with pytest.raises(ZeroDivisionError), monitor:
        _ = 1 / 0
    assert not monitor._thread.is_alive()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpus_peak_is_that_of_the_block_and_not_of_an_earlier_one() -> None:
    earlier = torch.ones(256 * 10**6, dtype=torch.uint8, device="cuda")
    del earlier
    with Monitor() as monitor:
        held = torch.ones(MEGABYTES * 10**6, dtype=torch.uint8, device="cuda")
    assert held.all()
    peak = max(sample["gpu_memory_megabytes"] for sample in monitor.samples)
    assert 0.9 * MEGABYTES < peak < 256
