"""What tuning must not break, from a probe's record to a verdict."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from harness.analysis.export import as_json, record
from harness.analysis.findings import Findings, findings
from harness.analysis.gates import Gate
from harness.analysis.runs import read_ladder
from harness.evidence.statistics import Interval
from harness.record.measurements import Measurement, keep
from harness.record.results import RunFolder
from harness.report.verdicts import verdicts
from tests.analysis.conftest import right
from tests.record.conftest import TRAINING, complete_run


def forgotten(
    folder: RunFolder, increases: Sequence[float], limits: Sequence[float] = (0.1,)
) -> RunFolder:
    """The record of a probe: cross-entropy 2.0 before tuning, and more behind it."""
    said = {"instruction": "Say hello.", "before": "Hello!", "after": '{"colour":"red"}'}
    found: dict[str, Any] = {
        "passages": [{"tokens": 9, "before": 2.0, "after": 2.0 + more} for more in increases],
        "divergence": [{"id": f"eval-{i}", "tokens": 3, "kl": 0.5 + i} for i in range(3)],
        "instructions": [said | {"before_in_format": False, "after_in_format": True}],
    }
    declared = [{"limits": {"max_increase": one}, "made": "2026-01-01"} for one in limits]
    keep(folder, Measurement("forgetting", {"count": 9}, declared, found, "2026-01-01", 1.0))
    return folder


def spread(middle: float) -> list[float]:
    """Sixty increases around one."""
    return [middle + 0.001 * (i % 21 - 10) for i in range(60)]


def ladder(root: Path, increases: Sequence[float], better: int = 35, **how: Any) -> Findings:
    prompt = complete_run(root, "prompt", right(5))
    lora = complete_run(root, "lora", right(better), training=TRAINING)
    return findings(read_ladder([prompt, forgotten(lora, increases, **how)]))


def gate(low: float | None, high: float | None, value: float = 0.1) -> Gate:
    return Gate("forgetting", "nats", Interval(value, low, high, 9, "any"), 0.1, False)


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (-0.2, 0.09, "passed"), (0.02, 0.1, "passed"), (0.11, 0.2, "failed"),
        (0.09, 0.11, "undecided"), (0.1, 0.2, "undecided"), (None, None, "undecided"),
    ],
)  # fmt: skip
def test_a_gate_is_passed_or_failed_by_its_whole_interval(
    low: float | None, high: float | None, outcome: str
) -> None:
    assert gate(low, high).outcome == outcome


def test_the_increase_is_paired_by_passage(tmp_path: Path) -> None:
    increases = spread(0.3)
    (one,) = ladder(tmp_path, increases).forgetting
    assert one.rung == "lora"
    assert (one.before.value, one.before.low) == (2.0, None), "all passages are alike"
    assert one.increase.value == pytest.approx(fmean(increases))
    assert one.increase.low is not None and one.increase.high is not None
    assert 0.29 < one.increase.low < 0.3 < one.increase.high < 0.31
    assert one.divergence is not None and one.divergence.value == pytest.approx(1.5)
    assert one.in_format == 1


def test_several_seeds_are_one_rung_with_their_noise_in_the_interval(tmp_path: Path) -> None:
    prompt = complete_run(tmp_path, "prompt", right(5))
    seeds = [
        forgotten(
            complete_run(tmp_path, "lora", right(35), training=TRAINING, seed=seed),
            spread(0.2 + seed / 10),
        )
        for seed in range(3)
    ]
    (one,) = findings(read_ladder([prompt, *seeds])).forgetting
    assert (one.seeds, one.increase.value) == (3, pytest.approx(0.3, abs=0.01))
    assert one.increase.low is not None and one.increase.low < 0.2


def test_what_a_better_rung_breaks_is_the_price_in_its_verdict(tmp_path: Path) -> None:
    found = ladder(tmp_path, spread(0.3))
    (verdict,) = verdicts(found)
    assert "lora is better than prompt" in verdict.text
    assert ", at the price of +0.300 (+0.298 to +0.301) nats per token" in verdict.text
    assert "(limit 0.1)" in verdict.text
    assert not verdict.blocked, "a price is no reason to doubt the score"


def test_a_gate_that_is_passed_costs_no_word(tmp_path: Path) -> None:
    (verdict,) = verdicts(ladder(tmp_path, spread(0.01)))
    assert "price" not in verdict.text


def test_a_rung_that_loses_has_no_price_and_one_that_is_level_is_named(tmp_path: Path) -> None:
    (worse,) = verdicts(ladder(tmp_path / "worse", spread(0.3), better=0))
    assert worse.contrast.verdict != "better"
    assert "; lora at the price of" in worse.text
    (undecided,) = verdicts(ladder(tmp_path / "undecided", spread(0.1)))
    assert "at a price that is undecided, +0.100" in undecided.text


def test_a_gate_stands_among_the_badges(tmp_path: Path) -> None:
    failed = {b.name: b for b in ladder(tmp_path / "failed", spread(0.3)).checks["lora"]}
    assert not failed["forgetting"].passed and not failed["forgetting"].blocks
    assert failed["forgetting"].text.endswith("(limit 0.1): beyond the limit")
    passed = {b.name: b for b in ladder(tmp_path / "passed", spread(0.0)).checks["lora"]}
    assert passed["forgetting"].passed


def test_a_limit_that_was_changed_after_it_was_measured_is_said(tmp_path: Path) -> None:
    found = ladder(tmp_path, spread(0.3), limits=(0.1, 0.2))
    (verdict,) = verdicts(found)
    assert "(limit 0.2, a limit that was changed after it was measured)" in verdict.text
    assert found.gates["lora"][0].declared_late


def test_it_all_stands_in_the_json(tmp_path: Path) -> None:
    told = json.loads(as_json(record(ladder(tmp_path, spread(0.3)))))
    (one,) = told["gates"]["lora"]
    assert (one["name"], one["outcome"], one["limit"]) == ("forgetting", "failed", 0.1)
    assert told["forgetting"][0]["instructions"][0]["after"] == '{"colour":"red"}'


def test_a_ladder_without_the_probe_has_no_gate(five: Findings) -> None:
    assert (five.gates, list(five.forgetting)) == ({}, [])
