"""The contrasts of a ladder, as its runs declared them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.report.contrasts import best_untuned, contrasts, planned, write_changes
from harness.report.entries import entries
from harness.report.ladder import Row, ladders
from tests.record.conftest import ANSWERS, TRAINING, complete_run

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


def test_what_was_not_declared_by_all_is_not_tested(tmp_path: Path) -> None:
    other = {"against": ["rag"], "best_untuned": True, "pairs": [], "margin": None}
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


def on_dev(value: float) -> dict[str, float]:
    return {"n": 6, "value": value}


def test_the_best_untuned_rung_is_chosen_on_dev_and_not_on_eval(tmp_path: Path) -> None:
    """few_shot is worse on eval, and better on dev over its two seeds."""
    rows = ladder_of(
        complete_run(tmp_path, "prompt", dev=on_dev(0.4)),
        complete_run(tmp_path, "few_shot", WRONG, seed=0, dev=on_dev(0.3)),
        complete_run(tmp_path, "few_shot", WRONG, seed=1, dev=on_dev(0.6)),
        complete_run(tmp_path, "lora", RIGHT, seed=0, training=TRAINING),
    )
    assert best_untuned(entries(rows)) == {"lora": "few_shot"}
    pairs = [(c.rung, c.baseline) for c in contrasts(rows)]
    assert pairs == [("few_shot", "prompt"), ("lora", "prompt"), ("lora", "few_shot")]
    assert "few_shot, chosen on 6 dev questions (prompt 40.0, few_shot 45.0)" in planned(
        entries(rows)
    )


def test_without_answers_on_dev_nothing_is_chosen_and_that_is_said(tmp_path: Path) -> None:
    rows = ladder_of(
        complete_run(tmp_path, "prompt", dev=on_dev(0.4)),
        complete_run(tmp_path, "rag", WRONG),
        complete_run(tmp_path, "lora", RIGHT, training=TRAINING),
    )
    assert best_untuned(entries(rows)) == {}
    assert "which is not known (no answers on dev: rag)" in planned(entries(rows))


def test_each_model_has_its_own_best_untuned_rung(tmp_path: Path) -> None:
    folders = [
        complete_run(tmp_path, rung, model=model, dev=on_dev(value))
        for model, rung, value in (
            ("small", "prompt", 0.1), ("small", "rag", 0.2), ("large", "prompt", 0.9), ("large", "rag", 0.8),
        )
    ]  # fmt: skip
    tuned = [complete_run(tmp_path, "lora", model=m, training=TRAINING) for m in ("small", "large")]
    found = best_untuned(entries(ladder_of(*folders, *tuned)))
    assert found == {"lora large": "prompt large", "lora small": "rag small"}


def test_controls_are_in_no_declared_contrast(tmp_path: Path) -> None:
    rows = ladder_of(
        complete_run(tmp_path, "prompt", dev=on_dev(0.4)),
        complete_run(tmp_path, "majority", WRONG, control={"kind": "majority", "of": None}),
        complete_run(tmp_path, "lora", RIGHT, training=TRAINING),
    )
    assert [(c.rung, c.baseline) for c in contrasts(rows)] == [("lora", "prompt")]


def test_what_older_results_declared_is_still_read(tmp_path: Path) -> None:
    older = {"against": ["prompt"], "margin": None}
    rows = ladder_of(
        complete_run(tmp_path, "prompt", contrasts=older, dev=on_dev(0.4)),
        complete_run(tmp_path, "rag", WRONG, contrasts=older, dev=on_dev(0.6)),
        complete_run(tmp_path, "lora", RIGHT, contrasts=older, training=TRAINING),
    )
    assert [(c.rung, c.baseline) for c in contrasts(rows)] == [
        ("rag", "prompt"),
        ("lora", "prompt"),
    ]


def pairs_of(rows: list[Row]) -> list[tuple[str, str]]:
    return [(c.rung, c.baseline) for c in contrasts(rows)]


def test_declared_pairs_are_tested_and_planned_where_both_rungs_ran(tmp_path: Path) -> None:
    pairs = [["rag_lora", "lora"], ["rag_lora", "rag"], ["rag", "few_shot"]]
    declared = {"against": [], "best_untuned": False, "pairs": pairs, "margin": None}
    rows = ladder_of(
        *(complete_run(tmp_path, rung, contrasts=declared) for rung in ("rag", "lora", "rag_lora"))
    )
    assert pairs_of(rows) == [("rag_lora", "lora"), ("rag_lora", "rag")]
    assert planned(entries(rows)) == (
        "Declared before the run: rag_lora against lora; rag_lora against rag."
    )


def decoded(root: Path, rung: str, decoding: str, *words: str, **changes: Any) -> Any:
    """A run of a sweep over decodings."""
    variant = " ".join([*words, f"decoding={decoding}"])
    return complete_run(root, rung, decoding=decoding, variant=variant, **changes)


def test_each_rung_is_compared_with_itself_under_the_other_decoding_and_with_no_other(
    tmp_path: Path,
) -> None:
    rows = ladder_of(
        *(
            decoded(tmp_path, rung, decoding)
            for rung in ("prompt", "rag")
            for decoding in ("free", "constrained")
        )
    )
    held, free = "decoding=constrained", "decoding=free"
    assert sorted(pairs_of(rows)) == [
        (f"prompt {held}", f"prompt {free}"),
        (f"rag {held}", f"prompt {held}"),
        (f"rag {held}", f"rag {free}"),
        (f"rag {free}", f"prompt {free}"),
    ]


def test_a_rung_of_other_settings_is_not_the_same_rung_under_another_decoding(
    tmp_path: Path,
) -> None:
    alone = {"against": [], "best_untuned": False, "pairs": [], "margin": None}
    rows = ladder_of(
        *(
            decoded(tmp_path, "rag", decoding, f"rung.retrieval.k={k}", contrasts=alone)
            for k in (1, 2)
            for decoding in ("free", "constrained")
        )
    )
    assert sorted(pairs_of(rows)) == [
        (
            f"rag rung.retrieval.k={k} decoding=constrained",
            f"rag rung.retrieval.k={k} decoding=free",
        )
        for k in (1, 2)
    ]


def test_the_best_untuned_rung_is_one_of_the_same_decoding(tmp_path: Path) -> None:
    rows = ladder_of(
        decoded(tmp_path, "prompt", "free", dev=on_dev(0.9)),
        decoded(tmp_path, "prompt", "constrained", dev=on_dev(0.4)),
        decoded(tmp_path, "rag", "constrained", dev=on_dev(0.5)),
        decoded(tmp_path, "lora", "constrained", training=TRAINING),
    )
    assert best_untuned(entries(rows)) == {"lora decoding=constrained": "rag decoding=constrained"}


def test_models_are_not_compared_with_each_other(tmp_path: Path) -> None:
    rows = ladder_of(
        complete_run(tmp_path, "prompt", model="small"),
        complete_run(tmp_path, "rag", model="large"),
    )
    assert pairs_of(rows) == []
