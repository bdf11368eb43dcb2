"""The contrasts of a ladder, as its runs declared them."""

from __future__ import annotations

import json
from pathlib import Path

from harness.report.contrasts import contrasts, reading, write_changes
from harness.report.ladder import Row, ladders
from tests.record.conftest import ANSWERS, complete_run

RIGHT = dict.fromkeys(ANSWERS, "red")
WRONG = dict.fromkeys(ANSWERS, "blue")


def ladder_of(*folders) -> list[Row]:  # type: ignore[no-untyped-def]
    (rows,) = ladders(folders)
    return rows


def test_every_rung_is_compared_with_the_declared_baseline(tmp_path: Path) -> None:
    rows = ladder_of(
        complete_run(tmp_path, "prompt"),
        complete_run(tmp_path, "rag", WRONG),
        complete_run(tmp_path, "lora", RIGHT),
    )
    found = contrasts(rows)
    assert [(c.rung, c.baseline) for c in found] == [("rag", "prompt"), ("lora", "prompt")]
    assert [c.delta.value for c in found] == [-0.75, 0.25]
    assert all(c.p_adjusted >= c.p for c in found)


def test_seeds_of_a_rung_are_one_side_of_a_contrast(tmp_path: Path) -> None:
    rows = ladder_of(
        complete_run(tmp_path, "prompt"),
        complete_run(tmp_path, "lora", RIGHT, seed=0),
        complete_run(tmp_path, "lora", WRONG, seed=1),
    )
    (found,) = contrasts(rows)
    assert found.delta.value == (1.0 + 0.0) / 2 - 0.75
    assert found.delta.method == "Student's t (Satterthwaite)"
    assert found.seeds == (2, None)
    assert "over 2 seeds" in reading([found])


def test_a_rung_without_randomness_has_no_seed_to_miss(tmp_path: Path) -> None:
    rows = ladder_of(complete_run(tmp_path, "prompt"), complete_run(tmp_path, "rag", WRONG))
    assert "nothing in these rungs is random" in reading(contrasts(rows))


def test_what_was_not_declared_by_all_is_not_tested(tmp_path: Path) -> None:
    other = {"against": ["rag"], "margin": None}
    rows = ladder_of(
        complete_run(tmp_path, "prompt"), complete_run(tmp_path, "rag", WRONG, contrasts=other)
    )
    assert contrasts(rows) == []


def test_a_metric_of_the_whole_set_has_no_contrasts(tmp_path: Path) -> None:
    from harness.evidence.statistics import Interval

    whole = {"macro_f1": Interval(0.5, 0.4, 0.6, 4, "percentile bootstrap")}
    rows = ladder_of(
        complete_run(tmp_path, "prompt", more=whole, primary="macro_f1"),
        complete_run(tmp_path, "rag", WRONG, more=whole, primary="macro_f1"),
    )
    assert contrasts(rows) == []


def test_the_questions_that_changed_are_written_with_both_answers(tmp_path: Path) -> None:
    rows = ladder_of(complete_run(tmp_path, "prompt"), complete_run(tmp_path, "lora", RIGHT))
    for _ in range(2):
        write_changes(rows, contrasts(rows))
    (path,) = tmp_path.rglob("contrasts-*.jsonl")
    (line,) = map(json.loads, path.read_text().splitlines())
    assert line == {
        "rung": "lora",
        "baseline": "prompt",
        "change": "improved",
        "id": "eval-1",
        "values": [0.0, 1.0],
        "answers": ["blue", "red"],
    }
