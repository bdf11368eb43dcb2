"""Which example goes into which split: by hash and by whole groups, the same every time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from harness.errors import ConfigError, TaskError
from harness.sampling import hash_order
from harness.task import Example, Task

__all__ = ["nested", "split_by_size", "split_dev", "with_train_share"]

DEV_SHARE = 0.1
"""How much of train becomes dev when a source has no dev split of its own."""

FEWEST = 8
"""Examples that any share of train has, if there are so many: fewer fill no training step."""

Examples = tuple[Example, ...]


def split_dev(train: Examples, size: int | None) -> tuple[Examples, Examples]:
    """Split dev off train. Raises TaskError if nothing is left."""
    wanted = size if size is not None else max(1, round(len(train) * DEV_SHARE))
    dev, rest = _take(train, wanted)
    if not rest:
        raise TaskError(f"split train: nothing is left after {len(dev)} examples for dev; add more")
    return rest, dev


def split_by_size(pool: Examples, sizes: Mapping[str, int], where: str) -> dict[str, Examples]:
    """Deal one pool into eval, dev and train, in this order: a larger train moves nothing else.

    Raises TaskError if the pool is too small. A group that straddles a size goes in whole and is
    then cut to it, what is cut off goes nowhere.
    """
    missing = [split for split in ("train", "dev", "eval") if split not in sizes]
    if missing:
        raise TaskError(f"{where}: is one file; say how many examples: task.sizes.{missing[0]}")
    dealt: dict[str, Examples] = {}
    rest = pool
    for split in ("eval", "dev", "train"):
        taken, rest = _take(rest, sizes[split])
        if len(taken) < sizes[split]:
            raise TaskError(
                f"{where}: has {len(pool)} examples, too few for task.sizes.{split}="
                f"{sizes[split]} beside the others; lower the sizes"
            )
        dealt[split] = taken[: sizes[split]]
    return dealt


def nested(examples: Examples, share: float) -> Examples:
    """A share of the examples in whole groups, in their old order; a larger share holds a smaller.

    At least FEWEST examples, and what the last group has beyond the share.
    """
    return _take(examples, max(FEWEST, round(share * len(examples))))[0]


def with_train_share(task: Task, share: object) -> Task:
    """The task with a nested share of train, and room in answers for the targets left out.

    Raises ConfigError for what is no share above 0.
    """
    number = isinstance(share, int | float) and not isinstance(share, bool)
    if not (number and 0 < share <= 1):  # type: ignore[operator]  # NaN is in no range
        raise ConfigError(
            f"train_share={share}: must be a share of train, above 0 and at most 1; 1 is all of it"
        )
    whole = task.materials.train
    kept = nested(whole, float(share))  # type: ignore[arg-type]
    if len(kept) == len(whole):
        return task
    ids = {e.id for e in kept}
    left_out = tuple(e.target for e in whole if e.id not in ids)
    return replace(task, materials=replace(task.materials, train=kept, left_out=left_out))


def _take(examples: Examples, wanted: int) -> tuple[Examples, Examples]:
    """At least `wanted` examples in whole groups if there are so many, and the rest."""
    groups: dict[str, int] = {}
    for example in examples:
        groups[example.group] = groups.get(example.group, 0) + 1
    chosen: set[str] = set()
    taken = 0
    for group in sorted(groups, key=hash_order):
        if taken >= wanted:
            break
        chosen.add(group)
        taken += groups[group]
    return (
        tuple(e for e in examples if e.group in chosen),
        tuple(e for e in examples if e.group not in chosen),
    )
