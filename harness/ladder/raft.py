"""What a training prompt shows of a corpus: the passage that governs its answer, among others that
look as if they did, and sometimes those alone.

Zhang et al. 2024, "RAFT: Adapting Language Model to Domain Specific RAG" (arXiv:2403.10131): a
model that sees wrong passages in training learns which of several to use, and one that has to do
without the right passage now and then learns answers by heart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from harness.task import Example, Passage

__all__ = ["governed", "training_passages"]


def training_passages(
    examples: Sequence[Example],
    found: Sequence[Sequence[Passage]],
    corpus: Mapping[str, Passage],
    distractors: int,
    share: float,
    seed: int,
) -> list[tuple[Passage, ...]]:
    """The passages that the training prompt of each example shows; their order says nothing.

    `found` are those of a search for each example, best first: enough of them that `distractors`
    and one more are left without those that govern. `corpus` has every passage by its id. All
    prompts show equally many, `distractors` and one: where the governing passage is missing, one
    more of the others takes its place, so that their number does not tell. An example that names
    no passage, or more of them than there is room for, shows what there is room for.
    """
    shown = []
    for example, passages in zip(examples, found, strict=True):
        governing = [corpus[i] for i in example.gold_passages if i in corpus]
        others = [p for p in passages if p not in governing]
        if not governed(example, share, seed):
            governing = []
        governing = governing[: distractors + 1]
        shown.append((*governing, *others[: distractors + 1 - len(governing)]))
    return shown


def governed(example: Example, share: float, seed: int) -> bool:
    """Whether this example is among the share whose prompt holds the governing passage: drawn by
    its id and the seed, whatever other examples there are."""
    drawn = hashlib.sha256(f"{seed}:{example.id}".encode()).digest()
    return int.from_bytes(drawn[:7]) < share * 2**56
