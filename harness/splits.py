"""Which example goes into which split: by hash and by whole groups, the same every time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from harness.errors import TaskError
from harness.task import Example

__all__ = ["sample", "split_by_size", "split_dev"]

DEV_SHARE = 0.1
"""How much of train becomes dev when a source has no dev split of its own."""

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


def sample(examples: Examples, size: int | None) -> Examples:
    """`size` examples, in their old order; all if there are no more."""
    if size is None or size >= len(examples):
        return examples
    chosen = {e.id for e in sorted(examples, key=lambda e: _hash_order(e.id))[:size]}
    return tuple(e for e in examples if e.id in chosen)


def _take(examples: Examples, wanted: int) -> tuple[Examples, Examples]:
    """At least `wanted` examples in whole groups if there are so many, and the rest."""
    groups: dict[str, int] = {}
    for example in examples:
        groups[example.group] = groups.get(example.group, 0) + 1
    chosen: set[str] = set()
    taken = 0
    for group in sorted(groups, key=_hash_order):
        if taken >= wanted:
            break
        chosen.add(group)
        taken += groups[group]
    return (
        tuple(e for e in examples if e.group in chosen),
        tuple(e for e in examples if e.group not in chosen),
    )


def _hash_order(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
