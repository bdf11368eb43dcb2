"""What the check found, and what it says: pairs of texts, leaks, the certificate."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from harness.task import Example, Passage

__all__ = [
    "INSTRUCTIONS", "TOOLS", "UPDATED", "Certificate", "Leak", "Pair", "leak_message", "pair_of",
    "suspects_message", "text_of",
]  # fmt: skip

UPDATED = "updated corpus"
"""The corpus of an update, which is compared with eval as the corpus is."""
TOOLS = "tools"
"""What a model may call: no line of it can be left out."""
INSTRUCTIONS = "instructions"
"""What every model is told: no line of it can be left out either."""


@dataclass(frozen=True)
class Pair:
    """An eval text and the text it was found in."""

    eval_where: str
    eval_text: str
    where: str
    text: str
    similarity: float
    """Jaccard similarity of the two sets of features; of a paraphrase the cosine."""
    containment: float
    """Share of the eval text's features that the other text has."""


@dataclass(frozen=True)
class Leak:
    """One way in which eval is not sealed, or seems not to be."""

    kind: str
    """id, group, text, near-duplicate or contained; of what is suspected alone: rewritten, answer
    or paraphrase"""
    split: str
    pair: Pair


@dataclass(frozen=True)
class Certificate:
    """What was compared with what, how, and what was found."""

    method: str
    thresholds: dict[str, float]
    compared: dict[str, int]
    """Lines of each split that eval was compared with."""
    closest: dict[str, Pair]
    """The most similar pair found between eval and each split."""
    leaks: tuple[Leak, ...]
    decision: str
    """sealed, or what was done about the leaks: dropped or allowed"""
    suspects: tuple[Leak, ...] = ()
    """What a reader should look at: nothing was left out for it, and no identity knows of it."""

    def concerning(self, splits: Collection[str]) -> Certificate:
        """What of it concerns a rung that reads these splits: a leak into another changes none of
        its answers. Instructions concern every rung."""
        read = {*splits, INSTRUCTIONS}
        leaks = tuple(leak for leak in self.leaks if leak.split in read)
        suspects = tuple(leak for leak in self.suspects if leak.split in read)
        decision = self.decision if leaks else "sealed"
        return replace(self, leaks=leaks, suspects=suspects, decision=decision)

    def record(self) -> dict[str, Any]:
        """As JSON; texts are in the task's files."""
        record: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return record


def text_of(row: Example | Passage) -> str:
    """The text of a row that eval's inputs are compared with."""
    return row.input if isinstance(row, Example) else row.text


def pair_of(
    e: Example, row: Example | Passage, similarity: float = 0.0, containment: float = 0.0
) -> Pair:
    """An eval input and a row."""
    return Pair(e.where, e.input, row.where, text_of(row), similarity, containment)


def leak_message(leaks: Sequence[Leak]) -> str:
    """The first of the leaks in a line, with what can be done."""
    split = leaks[0].split
    return (
        f"{_first(leaks)}; take the second out of {split}, or set isolation.leaks=drop to leave "
        "such lines out, or isolation.leaks=allow to go on anyway"
    )


def suspects_message(suspects: Sequence[Leak]) -> str:
    """The first of what is suspected in a line, with what can be done."""
    return (
        f"suspected, not left out: {_first(suspects)}; look at them: the manifest has them all; "
        "isolation.suspects=leak treats them as leaks, but for paraphrases"
    )


def _first(leaks: Sequence[Leak]) -> str:
    first = leaks[0]
    how = {
        "id": "have the same id (if each file counts its own, leave the ids out)",
        "group": "are of the same group (if each file counts its own, name them apart)",
        "text": "say the same",
        "near-duplicate": f"are near-duplicates (similarity {first.pair.similarity:.2f})",
        "contained": f"overlap (the second holds {first.pair.containment:.0%} of the first)",
        "rewritten": "have so many pairs of words in common that the second seems cut or rewritten "
        f"from the first (similarity {first.pair.similarity:.2f})",
        "answer": "share a long answer",
        "paraphrase": f"mean the same, it seems (cosine {first.pair.similarity:.2f})",
    }[first.kind]
    more = f", and {len(leaks) - 1} more" if len(leaks) > 1 else ""
    return (
        f"{first.pair.eval_where} and {first.pair.where} {how}: {first.pair.eval_text[:60]!r} / "
        f"{first.pair.text[:60]!r}{more}"
    )
