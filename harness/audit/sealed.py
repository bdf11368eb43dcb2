"""Doubtful targets of eval: judged after the ladder ran, for those who read its errors.

No rung, no trial and no choice learns of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.audit.classifier import label_suspects
from harness.models.embedder import Embedder
from harness.task import Example, Task

__all__ = ["doubtful_targets"]

SPLIT = "eval:"


def doubtful_targets(task: Task, embedder: Embedder) -> dict[str, str] | None:
    """By id, what speaks against those targets of eval that classifiers of train and eval call
    wrong; each was judged by models that saw no example of its group.

    None if no column of the targets can be classified.
    """
    materials = task.materials
    both = (*materials.train, *_marked(task.eval))
    found = label_suspects(replace(materials, train=both), embedder)
    if found is None:
        return None
    return {
        i.removeprefix(SPLIT): found.why.get(i, "") for i in found.flagged if i.startswith(SPLIT)
    }


def _marked(examples: Sequence[Example]) -> list[Example]:
    """Ids are unique within a split alone."""
    return [replace(example, id=SPLIT + example.id) for example in examples]
