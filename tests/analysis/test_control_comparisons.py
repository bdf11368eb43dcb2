"""Controls beside their rungs, and what they show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.analysis.findings import findings
from harness.analysis.runs import read_ladder
from harness.evidence.statistics import Interval
from tests.analysis.conftest import N, shown
from tests.record.conftest import complete_run


def test_the_difference_is_rung_minus_control_over_the_same_questions(tmp_path: Path) -> None:
    one = shown(tmp_path, {"prompt": 10, "lora": 30}, "majority", 10, None)
    assert one.rung is not None and one.difference is not None
    assert (one.rung.key, one.difference.value, one.difference.n) == ("lora", 0.5, N)
    assert one.difference.low is not None and one.difference.low > 0


def test_a_metric_of_the_whole_set_has_a_difference_without_an_interval(tmp_path: Path) -> None:
    def run(rung: str, value: float, **changes: Any) -> Any:
        whole = {"macro_f1": Interval(value, 0.0, 1.0, 4, "percentile bootstrap")}
        return complete_run(tmp_path, rung, more=whole, primary="macro_f1", **changes)

    control = {"kind": "majority", "of": None}
    runs = [run("prompt", 0.5), run("majority", 0.25, control=control)]
    (one,) = findings(read_ladder(runs)).controls
    assert one.difference == Interval(0.25, None, None, 4, "none")


def test_controls_alone_have_nothing_to_be_held_against(tmp_path: Path) -> None:
    control = complete_run(tmp_path, "majority", control={"kind": "majority", "of": None})
    found = findings(read_ladder([control]))
    assert (found.rungs, found.contrasts) == ([], [])
    assert (found.controls[0].rung, found.controls[0].difference) == (None, None)


def test_what_remains_of_a_gain_is_its_share_over_the_bare_prompt(tmp_path: Path) -> None:
    one = shown(tmp_path, {"prompt": 10, "lora": 30}, "shuffled_targets", 15, "lora")
    assert one.remaining == pytest.approx(0.25)
    assert one.judges and one.of == "lora"


def test_without_a_bare_prompt_nothing_is_said_to_remain(tmp_path: Path) -> None:
    assert shown(tmp_path, {"lora": 30}, "shuffled_targets", 15, "lora").remaining is None
