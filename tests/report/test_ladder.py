"""The ladder as data: what stands in one table, in which order, under which names."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from harness.errors import ResultsError
from harness.record.results import find_runs
from harness.report.ladder import ORDER, ladder, ladders
from tests.record.conftest import complete_run


def labels(root: Path) -> list[str]:
    return [row.label for row in ladder(find_runs(root))]


def test_rungs_stand_in_ladder_order_and_unknown_ones_follow_by_name(tmp_path: Path) -> None:
    rungs = [*ORDER, "b_rung", "a_rung"]
    random.Random(0).shuffle(rungs)
    for rung in rungs:
        complete_run(tmp_path, rung)
    assert labels(tmp_path) == [*ORDER, "a_rung", "b_rung"]


def test_a_row_has_scores_slices_and_costs_of_its_run(tmp_path: Path) -> None:
    (row,) = ladder([complete_run(tmp_path)])
    assert (row.primary.value, row.primary.n, row.primary.method) == (0.75, 4, "wilson")
    assert row.slices["odd=True"]["accuracy"].value == 0.5
    assert (row.prompt_tokens, row.completion_tokens, row.seconds) == (100, 5, 0.5)


def test_a_rung_that_ran_once_has_only_its_name(tmp_path: Path) -> None:
    complete_run(tmp_path, "prompt", seed=None)
    complete_run(tmp_path, "lora", seed=3)
    assert labels(tmp_path) == ["prompt", "lora"]


def test_overrides_tell_runs_of_a_rung_apart(tmp_path: Path) -> None:
    complete_run(tmp_path, "rag", variant="rung.retrieval.k=5")
    complete_run(tmp_path, "rag")
    assert labels(tmp_path) == ["rag", "rag rung.retrieval.k=5"]


def test_seeds_tell_runs_apart_where_they_matter(tmp_path: Path) -> None:
    complete_run(tmp_path, "prompt", seed=None)
    complete_run(tmp_path, "lora", seed=1)
    complete_run(tmp_path, "lora", seed=0)
    assert labels(tmp_path) == ["prompt", "lora seed=0", "lora seed=1"]


def test_models_tell_runs_apart_and_each_has_its_own_ladder(tmp_path: Path) -> None:
    for model in ("small", "large"):
        for rung in ("lora", "prompt"):
            complete_run(tmp_path, rung, model=model)
    assert labels(tmp_path) == ["prompt large", "lora large", "prompt small", "lora small"]


def test_runs_that_nothing_else_tells_apart_carry_their_folders_hash(tmp_path: Path) -> None:
    """The same command before and after train.jsonl was edited, or the weights were replaced."""
    first = complete_run(tmp_path, "few_shot", weights="1" * 64)
    second = complete_run(tmp_path, "few_shot", weights="2" * 64)
    complete_run(tmp_path, "prompt")
    hashed = sorted(f"few_shot {run.path.name[:6]}" for run in (first, second))
    assert labels(tmp_path) == ["prompt", *hashed]


def test_each_eval_set_has_a_table_of_its_own_and_the_latest_comes_last(tmp_path: Path) -> None:
    complete_run(tmp_path, "prompt", eval_set="all of it")
    complete_run(tmp_path, "prompt", eval_set="the first ten", limit=10)
    complete_run(tmp_path, "prompt", task="other")
    complete_run(tmp_path, "rag", eval_set="all of it")
    tables = ladders(find_runs(tmp_path))
    found = [(t[0].manifest["task"], t[0].manifest["limit"], [r.label for r in t]) for t in tables]
    assert found == [
        ("tickets", 10, ["prompt"]),
        ("other", None, ["prompt"]),
        ("tickets", None, ["prompt", "rag"]),
    ]


def test_different_eval_sets_cannot_stand_in_one_table(tmp_path: Path) -> None:
    first = complete_run(tmp_path, "prompt", eval_set="all of it")
    second = complete_run(tmp_path, "rag", eval_set="the first ten")
    with pytest.raises(ResultsError, match="answered different eval sets") as caught:
        ladder([first, second])
    assert str(first.path) in str(caught.value) and str(second.path) in str(caught.value)
