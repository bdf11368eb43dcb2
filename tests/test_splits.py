"""Splits are made by hash and by whole groups."""

from __future__ import annotations

import pytest

from harness.errors import TaskError
from harness.splits import sample, split_by_size, split_dev
from harness.task import Example


def pool(count: int, per_group: int = 2) -> tuple[Example, ...]:
    return tuple(
        Example(f"e{i}", f"input {i}", "target", f"group {i // per_group}", (), {}, f"all:{i}")
        for i in range(count)
    )


def groups(examples: tuple[Example, ...]) -> set[str]:
    return {e.group for e in examples}


SIZES = {"train": 20, "dev": 6, "eval": 10}


def test_a_pool_is_dealt_by_whole_groups_into_splits_of_the_sizes_asked_for() -> None:
    dealt = split_by_size(pool(60), SIZES, "file")
    assert {split: len(examples) for split, examples in dealt.items()} == SIZES
    assert not groups(dealt["train"]) & groups(dealt["eval"])
    assert not groups(dealt["dev"]) & (groups(dealt["eval"]) | groups(dealt["train"]))


def test_a_group_that_straddles_a_size_is_cut_and_the_rest_of_it_goes_nowhere() -> None:
    dealt = split_by_size(pool(60, per_group=4), SIZES, "file")
    assert {split: len(examples) for split, examples in dealt.items()} == SIZES
    assert not groups(dealt["train"]) & (groups(dealt["eval"]) | groups(dealt["dev"]))


def test_a_larger_train_leaves_dev_and_eval_as_they_are() -> None:
    small, large = (
        split_by_size(pool(60), SIZES, "file"),
        split_by_size(pool(60), SIZES | {"train": 40}, "file"),
    )
    assert small["eval"] == large["eval"]
    assert small["dev"] == large["dev"]
    assert {e.id for e in small["train"]} < {e.id for e in large["train"]}


def test_a_pool_that_is_too_small_is_refused() -> None:
    with pytest.raises(TaskError, match=r"has 30 examples, too few for task\.sizes\.train=20"):
        split_by_size(pool(30), SIZES, "file")


def test_sizes_must_be_told_for_one_file() -> None:
    with pytest.raises(TaskError, match=r"is one file; say how many examples: task\.sizes\.dev"):
        split_by_size(pool(30), {"train": 1, "eval": 1}, "file")


def test_dev_is_carved_out_of_train_by_whole_groups() -> None:
    rest, dev = split_dev(pool(40), None)
    assert len(dev) == 4
    assert not groups(rest) & groups(dev)
    with pytest.raises(TaskError, match="nothing is left after 4 examples for dev"):
        split_dev(pool(4, per_group=4), 2)


def test_a_draw_is_always_the_same_and_keeps_the_order() -> None:
    examples = pool(40)
    drawn = sample(examples, 10)
    assert drawn == sample(tuple(reversed(examples)), 10)[::-1]
    assert len(drawn) == 10
    assert sample(examples, None) == sample(examples, 99) == examples
