"""The loss of each training example in each epoch: what training finds hard to believe.

An example whose target the model still finds improbable after others like it were learned is hard,
or its target is wrong (Swayamdipta et al. 2020, "Dataset Cartography", arXiv:2009.10795, whose
confidence is the mean probability of the target over the epochs; compare the area under the margin,
Pleiss et al. 2020, arXiv:2001.10528). The losses are those of the training steps themselves: each
was computed just before the weights learned from its batch.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from harness.files import EXAMPLE_LOSSES, write_whole
from harness.task import Example

__all__ = ["keep_losses", "name_losses"]

SHOWN = 300
"""Characters of input and target that a line quotes."""


def keep_losses(folder: Path, losses: Iterable[Sequence[float]], tokens: Iterable[int]) -> None:
    """Write what training saw: per example its `loss` (mean per completion token) in each epoch,
    and how many completion `tokens` it has."""
    _write(
        folder / EXAMPLE_LOSSES,
        [
            {"loss": [round(value, 6) for value in each], "tokens": count}
            for each, count in zip(losses, tokens, strict=True)
        ],
    )


def name_losses(trained: Path, run: Path, examples: Sequence[Example]) -> None:
    """Write into the folder of a run what training left in its own, and say of each line which
    example it is: `id`, `where`, and the beginning of both texts.

    Nothing happens where the method kept no losses, or where the run has them.
    """
    path = trained / EXAMPLE_LOSSES
    if not path.exists() or (run / EXAMPLE_LOSSES).exists():
        return
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    named = [
        {
            "id": example.id,
            "where": example.where,
            "input": example.input[:SHOWN],
            "target": example.target[:SHOWN],
            **line,
        }
        for example, line in zip(examples, lines, strict=True)
    ]
    _write(run / EXAMPLE_LOSSES, named)


def _write(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    write_whole(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
