"""Seconds of a run, whoever interrupts it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from harness.record import clock
from harness.record.clock import Clock


def test_what_an_interrupted_process_spent_is_counted_too(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    with pytest.raises(KeyboardInterrupt), Clock(path) as first, first.phase("fit"):
        time.sleep(0.05)
        raise KeyboardInterrupt
    with Clock(path) as second:
        with second.phase("fit"):
            time.sleep(0.02)
        with second.phase("answer"):
            time.sleep(0.02)
    assert first.phases["fit"] >= 0.05
    assert second.phases["fit"] >= first.phases["fit"] + 0.02
    assert second.phases["answer"] >= 0.02
    assert second.total >= sum(second.phases.values())
    second.forget()
    assert not list(tmp_path.iterdir())


def test_a_killed_process_loses_no_more_than_a_period(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody tells a killed process that it ends: what it left must be there already."""
    monkeypatch.setattr(clock, "PERIOD", 0.01)
    path = tmp_path / "clock.json"
    with Clock(path) as running, running.phase("fit"):
        while not path.exists():
            time.sleep(0.005)
        left = Clock(path)
        assert 0 < left.total <= running.total + 0.02


def test_a_file_that_was_cut_short_counts_from_zero(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    path.write_text('{"phases": {"fi')
    with Clock(path) as running:
        pass
    assert running.total < 5


def test_a_disk_without_room_stops_no_clock(tmp_path: Path) -> None:
    """Whatever hinders it hinders the answers, which say so."""
    with Clock(tmp_path / "gone" / "clock.json") as running, running.phase("fit"):
        time.sleep(0.01)
    assert running.phases["fit"] >= 0.01
