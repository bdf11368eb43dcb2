"""What is done to the materials before a rung reads them."""

from __future__ import annotations

from harness.ladder.transform import ShuffledTargets
from harness.task import Task


def test_shuffled_targets_are_the_same_targets_with_none_in_its_place(task: Task) -> None:
    train = task.materials.train
    for seed in range(20):
        shuffled = ShuffledTargets().apply(task.materials, seed).train
        assert [e.input for e in shuffled] == [e.input for e in train]
        assert sorted(e.target for e in shuffled) == sorted(e.target for e in train)
        giver = {e.target for e in train}
        assert len(giver) < len(train) or all(
            new.target != old.target for new, old in zip(shuffled, train, strict=True)
        )


def test_the_seed_decides_who_gets_which_target_and_nothing_else_changes(task: Task) -> None:
    first, again, other = (ShuffledTargets().apply(task.materials, s) for s in (0, 0, 1))
    assert first == again != other
    assert (first.dev, first.corpus) == (task.materials.dev, task.materials.corpus)
