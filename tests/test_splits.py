"""Splits are made by hash and by whole groups."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError, TaskError
from harness.splits import FEWEST, nested, split_by_size, split_dev, with_train_share
from harness.task import Example, Task


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


@given(
    groups=st.lists(st.integers(1, 40), min_size=1, max_size=120),
    shares=st.lists(st.floats(0.001, 1.0), min_size=2, max_size=6),
)
def test_a_larger_share_holds_a_smaller_one_in_whole_groups_and_the_old_order(
    groups: list[int], shares: list[float]
) -> None:
    examples = tuple(
        Example(f"e{i}", "", "", f"group {group}", (), {}, "") for i, group in enumerate(groups)
    )
    drawn = [nested(examples, share) for share in sorted(shares)]
    for less, more in pairwise(drawn):
        assert {e.id for e in less} <= {e.id for e in more}
    for share, some in zip(sorted(shares), drawn, strict=True):
        chosen = {e.group for e in some}
        assert some == tuple(e for e in examples if e.group in chosen)
        assert len(some) >= min(len(examples), max(FEWEST, round(share * len(examples))))
        most = max(groups.count(group) for group in groups)
        assert len(some) < max(FEWEST, round(share * len(examples))) + most
    assert nested(examples, 1.0) == examples


def test_a_share_of_train_changes_nothing_else_and_answers_keep_their_room(task: Task) -> None:
    less = with_train_share(task, 0.5)
    assert len(less.materials.train) == 8
    ours, theirs = task.fingerprints(), less.fingerprints()
    assert {part for part in ours if ours[part] != theirs[part]} == {"train"}
    kept = {e.id for e in less.materials.train}
    left_out = [e.target for e in task.materials.train if e.id not in kept]
    assert less.materials.left_out == tuple(left_out)
    assert with_train_share(task, 1) is task


@pytest.mark.parametrize("share", [0, -0.5, 1.5, float("nan"), True, "half", None])
def test_a_share_that_is_none_is_refused(task: Task, share: object) -> None:
    with pytest.raises(ConfigError, match=r"train_share=.*: must be a share of train, above 0"):
        with_train_share(task, share)
