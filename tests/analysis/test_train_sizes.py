"""Which sizes of train stand in the tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.analysis.rungs import rung_results
from harness.analysis.runs import read_ladder
from harness.analysis.train_sizes import by_size, of_largest_train
from tests.record.conftest import TRAINING
from tests.sized_ladders import sized_run


def shown(*folders: Any) -> tuple[list[str], list[str]]:
    """Keys of what tables show, and of the rest."""
    kept, left = of_largest_train(rung_results(read_ladder(folders)))
    return [one.key for one in kept], [one.key for one in left]


def test_a_size_is_left_to_the_curve_if_all_its_rungs_ran_on_a_larger_one(tmp_path: Path) -> None:
    def lora(size: int) -> Any:
        return sized_run(tmp_path, "lora", 50, size, training=TRAINING)

    small = sized_run(tmp_path, "few_shot", 50, 100)
    runs = [sized_run(tmp_path, "prompt", 50, None), small, lora(100)]
    assert shown(*runs) == (["prompt", "few_shot", "lora"], [])
    # few_shot has not answered with 200 yet: what it can be compared with stays.
    assert shown(*runs, lora(200)) == (["prompt", "few_shot", "lora", "lora train=100"], [])
    large = sized_run(tmp_path, "few_shot", 50, 200)
    assert shown(*runs, lora(200), large) == (
        ["prompt", "few_shot", "lora"], ["few_shot train=100", "lora train=100"],
    )  # fmt: skip


def test_each_model_has_its_own_largest_size(tmp_path: Path) -> None:
    runs = [sized_run(tmp_path, "few_shot", 50, size, model=model)
            for model, size in (("small", 100), ("small", 200), ("large", 100))]  # fmt: skip
    assert shown(*runs) == (["few_shot large", "few_shot small"], ["few_shot small train=100"])


def test_rungs_that_are_set_otherwise_are_on_different_curves(tmp_path: Path) -> None:
    runs = [
        sized_run(tmp_path, "few_shot", 50, size, variant=variant)
        for variant in ("rung.shots.k=2", "rung.shots.k=8")
        for size in (100, 200)
    ]
    curves = by_size(rung_results(read_ladder(runs)))
    assert [[one.manifest["train_size"] for one in curve] for curve in curves] == [[100, 200]] * 2
    assert all(len({one.manifest["variant"] for one in curve}) == 1 for curve in curves)
