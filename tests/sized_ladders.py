"""A ladder over several sizes of train, with a law that is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.record.results import RunFolder
from tests.record.conftest import TRAINING, complete_run

SIZES = (15, 26, 52, 101, 202, 400)
N = 200
LORA = {15: 86, 26: 97, 52: 113, 101: 126, 202: 139, 400: 148}
"""Right answers of 200 at each size."""
FEW_SHOT = {15: 104, 26: 109, 52: 114, 101: 118, 202: 121, 400: 123}
PROMPT = 90


def answers(right: int, shift: int = 0) -> dict[str, str]:
    """Answers of which `right` are right: spread over all questions, others with each shift."""
    order = [(place * 67 + shift * 31) % N for place in range(N)]
    chosen = set(order[:right])
    return {f"eval-{i}": "red" if i in chosen else "blue" for i in range(N)}


def sized_run(root: Path, rung: str, right: int, size: int | None, **changes: Any) -> RunFolder:
    """A run on `size` examples of train."""
    shift = changes.get("seed") or 0
    about: dict[str, Any] = {"dev": {"n": 64, "value": right / N}, "train_size": size}
    reads = ("eval", "prompt", "train") if size else ("eval", "prompt")
    return complete_run(
        root, rung, answers(right, shift), reads=reads, train=str(size), **(about | changes)
    )


def sized_ladder(root: Path, seeds: int = 3, sizes: tuple[int, ...] = SIZES) -> list[RunFolder]:
    """prompt, few_shot and lora over the sizes, lora with seeds, and a control."""
    folders = [sized_run(root, "prompt", PROMPT, None)]
    for size in sizes:
        folders.append(sized_run(root, "few_shot", FEW_SHOT[size], size))
        control = {"kind": "majority", "of": None}
        folders.append(sized_run(root, "majority", 60, size, control=control))
        folders += [
            sized_run(root, "lora", LORA[size] + 2 * seed - 2, size, seed=seed, training=TRAINING)
            for seed in range(seeds)
        ]
    return folders
