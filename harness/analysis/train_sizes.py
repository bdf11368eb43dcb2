"""The same rung over train sets of several sizes: which of them the tables show."""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence

from harness.analysis.rungs import RungResult

__all__ = ["by_size", "of_largest_train"]

SIZED = {"harness", "seed", "budget"}
"""Parts of an identity that may differ between sizes: the token budget of a text task follows the
longest target that was read."""


def by_size(results: Sequence[RungResult]) -> list[list[RungResult]]:
    """Results that differ in nothing but the size of train, the smallest first; of two train sets
    of one size the later one."""
    kinds: dict[str, dict[int, RungResult]] = {}
    for result in results:
        if (size := result.manifest["train_size"]) is not None:
            kinds.setdefault(_kind(result), {})[size] = result
    return [[found[size] for size in sorted(found)] for found in kinds.values()]


def of_largest_train(
    results: Sequence[RungResult],
) -> tuple[list[RungResult], list[RungResult]]:
    """What tables show, and what stands in the learning curve alone: all results of a size whose
    rungs ran on the largest train set of their model too. Both in the given order."""
    smaller: set[str] = set()
    for model in {_model(result) for result in results}:
        kinds: dict[int, set[str]] = {}
        for result in results:
            size = result.manifest["train_size"]
            if size is not None and _model(result) == model:
                kinds.setdefault(size, set()).add(_kind(result))
        largest = max(kinds, default=0)
        left = {s for s, ran in kinds.items() if s != largest and ran <= kinds[largest]}
        smaller |= {
            result.key
            for result in results
            if _model(result) == model and result.manifest["train_size"] in left
        }
    shown = [result for result in results if result.key not in smaller]
    return shown, [result for result in results if result.key in smaller]


def _model(result: RungResult) -> Hashable:
    return result.manifest["model"], result.manifest["decoding"]


def _kind(result: RungResult) -> str:
    """What a result has in common with those of other sizes: all that determines it but train."""
    identity = {k: v for k, v in result.manifest["identity"].items() if k not in SIZED}
    read = {k: v for k, v in identity.get("task", {}).items() if k != "train"}
    return json.dumps({**identity, "task": read}, sort_keys=True)
